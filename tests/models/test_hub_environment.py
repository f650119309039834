"""What the environment does to the hub's client: it works, or one line names the variable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_local.foundation.errors import HubFailed
from claude_local.models import hub_client, hub_failures
from support.hub import TOKEN, Hub, running_hub
from support.machine import Machine, error_of
from support.socks_server import running_socks_server

REPO, FILE = "owner/Some-GGUF", "Some-Q8_0.gguf"
CONTENT = b"GGUF" + bytes(5000)


@pytest.fixture
def hub(machine: Machine) -> Iterator[Hub]:
    with running_hub() as hub:
        machine.extra["HF_ENDPOINT"] = hub.url
        hub.add(REPO, FILE, CONTENT)
        (machine.checkout / "profiles" / "some.yaml").write_text(
            f"title: T\ndescription: D\nmodel: {{repo: {REPO}, file: {FILE}}}\n"
        )
        yield hub


def test_a_socks_proxy_gets_every_request_and_resolves_the_names(machine: Machine, hub: Hub) -> None:
    with running_socks_server() as socks:
        socks.names.add("hub.invalid")
        machine.extra["HF_ENDPOINT"] = hub.url.replace("127.0.0.1", "hub.invalid")
        machine.extra["all_proxy"] = f"socks://127.0.0.1:{socks.port}/"

        machine.invoke("pull", "some")

    assert socks.asked[0] == "hub.invalid"
    assert "127.0.0.1" in socks.asked  # the storage, to which the hub redirects
    assert (machine.checkout / "models" / FILE).read_bytes() == CONTENT


def test_a_proxy_that_does_not_answer_is_named_without_its_password(machine: Machine, hub: Hub) -> None:
    machine.extra["ALL_PROXY"] = f"socks5h://user:secret@127.0.0.1:{machine.port}"

    message, hints = error_of(machine.invoke("pull", "some"))

    where = f"socks5h://127.0.0.1:{machine.port}, which ALL_PROXY names"
    assert message == f"{hub.url} does not answer through the proxy {where}: Connection refused"
    assert hints == [f"check ALL_PROXY; to connect without it: NO_PROXY={hub.url.removeprefix('http://')}"]


def test_a_refused_token_is_not_needed_for_a_public_file(machine: Machine, hub: Hub) -> None:
    hub.refuses_other_tokens = True
    machine.extra["HF_TOKEN"] = "hf_expired"

    done = machine.invoke("pull", "some")

    expected = (
        "refuses the token in HF_TOKEN; public files need none (replace HF_TOKEN, or unset it: it wins over "
    )
    assert [line for line in done.stderr.splitlines() if expected in line], done.stderr
    assert "hf_expired" not in done.stdout + done.stderr
    assert (machine.checkout / "models" / FILE).read_bytes() == CONTENT


def test_a_file_that_is_missing_is_missing_with_a_refused_token_too(machine: Machine, hub: Hub) -> None:
    hub.refuses_other_tokens = True
    hub.repositories[REPO] = {"other-Q8_0.gguf": CONTENT}
    machine.extra["HF_TOKEN"] = "hf_expired"

    message, _ = error_of(machine.invoke("pull", "some"))

    assert message == f"{REPO} has no file {FILE}"


def test_a_refused_token_is_named_for_a_private_file(machine: Machine, hub: Hub) -> None:
    hub.refuses_other_tokens = hub.private = True
    machine.extra["HF_TOKEN"] = "hf_expired"

    from_variable, hints = error_of(machine.invoke("pull", "some"))
    del machine.extra["HF_TOKEN"]
    file = machine.home / ".cache" / "huggingface" / "token"
    file.parent.mkdir(parents=True)
    file.write_text("hf_old")
    from_file, hints_of_file = error_of(machine.invoke("pull", "some"))

    rest = f"and {REPO} cannot be read without one (HTTP 401: Invalid credentials in Authorization header)"
    assert from_variable == f"{hub.url} refuses the token in HF_TOKEN, {rest}"
    assert hints == ["replace HF_TOKEN, or unset it: it wins over hf auth login"]
    assert from_file == f"{hub.url} refuses the token in {file}, {rest}"
    assert hints_of_file == ["log in with another token: hf auth login"]


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HF_ENDPOINT", "hub.example", "HF_ENDPOINT is not the address of a model hub: `hub.example`"),
        ("HF_HUB_ETAG_TIMEOUT", "soon", "HF_HUB_ETAG_TIMEOUT is not a number of seconds: `soon`"),
        ("SSL_CERT_FILE", "/no.pem", "SSL_CERT_FILE does not lead to certificates: /no.pem: No such file or directory"),
        ("HTTPS_PROXY", "socks4://a:1", "HTTPS_PROXY names a proxy of the kind `socks4`, which is not supported"),
        ("HF_TOKEN", "hf a", "the token in HF_TOKEN has a character that no token has"),
        ("HF_TOKEN_PATH", "/", "no token can be read from /: Is a directory"),
        ("HF_OIDC_RESOURCE", "x", None),
        ("TRANSFORMERS_OFFLINE", "1", "TRANSFORMERS_OFFLINE is set: no hub is contacted"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(
    machine: Machine, hub: Hub, variable: str, value: str, expected: str | None
) -> None:
    machine.extra |= {"HF_ENDPOINT": hub.url, variable: value}

    message, hints = error_of(machine.invoke("pull", "some"))

    assert expected is None or message == expected
    assert variable in message or value in message
    assert hints


def test_each_wrong_address_of_a_hub_is_refused() -> None:
    for value in (
        "",
        "hub",
        "hub.example/x",
        "ftp://hub",
        "http://",
        "http://[::1",
        "http://a b",
        "http://a:x",
    ):
        with pytest.raises(HubFailed, match="HF_ENDPOINT is not the address of a model hub"):
            hub_client.check({"HF_ENDPOINT": value})


@pytest.mark.parametrize("variable", hub_client.CERTIFICATES)
def test_wrong_certificates_are_named_with_their_variable(variable: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "folder").mkdir()

    for name in ("missing", "text", "folder"):
        with pytest.raises(HubFailed) as caught:
            hub_client.new_client({variable: str(tmp_path / name)}, lambda _: None)
        assert caught.value.message.startswith(
            f"{variable} does not lead to certificates: {tmp_path / name}: "
        )
        assert f"unset {variable}" in caught.value.hint


def test_a_certificate_that_is_not_trusted_is_named() -> None:
    error = OSError(
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
    )

    plain = hub_failures.no_answer(error, "https://hub.example", {})
    given = hub_failures.no_answer(error, "https://hub.example", {"SSL_CERT_FILE": "/ca.pem"})

    assert plain.message == "the certificate of https://hub.example is not trusted: self-signed certificate"
    assert "SSL_CERT_FILE=" in plain.hint
    assert "SSL_CERT_FILE=/ca.pem" in given.hint


def test_the_good_token_is_still_sent(machine: Machine, hub: Hub) -> None:
    hub.refuses_other_tokens = hub.private = True
    machine.extra["HUGGING_FACE_HUB_TOKEN"] = TOKEN

    machine.invoke("pull", "some")

    assert (machine.checkout / "models" / FILE).read_bytes() == CONTENT

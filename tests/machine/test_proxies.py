"""proxies: which proxy an address gets, compared with curl where curl knows the same."""

from __future__ import annotations

import subprocess

import pytest

from claude_local.foundation.errors import WrongSetting
from claude_local.machine.proxies import check, proxy_for
from support.odd_server import response, running

HTTPS = "https://hub.example.com/file"

CHOSEN: list[tuple[dict[str, str], str, str | None]] = [
    ({}, HTTPS, None),
    ({"HTTPS_PROXY": "http://a:1"}, HTTPS, "http://a:1"),
    ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, HTTPS, "http://a:1"),
    ({"https_proxy": "", "HTTPS_PROXY": "http://b:1"}, HTTPS, None),
    ({"HTTP_PROXY": "http://a:1"}, HTTPS, None),
    ({"HTTP_PROXY": "http://a:1"}, "http://hub.example.com", "http://a:1"),
    ({"ALL_PROXY": "socks5h://a:1", "HTTPS_PROXY": "http://b:1"}, HTTPS, "http://b:1"),
    ({"ALL_PROXY": "socks5h://a:1"}, HTTPS, "socks5h://a:1"),
    ({"all_proxy": "socks://127.0.0.1:1080/"}, HTTPS, "socks5h://127.0.0.1:1080/"),
    ({"ALL_PROXY": "SOCKS5://a:1"}, HTTPS, "socks5://a:1"),
    ({"HTTPS_PROXY": " a:3128 "}, HTTPS, "http://a:3128"),
    ({"HTTPS_PROXY": "//a:3128"}, HTTPS, "http://a:3128"),
    ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "hub.example.com:8080"}, HTTPS, "http://a:1"),
    ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "hub.example.com:443"}, HTTPS, None),
    ({"HTTP_PROXY": "http://a:1", "NO_PROXY": "[::1]"}, "http://[::1]:8080/", None),
]

REFUSED = [
    ("socks4://a:1", "names a proxy of the kind `socks4`, which is not supported"),
    ("ftp://a:1", "names a proxy of the kind `ftp`, which is not supported"),
    ("http://a:port", "is not the address of a proxy: http://a:port"),
    ("http://a:99999", "is not the address of a proxy: http://a:99999"),
    ("http://[::1", "is not the address of a proxy: http://[::1"),
    ("http://:3128", "is not the address of a proxy: http://:3128"),
    ("http://a b:1", "is not the address of a proxy: http://a b:1"),
    ("http://user:secret@:1", "is not the address of a proxy: http://:1"),
]

DIRECT = [
    "hub.example.com", "HUB.example.com", "example.com", ".example.com", "ample.com", "other.com", "*", "com",
    "other.com,example.com", "other.com, example.com", "hub.example.com.", "", "127.0.0.1", "hub",
]  # fmt: skip


@pytest.mark.parametrize(("environment", "url", "address"), CHOSEN)
def test_the_variable_for_the_address_names_the_proxy(
    environment: dict[str, str], url: str, address: str | None
) -> None:
    proxy = proxy_for(url, environment)

    assert (proxy and proxy.address) == address


@pytest.mark.parametrize(("value", "problem"), REFUSED)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_value_that_is_no_proxy_is_named_without_its_password(
    variable: str, value: str, problem: str
) -> None:
    with pytest.raises(WrongSetting) as caught:
        check({variable: value})

    assert caught.value.message == f"{variable} {problem}"
    assert variable in caught.value.hint


@pytest.mark.tools
@pytest.mark.parametrize("listed", DIRECT)
def test_no_proxy_means_what_it_means_to_curl(listed: str) -> None:
    with running(b"", lambda *_: response("200 OK", b"proxy")) as proxy:
        environment = {"http_proxy": proxy.url, "no_proxy": listed}
        # A direct connection ends at an address without a listener.
        argv = [
            "curl",
            "--silent",
            "--resolve",
            "hub.example.com:80:127.0.0.9",
            "http://hub.example.com/",
        ]
        said = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False).stdout

    assert (proxy_for("http://hub.example.com/", environment) is not None) == (said == "proxy")

"""invoke pull against a local hub: every failure is one clear line, and nothing is lost."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_local.models.demo_model import DemoShape, write_demo_model
from support.gguf_files import SHAPES, write_header_only
from support.hub import COMMIT, TOKEN, Hub, running_hub
from support.machine import Machine, error_of

REPO = "owner/Some-Model-GGUF"
FILE = "Some-Model-Q8_0.gguf"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real model of a few MB (random weights)."""
    path = tmp_path_factory.mktemp("model") / "model.gguf"
    write_demo_model(path, shape=DemoShape(embedding=256, layers=1))
    return path.read_bytes()


@pytest.fixture
def hub(machine: Machine) -> Iterator[Hub]:
    """A hub for the machine's commands."""
    with running_hub() as hub:
        machine.extra["HF_ENDPOINT"] = hub.url
        yield hub


def write_profile(machine: Machine, *, name: str = "some", file: str = FILE, more: str = "") -> Path:
    path = machine.checkout / "profiles" / f"{name}.yaml"
    path.write_text(
        f"# My notes.\ntitle: T   # the title\ndescription: D\n\n"
        f"model:\n  repo: {REPO}\n  file: {file}   # the file\n{more}\nserver:\n  ctx_size: 4096\n"
    )
    return path


def target(machine: Machine, file: str = FILE) -> Path:
    return machine.checkout / "models" / file


def left_over(machine: Machine) -> list[str]:
    """Names of everything below models/ except complete files."""
    return [path.name for path in (machine.checkout / "models").rglob(".*")]


def test_a_pulled_model_is_checked_and_not_hashed_or_requested_again(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    digest = hub.add(REPO, FILE, model)
    write_profile(machine, more=f"  sha256: {digest}\n")

    first = machine.invoke("pull", "some")
    asked = len(hub.seen)
    second = machine.invoke("pull", "some")

    size = f"{len(model) / 1e6:.1f} MB"
    assert first.returncode == 0, first.stderr
    assert f"{FILE}: downloaded, {size}, sha256 as the profile says" in first.stderr
    assert "some: llama, F16, 1 layer, 131,072 tokens of context" in first.stderr
    assert f"{FILE}: already there, {size}, sha256 as the profile says" in second.stderr
    assert (target(machine).read_bytes(), left_over(machine)) == (model, [])
    assert (asked, len(hub.seen)) == (3, 3)
    remembered = json.loads((machine.state_dir / "checksums.json").read_text())
    assert [(path, seen["sha256"]) for path, seen in remembered.items()] == [(str(target(machine)), digest)]


def test_only_the_file_is_requested_and_nothing_is_written_to_the_home_folder(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)

    machine.invoke_ok("pull", "some")

    assert [(seen.method, seen.path) for seen in hub.seen] == [
        ("HEAD", f"/{REPO}/resolve/main/{FILE}"),
        ("GET", f"/{REPO}/resolve/{COMMIT}/{FILE}"),
        ("GET", f"/{REPO}/{FILE}"),
    ]
    assert sorted(path.name for path in machine.home.iterdir()) == [".local"]


def test_record_writes_checksum_and_size_and_keeps_every_comment(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    digest = hub.add(REPO, FILE, model)
    eyes = hub.add(REPO, "mmproj-F16.gguf", model)
    profile = write_profile(
        machine, more="  mmproj:\n    file: eyes.gguf\n    hub_file: mmproj-F16.gguf   # eyes\n"
    )
    before = profile.read_text()

    out = machine.invoke_ok("pull", "some", "--record")
    again = machine.invoke_ok("pull", "some", "--record")

    expected = before.replace(
        "   # the file\n", f'   # the file\n  sha256: "{digest}"\n  size_bytes: {len(model)}\n'
    ).replace("eyes.gguf\n", f'eyes.gguf\n    sha256: "{eyes}"\n    size_bytes: {len(model)}\n')
    assert profile.read_text() == expected
    assert [line for line in out.splitlines() if line.startswith(("+", "-"))] == [
        "--- profiles/some.yaml",
        "+++ profiles/some.yaml",
        f'+  sha256: "{digest}"',
        f"+  size_bytes: {len(model)}",
        f'+    sha256: "{eyes}"',
        f"+    size_bytes: {len(model)}",
    ]
    assert again == ""
    assert target(machine, "eyes.gguf").read_bytes() == model


def test_a_profile_on_one_line_is_not_edited(machine: Machine, hub: Hub, model: bytes) -> None:
    digest = hub.add(REPO, FILE, model)
    profile = machine.checkout / "profiles" / "some.yaml"
    profile.write_text(f"title: T\ndescription: D\nmodel: {{repo: {REPO}, file: {FILE}}}\n")
    before = profile.read_text()

    message, hints = error_of(machine.invoke("pull", "some", "--record"))

    assert message == f"{profile} has a layout that cannot be edited automatically"
    assert hints == ["add these yourself:", f'model/sha256: "{digest}"', f"model/size_bytes: {len(model)}"]
    assert profile.read_text() == before


def test_all_shards_are_downloaded_and_recorded(machine: Machine, hub: Hub, tmp_path: Path) -> None:
    names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]
    small = SHAPES[-1]
    contents = [
        write_header_only(tmp_path / name, small, layers=range(2 * i, 2 * i + 2)).read_bytes()
        for i, name in enumerate(names)
    ]
    sums = [hub.add(REPO, f"Q4/{name}", content) for name, content in zip(names, contents, strict=True)]
    profile = write_profile(machine, file=names[0], more=f"  hub_file: Q4/{names[0]}\n")

    done = machine.invoke("pull", "some", "--record")

    assert done.returncode == 0, done.stderr
    assert [target(machine, name).read_bytes() for name in names] == contents
    assert f'  sha256: "{sums[0]}"\n  more_sha256: ["{sums[1]}"]\n' in profile.read_text()
    assert f"  size_bytes: {sum(map(len, contents))}\n" in profile.read_text()


def test_an_interrupted_download_resumes_where_it_stopped(machine: Machine, hub: Hub, model: bytes) -> None:
    digest = hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.stops_after_bytes = 2 * 2**20

    running = machine.start("pull", "some")
    assert hub.stopped.wait(60)
    partial = wait_for_bytes(machine, 2**20)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=150)
    kept = partial.stat().st_size
    hub.stops_after_bytes = None
    again = machine.invoke("pull", "some")

    assert running.returncode == 130
    assert stderr.splitlines()[-2:] == [
        "the part that was downloaded is kept; continue: invoke pull some",
        "interrupted",
    ]
    assert again.returncode == 0, again.stderr
    assert hashlib.sha256(target(machine).read_bytes()).hexdigest() == digest
    assert hub.asked("storage") == [("GET", "bytes=0-"), ("GET", f"bytes={kept}-")]
    assert 2**20 <= kept < len(model)


def wait_for_bytes(machine: Machine, count: int) -> Path:
    """The partial file, once it has `count` bytes."""
    while True:
        found = list((machine.checkout / "models").glob(f".{FILE}.*.partial"))
        if found and found[0].stat().st_size >= count:
            return found[0]


def test_a_second_pull_of_the_same_file_is_refused(machine: Machine, hub: Hub, model: bytes) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.stops_after_bytes = 2**20

    running = machine.start("pull", "some")
    assert hub.stopped.wait(60)
    message, _ = error_of(machine.invoke("pull", "some"))
    hub.stops_after_bytes = None
    hub.go_on.set()
    running.communicate(timeout=150)

    assert message == f"another command is downloading {FILE}"
    assert (running.returncode, target(machine).read_bytes()) == (0, model)


def test_a_broken_connection_is_resumed(machine: Machine, hub: Hub, model: bytes) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.breaks_after_bytes, hub.breaks_left = 2**20 + 5, 1

    machine.invoke_ok("pull", "some")

    assert target(machine).read_bytes() == model
    assert hub.asked("storage") == [("GET", "bytes=0-"), ("GET", f"bytes={2**20 + 5}-")]


def test_a_server_without_ranges_sends_the_file_again_correctly(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.breaks_after_bytes, hub.breaks_left, hub.ignores_ranges = 2**20, 1, True

    machine.invoke_ok("pull", "some")

    assert target(machine).read_bytes() == model


def test_a_connection_that_stays_broken_is_reported_and_the_partial_file_is_kept(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.breaks_after_bytes, hub.breaks_left = 0, 100

    message, hints = error_of(machine.invoke("pull", "some"))

    assert message.startswith(f"{hub.url} does not answer: peer closed connection")
    assert hints[0].startswith("run it again, it resumes where it stopped")


def test_a_damaged_file_is_deleted_and_never_gets_its_name(machine: Machine, hub: Hub, model: bytes) -> None:
    digest = hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.damages = True

    message, hints = error_of(machine.invoke("pull", "some"))

    wrong = hashlib.sha256(model[:-1] + bytes([model[-1] ^ 1])).hexdigest()
    assert message == f"{FILE} arrived damaged or changed: sha256 {wrong}, not {digest}; it was deleted"
    assert hints == ["download it again: invoke pull some; if this repeats, try another mirror"]
    assert (target(machine).exists(), left_over(machine)) == (False, [])


def test_a_file_that_ends_early_is_not_downloaded(machine: Machine, hub: Hub, model: bytes) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.claims_bytes = len(model) + 1

    message, _ = error_of(machine.invoke("pull", "some"))

    expected = f"{len(model):,} bytes, not {len(model) + 1:,}"
    assert message == f"{hub.storage_url} sends another {FILE} than the hub describes: {expected}"
    assert not target(machine).exists()


@pytest.mark.parametrize("key", ["sha256", "size_bytes"])
def test_a_file_that_differs_from_the_profile_is_not_downloaded(
    machine: Machine, hub: Hub, model: bytes, key: str
) -> None:
    digest = hub.add(REPO, FILE, model)
    mine, theirs = {"sha256": ("0" * 64, digest), "size_bytes": ("5", str(len(model)))}[key]
    quote = '"' if key == "sha256" else ""
    write_profile(machine, more=f"  {key}: {quote}{mine}{quote}\n")

    message, hints = error_of(machine.invoke("pull", "some"))

    assert (
        message == f"{FILE} in {REPO} is not the file that profile `some` names: {key} {theirs}, not {mine}"
    )
    assert "profiles/some.yaml" in hints[0]
    assert hub.asked("storage") == []


def test_a_file_on_disk_with_the_wrong_checksum_is_reported_and_force_replaces_it(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    digest = hub.add(REPO, FILE, model)
    write_profile(machine, more=f"  sha256: {digest}\n")
    target(machine).parent.mkdir()
    target(machine).write_bytes(b"GGUF something else")

    message, hints = error_of(machine.invoke("pull", "some"))
    forced = machine.invoke("pull", "some", "--force")

    wrong = hashlib.sha256(b"GGUF something else").hexdigest()
    assert message == (
        f"{target(machine)} is not the file that the profile names: its sha256 is {wrong}, not {digest}"
    )
    assert hints == ["replace it: invoke pull some --force"]
    assert (forced.returncode, target(machine).read_bytes()) == (0, model)


def test_a_missing_file_is_reported_with_similar_names(machine: Machine, hub: Hub) -> None:
    hub.add(REPO, "some-model-q8_0.gguf", b"")
    hub.add(REPO, "Some-Model-Q4_K_M.gguf", b"")
    write_profile(machine)

    message, hints = error_of(machine.invoke("pull", "some"))

    assert message == f"{REPO} has no file {FILE}"
    assert hints == ["it has: some-model-q8_0.gguf, Some-Model-Q4_K_M.gguf"]


def test_a_missing_repository_and_a_missing_revision_are_reported(machine: Machine, hub: Hub) -> None:
    write_profile(machine)

    nowhere, _ = error_of(machine.invoke("pull", "some"))
    hub.add(REPO, FILE, b"")
    write_profile(machine, more="  revision: never-was\n")
    no_revision, hints = error_of(machine.invoke("pull", "some"))

    assert nowhere == f"{hub.url} has no repository {REPO}, or it is private"
    assert (no_revision, hints) == (f"{REPO} has no revision never-was", ["leave `revision` out"])


def test_a_gated_model_needs_a_token_that_is_sent_only_to_the_hub(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.gated = True

    message, hints = error_of(machine.invoke("pull", "some"))
    store = machine.home / ".cache" / "huggingface"
    store.mkdir(parents=True)
    (store / "token").write_text(TOKEN)
    with_token = machine.invoke("pull", "some")

    assert message == f"{REPO} is gated: its owner grants access individually"
    assert hints == [
        f"ask for access at {hub.url}/{REPO}, then log in with a token that may read it: hf auth login"
    ]
    assert with_token.returncode == 0, with_token.stderr
    tokens = {(seen.address, seen.headers.get("authorization")) for seen in hub.seen[1:]}
    assert tokens == {("hub", f"Bearer {TOKEN}"), ("storage", None)}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, f"refuses {REPO} (HTTP 403)"),
        (500, f"answers HTTP 500 for {REPO}"),
    ],
)
def test_a_refusal_by_the_hub_is_reported(machine: Machine, hub: Hub, status: int, expected: str) -> None:
    write_profile(machine)
    hub.status = status

    message, _ = error_of(machine.invoke("pull", "some"))

    assert message == f"{hub.url} {expected}"


def test_an_answer_that_is_not_from_a_hub_is_reported(machine: Machine, hub: Hub, model: bytes) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.is_no_hub = True

    message, hints = error_of(machine.invoke("pull", "some"))

    assert message == f"{hub.url} does not answer like a model hub"
    assert hints[0].startswith("check HF_ENDPOINT")


def test_an_unreachable_hub_is_reported(machine: Machine) -> None:
    write_profile(machine)
    machine.extra["HF_ENDPOINT"] = machine.url  # no listener on this port

    away, _ = error_of(machine.invoke("pull", "some"))
    machine.extra["HF_HUB_OFFLINE"] = "1"
    offline, hints = error_of(machine.invoke("pull", "some"))

    assert away.startswith(f"{machine.url} does not answer: ")
    assert (offline, hints) == ("HF_HUB_OFFLINE is set: no hub is contacted", ["unset HF_HUB_OFFLINE"])


def test_an_existing_file_is_accepted_without_a_hub(machine: Machine, model: bytes) -> None:
    write_profile(machine)
    machine.extra["HF_ENDPOINT"] = machine.url
    target(machine).parent.mkdir()
    target(machine).write_bytes(model)

    done = machine.invoke("pull", "some")

    assert done.returncode == 0, done.stderr
    assert f"sha256 {hashlib.sha256(model).hexdigest()}, not compared" in done.stderr


def test_a_file_of_another_size_is_reported_without_a_hub_and_force_replaces_it(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine, more=f"  size_bytes: {len(model)}\n")
    target(machine).parent.mkdir()
    target(machine).write_bytes(model[:504])
    machine.extra["HF_ENDPOINT"] = machine.url

    message, hints = error_of(machine.invoke("pull", "some"))
    machine.extra["HF_ENDPOINT"] = hub.url
    forced = machine.invoke("pull", "some", "--force")

    assert message == (
        f"{target(machine)} is not the file that the profile names: it has 504 bytes, not {len(model):,}"
    )
    assert hints == ["replace it: invoke pull some --force"]
    assert (forced.returncode, target(machine).read_bytes()) == (0, model)


def test_a_download_larger_than_the_disk_is_not_started(machine: Machine, hub: Hub, model: bytes) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)
    hub.claims_bytes = 10**18

    message, hints = error_of(machine.invoke("pull", "some"))

    beginning = f"not enough disk space in {machine.checkout / 'models'}: 1000000000.0 GB needed, "
    assert message[: len(beginning)] == beginning
    assert "invoke models --prune" in hints[0]
    assert hub.asked("storage") == []


def test_a_full_disk_is_reported_and_the_partial_file_is_kept(
    machine: Machine, hub: Hub, model: bytes
) -> None:
    hub.add(REPO, FILE, model)
    write_profile(machine)

    full = subprocess.run(
        [sys.executable, "-m", "invoke", "pull", "some"],
        cwd=machine.checkout,
        env=machine.environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, 2**21)),
    )
    message, hints = error_of(full)
    again = machine.invoke("pull", "some")

    assert message == f"{target(machine)} cannot be written: {os.strerror(errno.EFBIG)}"
    assert hints == ["make room, then continue (2.1 MB are kept): invoke pull some"]
    assert again.returncode == 0, again.stderr
    assert hub.asked("storage") == [("GET", "bytes=0-"), ("GET", f"bytes={2**21}-")]


def test_pulling_the_demo_profile_says_how_to_write_it(machine: Machine) -> None:
    message, hints = error_of(machine.invoke("pull", "demo"))

    assert message == "profile `demo` does not say where demo.gguf comes from"
    assert hints == ["write it: invoke demo-model"]

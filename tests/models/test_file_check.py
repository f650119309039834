"""present and ports: a missing model or a taken port is reported before anything starts."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from claude_local.foundation.errors import UserError
from claude_local.machine.ports import check_port
from claude_local.machine.settings import Settings, load_settings
from claude_local.models import checksums
from claude_local.models.file_check import check_model_file, model_size_bytes
from claude_local.profiles.profile import Profile


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = load_settings({"HOME": str(tmp_path)}, tmp_path, user_id=1000, group_id=1000)
    made.models_dir.mkdir()
    return made


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket of this process on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def profile(name: str = "p", **model: Any) -> Profile:
    return Profile.model_validate(
        {"name": name, "title": "T", "description": "D", "model": {"file": "a.gguf", **model}}
    )


def test_a_gguf_file_is_accepted(settings: Settings) -> None:
    (settings.models_dir / "sub").mkdir()
    (settings.models_dir / "sub" / "a.gguf").write_bytes(b"GGUF\x03\0\0\0")

    check_model_file(settings, profile(file="sub/a.gguf"))


def test_a_missing_model_is_reported_with_the_command_to_get_it(settings: Settings) -> None:
    with pytest.raises(UserError) as caught:
        check_model_file(settings, profile(repo="owner/name"))

    file = settings.models_dir / "a.gguf"
    assert caught.value.message == f"the model file of profile `p` is missing: {file}"
    assert caught.value.hint == "download it: invoke pull p"


def test_the_hint_for_the_missing_demo_model_is_to_write_it(settings: Settings) -> None:
    with pytest.raises(UserError) as caught:
        check_model_file(settings, profile("demo", file="demo.gguf"))

    assert caught.value.hint == "write it: invoke demo-model"


def test_the_hint_for_a_missing_model_without_source_is_not_the_demo_model(settings: Settings) -> None:
    with pytest.raises(UserError) as caught:
        check_model_file(settings, profile("mine", file="mine.gguf"))

    assert "demo-model" not in caught.value.hint
    assert str(settings.models_dir) in caught.value.hint


def test_a_missing_shard_or_projector_is_reported(settings: Settings) -> None:
    sharded = profile(file="a-00001-of-00002.gguf", mmproj={"file": "eyes.gguf"})
    messages = []
    for name in ("a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "eyes.gguf"):
        with pytest.raises(UserError) as caught:
            check_model_file(settings, sharded)
        messages.append(caught.value.message)
        (settings.models_dir / name).write_bytes(b"GGUF")

    check_model_file(settings, sharded)
    names = ("a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "eyes.gguf")
    assert messages == [
        f"the model file of profile `p` is missing: {settings.models_dir / name}" for name in names
    ]


def test_the_size_of_a_sharded_model_is_that_of_all_shards(settings: Settings) -> None:
    sharded = profile(file="a-00001-of-00002.gguf", size_bytes=1000)
    (settings.models_dir / "a-00001-of-00002.gguf").write_bytes(b"GGUF+3B")

    assert model_size_bytes(settings, sharded) == 1000

    (settings.models_dir / "a-00002-of-00002.gguf").write_bytes(b"GGUF")

    assert model_size_bytes(settings, sharded) == 11


@pytest.mark.parametrize("content", [b"", b"GGU", b"<!DOCTYPE html>", b"version https://git-lfs"])
def test_a_file_that_is_not_gguf_is_reported(settings: Settings, content: bytes) -> None:
    (settings.models_dir / "a.gguf").write_bytes(content)

    with pytest.raises(UserError) as caught:
        check_model_file(settings, profile())

    assert caught.value.message == f"{settings.models_dir / 'a.gguf'} is not a GGUF file"


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        ({"repo": "owner/name"}, "replace it: invoke pull p --force"),
        ({}, "put it into {models}; the profile does not say where it comes from"),
    ],
)
def test_a_partial_download_is_reported_with_the_command_to_complete_it(
    settings: Settings, place: dict[str, str], hint: str
) -> None:
    (settings.models_dir / "a.gguf").write_bytes(b"GGUF+3B")

    with pytest.raises(UserError) as caught:
        check_model_file(settings, profile(size_bytes=1000, **place))

    assert caught.value.message == f"{settings.models_dir / 'a.gguf'} has 7 bytes, the profile says 1,000"
    rest = hint.format(models=settings.models_dir)
    assert caught.value.hint == f"it may be a partial download; {rest}"


def test_a_folder_is_not_a_model_file(settings: Settings) -> None:
    (settings.models_dir / "a.gguf").mkdir()

    with pytest.raises(UserError, match=r"is missing: .*/a\.gguf$"):
        check_model_file(settings, profile())


def test_the_size_on_disk_wins_over_the_size_in_the_profile(settings: Settings) -> None:
    assert model_size_bytes(settings, profile()) is None
    assert model_size_bytes(settings, profile(size_bytes=1000)) == 1000

    (settings.models_dir / "a.gguf").write_bytes(b"GGUF+3B")

    assert model_size_bytes(settings, profile(size_bytes=1000)) == 7


def test_a_taken_port_is_reported_with_its_holder(listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    with pytest.raises(UserError) as caught:
        check_port(port)

    name = psutil.Process().name()
    assert caught.value.message == f"port {port} is in use by {name} (process {os.getpid()})"
    assert caught.value.hint == ("end that program, or choose another port: CLAUDE_LOCAL_LLAMA_PORT=8090")


def test_a_port_is_free_after_its_holder_has_ended(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()

    check_port(port)
    check_port(port)


def checked(settings: Settings, content: bytes = b"GGUF and so on") -> str:
    """Writes a model file and caches its checksum like `invoke pull`; returns the checksum."""
    file = settings.models_dir / "a.gguf"
    file.write_bytes(content)
    return checksums.sha256_of(settings.state_dir, file, lambda _: None)


def test_a_file_with_the_checksum_of_its_profile_is_accepted(settings: Settings) -> None:
    check_model_file(settings, profile(sha256=checked(settings)))


def test_a_file_with_a_different_checksum_is_reported(settings: Settings) -> None:
    made, expected = checked(settings), "0" * 64

    with pytest.raises(UserError) as caught:
        check_model_file(settings, profile(sha256=expected))

    file = settings.models_dir / "a.gguf"
    assert caught.value.message == (
        f"{file} is not the file that the profile names: its sha256 is {made}, not {expected}"
    )
    assert caught.value.hint == "replace it: invoke pull p --force"


def test_a_file_that_changed_after_its_check_must_be_checked_again(settings: Settings) -> None:
    sha256 = checked(settings)
    file = settings.models_dir / "a.gguf"
    os.utime(file, ns=(0, 0))

    with pytest.raises(UserError) as caught:
        check_model_file(settings, profile(sha256=sha256))
    checksums.sha256_of(settings.state_dir, file, lambda _: None)
    check_model_file(settings, profile(sha256=sha256))

    assert caught.value.message == f"{file} has changed since its checksum was computed"
    assert caught.value.hint == "check it again, without a download: invoke pull p"


def test_a_file_without_a_cached_or_expected_checksum_is_accepted(settings: Settings) -> None:
    file = settings.models_dir / "a.gguf"
    file.write_bytes(b"GGUF")
    check_model_file(settings, profile(sha256="0" * 64))

    checked(settings)
    os.utime(file, ns=(0, 0))
    check_model_file(settings, profile())

"""state: the key is created once and stays private."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from claude_local.foundation.errors import UserError
from claude_local.machine.settings import Settings, load_settings
from claude_local.machine.state import api_key, client_key, prepare

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)}, tmp_path, user_id=1000, group_id=1000)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_64_hexadecimal_digits(settings: Settings) -> None:
    prepare(settings)

    assert re.fullmatch(r"[0-9a-f]{64}", settings.api_key_file.read_text())
    assert api_key(settings) == settings.api_key_file.read_text()


def test_the_key_is_created_once(settings: Settings) -> None:
    prepare(settings)
    first = api_key(settings)

    prepare(settings)

    assert api_key(settings) == first


def test_two_machines_have_different_keys(tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        own = load_settings({"HOME": str(tmp_path / name)}, tmp_path / name, user_id=1, group_id=1)
        prepare(own)
        keys.add(api_key(own))

    assert len(keys) == 2


def test_before_the_first_start_there_is_no_key(settings: Settings) -> None:
    assert api_key(settings) == ""


@pytest.mark.parametrize("content", ["", "\n", " \n\t"])
def test_an_empty_key_file_is_replaced(settings: Settings, content: str) -> None:
    settings.runtime_dir.mkdir(parents=True)
    settings.api_key_file.write_text(content)

    prepare(settings)

    assert re.fullmatch(r"[0-9a-f]{64}", settings.api_key_file.read_text())


def test_a_line_break_after_the_key_is_not_part_of_it(settings: Settings) -> None:
    prepare(settings)
    settings.api_key_file.write_text("my-own-key\n")

    prepare(settings)

    assert api_key(settings) == "my-own-key"


def external(settings: Settings, key_file: Path | None) -> Settings:
    return replace(settings, external_url="http://gpu", external_key_file=key_file)


def test_an_external_server_gets_its_own_key_and_never_ours(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    theirs = tmp_path / "theirs"
    theirs.write_text("their-key\n")

    keys = [client_key(one) for one in (settings, external(settings, theirs), external(settings, None))]

    assert keys == [api_key(settings), "their-key", "local"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "cannot be read: it is not text"),
        (b"", "does not hold one line with a key"),
        (b"a\nb", "does not hold one line with a key"),
        ("schlüssel".encode(), "does not hold one line with a key"),
    ],
)
def test_an_unusable_key_file_is_reported(
    settings: Settings, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "theirs"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(UserError) as caught:
        client_key(external(settings, file))

    assert caught.value.message == f"the key file {file} {problem}"
    assert "CLAUDE_LOCAL_EXTERNAL_KEY_FILE" in caught.value.hint


def test_state_becomes_private_even_if_its_folders_were_open(settings: Settings) -> None:
    settings.runtime_dir.mkdir(parents=True, mode=0o755)

    prepare(settings)

    modes = {
        path: mode_of(path) for path in (settings.state_dir, settings.runtime_dir, settings.api_key_file)
    }
    assert modes == {settings.state_dir: 0o700, settings.runtime_dir: 0o700, settings.api_key_file: 0o600}


def test_a_key_file_that_others_could_read_becomes_private(settings: Settings) -> None:
    prepare(settings)
    settings.api_key_file.chmod(0o644)

    prepare(settings)

    assert mode_of(settings.api_key_file) == 0o600


def test_the_models_folder_is_created(settings: Settings) -> None:
    prepare(settings)

    assert settings.models_dir.is_dir()

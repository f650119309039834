"""state: the key is made once and stays private; the lock has one holder and dies with it."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from claude_local.errors import Busy, UserError
from claude_local.settings import Settings, load_settings
from claude_local.state import Holder, api_key, client_key, lock, prepare

ROOT = Path(__file__).parents[1]

# Another command: takes the lock, says so, and holds it until its input ends.
HOLDER = """
import sys
from pathlib import Path
from claude_local.settings import load_settings
from claude_local.state import lock
settings = load_settings({"HOME": sys.argv[1]}, Path(sys.argv[1]), user_id=1, group_id=1)
with lock(settings, "switch demo", automatic="automatic" in sys.argv):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)}, tmp_path, user_id=1000, group_id=1000)


@contextmanager
def holder(home: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A real second process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, home, *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_64_hexadecimal_digits(settings: Settings) -> None:
    prepare(settings)

    assert re.fullmatch(r"[0-9a-f]{64}", settings.api_key_file.read_text())
    assert api_key(settings) == settings.api_key_file.read_text()


def test_the_key_is_made_once(settings: Settings) -> None:
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


def test_a_line_end_after_the_key_is_no_part_of_it(settings: Settings) -> None:
    prepare(settings)
    settings.api_key_file.write_text("my-own-key\n")

    prepare(settings)

    assert api_key(settings) == "my-own-key"


def external(settings: Settings, key_file: Path | None) -> Settings:
    return replace(settings, external_url="http://gpu", external_key_file=key_file)


def test_a_stranger_gets_the_key_that_is_theirs_and_never_ours(settings: Settings, tmp_path: Path) -> None:
    prepare(settings)
    theirs = tmp_path / "theirs"
    theirs.write_text("their-key\n")

    keys = [client_key(one) for one in (settings, external(settings, theirs), external(settings, None))]

    assert keys == [api_key(settings), "their-key", "local"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "cannot be read: it is no text"),
        (b"", "does not hold one line with a key"),
        (b"a\nb", "does not hold one line with a key"),
        ("schlüssel".encode(), "does not hold one line with a key"),
    ],
)
def test_a_key_file_that_is_of_no_use_is_told(
    settings: Settings, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "theirs"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(UserError) as caught:
        client_key(external(settings, file))

    assert caught.value.message == f"the key file {file} {problem}"
    assert "CLAUDE_LOCAL_EXTERNAL_KEY_FILE" in caught.value.hint


def test_state_is_private_even_where_folders_were_open_before(settings: Settings) -> None:
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


def test_the_models_folder_is_made(settings: Settings) -> None:
    prepare(settings)

    assert settings.models_dir.is_dir()


def test_a_second_command_is_told_who_holds_the_lock(settings: Settings, tmp_path: Path) -> None:
    with holder(tmp_path) as process, pytest.raises(Busy) as caught, lock(settings, "up demo"):
        pass

    expected = rf"another command is at work: `switch demo` \(process {process.pid}\), for \d+ s"
    assert re.fullmatch(expected, caught.value.message)
    assert caught.value.hint == "wait for it, or end it"


def test_what_nobody_asked_for_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    waited_for: list[str] = []
    with holder(tmp_path, "automatic") as process:

        def let_go(held: Holder) -> None:
            waited_for.append(held.purpose)
            assert process.stdin is not None
            process.stdin.close()

        with lock(settings, "up demo", waiting=let_go):
            text = (settings.state_dir / "lock").read_text()

    assert set(waited_for) == {"switch demo"}
    assert '"purpose": "up demo"' in text


def test_a_holder_that_has_no_name_yet_is_looked_at_again(settings: Settings, tmp_path: Path) -> None:
    waited_for: list[str] = []
    with holder(tmp_path, "automatic") as process:
        named = (settings.state_dir / "lock").read_text()
        (settings.state_dir / "lock").write_text("")
        name_it = threading.Timer(0.3, (settings.state_dir / "lock").write_text, [named])
        name_it.start()

        def let_go(held: Holder) -> None:
            waited_for.append(held.purpose)
            assert process.stdin is not None
            process.stdin.close()

        with lock(settings, "up demo", waiting=let_go):
            pass
        name_it.join()

    assert set(waited_for) == {"switch demo"}


def test_who_would_wait_is_told_of_a_holder_that_never_gets_a_name(settings: Settings) -> None:
    with lock(settings, "up demo"):
        (settings.state_dir / "lock").write_text("")

        with pytest.raises(Busy, match="does not say which"), lock(settings, "down", waiting=lambda _: None):
            pass


def test_what_somebody_asked_for_is_not_waited_for(settings: Settings, tmp_path: Path) -> None:
    waited_for: list[Holder] = []
    with (
        holder(tmp_path),
        pytest.raises(Busy),
        lock(settings, "up demo", waiting=waited_for.append),
    ):
        pass

    assert waited_for == []


def test_who_cannot_wait_is_told_of_what_nobody_asked_for(settings: Settings, tmp_path: Path) -> None:
    with holder(tmp_path, "automatic"), pytest.raises(Busy), lock(settings, "restart demo"):
        pass


def test_the_refused_command_does_not_change_what_the_holder_wrote(
    settings: Settings, tmp_path: Path
) -> None:
    with holder(tmp_path):
        before = (settings.state_dir / "lock").read_text()
        with pytest.raises(Busy), lock(settings, "up demo"):
            pass

        assert (settings.state_dir / "lock").read_text() == before


def test_the_lock_is_free_when_its_holder_was_killed(settings: Settings, tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

        with lock(settings, "up demo"):
            text = (settings.state_dir / "lock").read_text()

    assert f'"pid": {os.getpid()}, "purpose": "up demo"' in text


def test_the_lock_is_free_after_its_block(settings: Settings) -> None:
    with lock(settings, "a purpose that is much longer than the second one"):
        pass

    with (
        lock(settings, "down"),
        pytest.raises(Busy, match=r"at work: `down` \(process "),
        lock(settings, "x"),
    ):
        pass


def test_the_lock_is_free_after_an_error_in_its_block(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), lock(settings, "up demo"):
        raise ZeroDivisionError

    with lock(settings, "down"):
        assert '"purpose": "down"' in (settings.state_dir / "lock").read_text()


@pytest.mark.parametrize("content", ["", "no JSON", "{}", "null", "[]", '{"purpose": "x", "since": null}'])
def test_a_holder_that_does_not_say_who_it_is_is_a_holder_still(settings: Settings, content: str) -> None:
    with lock(settings, "up demo"):
        (settings.state_dir / "lock").write_text(content)

        with pytest.raises(Busy) as caught, lock(settings, "down"):
            pass

    assert caught.value.message == "another command is at work: it does not say which"


def test_the_lock_file_is_private(settings: Settings) -> None:
    with lock(settings, "up demo"):
        assert mode_of(settings.state_dir / "lock") == 0o600
        assert mode_of(settings.state_dir) == 0o700

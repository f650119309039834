"""lock: one holder at a time, released with its process."""

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
from pathlib import Path

import pytest

from claude_local.foundation.errors import Busy
from claude_local.lifecycle.lock import Holder, hold
from claude_local.machine.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]

# Another command: takes the lock, prints "held", and holds it until its input ends.
HOLDER = """
import sys
from pathlib import Path
from claude_local.machine.settings import load_settings
from claude_local.lifecycle.lock import hold
settings = load_settings({"HOME": sys.argv[1]}, Path(sys.argv[1]), user_id=1, group_id=1)
with hold(settings, "switch demo", automatic="automatic" in sys.argv):
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


def test_a_second_command_gets_the_holder_of_the_lock(settings: Settings, tmp_path: Path) -> None:
    with holder(tmp_path) as process, pytest.raises(Busy) as caught, hold(settings, "up demo"):
        pass

    expected = rf"another command is running: `switch demo` \(process {process.pid}\), for \d+ s"
    assert re.fullmatch(expected, caught.value.message)
    assert caught.value.hint == "wait for it, or press Ctrl-C where it runs"


def test_a_command_waits_for_an_automatic_holder(settings: Settings, tmp_path: Path) -> None:
    waited_for: list[str] = []
    with holder(tmp_path, "automatic") as process:

        def let_go(held: Holder) -> None:
            waited_for.append(held.purpose)
            assert process.stdin is not None
            process.stdin.close()

        with hold(settings, "up demo", waiting=let_go):
            text = (settings.state_dir / "lock").read_text()

    assert set(waited_for) == {"switch demo"}
    assert '"purpose": "up demo"' in text


def test_a_holder_without_a_name_is_read_again(settings: Settings, tmp_path: Path) -> None:
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

        with hold(settings, "up demo", waiting=let_go):
            pass
        name_it.join()

    assert set(waited_for) == {"switch demo"}


def test_a_waiting_command_fails_if_the_holder_never_gets_a_name(settings: Settings) -> None:
    with hold(settings, "up demo"):
        (settings.state_dir / "lock").write_text("")

        with pytest.raises(Busy, match="its name is unknown"), hold(settings, "down", waiting=lambda _: None):
            pass


def test_a_command_does_not_wait_for_a_requested_holder(settings: Settings, tmp_path: Path) -> None:
    waited_for: list[Holder] = []
    with (
        holder(tmp_path),
        pytest.raises(Busy),
        hold(settings, "up demo", waiting=waited_for.append),
    ):
        pass

    assert waited_for == []


def test_without_waiting_an_automatic_holder_is_busy_too(settings: Settings, tmp_path: Path) -> None:
    with holder(tmp_path, "automatic"), pytest.raises(Busy), hold(settings, "restart demo"):
        pass


def test_a_refused_command_does_not_change_the_entry_of_the_holder(
    settings: Settings, tmp_path: Path
) -> None:
    with holder(tmp_path):
        before = (settings.state_dir / "lock").read_text()
        with pytest.raises(Busy), hold(settings, "up demo"):
            pass

        assert (settings.state_dir / "lock").read_text() == before


def test_the_lock_is_free_when_its_holder_was_killed(settings: Settings, tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

        with hold(settings, "up demo"):
            text = (settings.state_dir / "lock").read_text()

    assert f'"pid": {os.getpid()}, "purpose": "up demo"' in text


def test_the_lock_is_free_after_its_block(settings: Settings) -> None:
    with hold(settings, "a purpose that is much longer than the second one"):
        pass

    with (
        hold(settings, "down"),
        pytest.raises(Busy, match=r"is running: `down` \(process "),
        hold(settings, "x"),
    ):
        pass


def test_the_lock_is_free_after_an_error_in_its_block(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), hold(settings, "up demo"):
        raise ZeroDivisionError

    with hold(settings, "down"):
        assert '"purpose": "down"' in (settings.state_dir / "lock").read_text()


@pytest.mark.parametrize("content", ["", "no JSON", "{}", "null", "[]", '{"purpose": "x", "since": null}'])
def test_a_holder_with_an_invalid_entry_still_holds_the_lock(settings: Settings, content: str) -> None:
    with hold(settings, "up demo"):
        (settings.state_dir / "lock").write_text(content)

        with pytest.raises(Busy) as caught, hold(settings, "down"):
            pass

    assert caught.value.message == "another claude-local command is running, but its name is unknown"


def test_the_lock_file_is_private(settings: Settings) -> None:
    with hold(settings, "up demo"):
        assert stat.S_IMODE((settings.state_dir / "lock").stat().st_mode) == 0o600
        assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700

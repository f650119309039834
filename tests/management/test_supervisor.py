"""supervisor: it continues after any error in a look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_local.foundation.snapshot import STOPPED, Snapshot
from claude_local.lifecycle import status
from claude_local.lifecycle.status import Readers
from claude_local.machine.settings import Settings, load_settings
from claude_local.management.operations import Operations
from claude_local.management.supervisor import Supervisor
from support.machine import ROOT


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor on a machine without a running engine."""
    environment = {
        "HOME": str(tmp_path),
        "CLAUDE_LOCAL_PROFILES_DIR": str(tmp_path / "profiles"),
        "CLAUDE_LOCAL_ENGINE": "embedded",
    }
    settings = load_settings(environment, ROOT, user_id=0, group_id=0)
    own = Supervisor(settings, Operations(settings))
    yield own
    own.stop()


def test_a_repeated_bug_in_a_look_is_logged_once_and_looks_continue(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks: list[str] = []

    def see(*_: Settings | Readers) -> Snapshot:
        looks.append("look")
        if len(looks) < 4:
            raise KeyError("Pid")
        return STOPPED

    monkeypatch.setattr(status, "pulse", see)
    monkeypatch.setattr(status, "snapshot", see)
    watcher = supervisor.watcher
    supervisor.start()
    first = watcher.status()
    for _ in range(3):
        watcher.look_again()
        watcher.status()
    watcher.look_again()

    assert (first.state, first.reason) == ("failed", "KeyError: 'Pid'")
    assert watcher.status().state == "stopped"
    assert capsys.readouterr().err.count("Traceback") == 1


def test_a_mistake_in_a_profile_does_not_mark_the_running_model_as_failed(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = Snapshot(state="unloaded", engine="docker", profile="demo", loaded_profile="second")
    monkeypatch.setattr(status, "pulse", lambda *_: serving)
    monkeypatch.setattr(status, "snapshot", lambda *_: serving)
    watcher = supervisor.watcher
    folder = watcher.settings.profiles_dir
    folder.mkdir()
    (folder / "_defaults.yaml").write_text("")
    (folder / "second.yaml").write_text("nonsense: 1\n")
    supervisor.start()

    for _ in range(2):
        watcher.look_again()
        now = watcher.status()

    assert (now.state, now.reason, now.loaded_profile) == ("unloaded", None, "second")

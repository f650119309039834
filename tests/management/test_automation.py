"""automation: when it restarts, when it follows a model, and when it does nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from claude_local.foundation.errors import UserError
from claude_local.foundation.snapshot import STOPPED, Snapshot, Work
from claude_local.lifecycle import journal
from claude_local.lifecycle.transaction import Attempt, Journal
from claude_local.machine.settings import load_settings
from claude_local.management.automation import Automation
from claude_local.management.automation_limits import FOLLOW_AFTER_SECONDS, RESTARTS
from claude_local.management.operations import Job, Operations
from support.machine import ROOT

FAILED = Snapshot(state="failed", engine="embedded", profile="demo")
MOVED = Snapshot(state="unloaded", engine="docker", profile="demo", loaded_profile="second", slots=1)
SERVING = Journal(engine="embedded", serving="demo")


class Recorded(Operations):
    """Operations that only record the calls; a restart fails."""

    asked: list[str]

    def restart(self) -> Job:
        return self._done("restart")

    def follow(self, loaded: str) -> Job:
        return self._done(f"follow {loaded}")

    def _done(self, name: str) -> Job:
        def call(_: Job) -> None:
            raise UserError("the disk is full")

        self.asked.append(name)
        job = Job(call, name)
        job.thread.start()
        job.thread.join()
        return job


class Clock:
    """A clock that stands still until it is set."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def operations(tmp_path: Path) -> Recorded:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "_defaults.yaml").write_text("")
    for name in ("demo", "second"):
        (folder / f"{name}.yaml").write_text("title: T\ndescription: D\nmodel: {file: a.gguf}\n")
    environment = {"HOME": str(tmp_path), "CLAUDE_LOCAL_PROFILES_DIR": str(folder)}
    recorded = Recorded(load_settings(environment, ROOT, user_id=0, group_id=0))
    recorded.asked = []
    return recorded


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def automation(operations: Recorded, clock: Clock) -> Automation:
    return Automation(operations.settings, operations, clock)


def test_a_dead_engine_is_restarted_three_times(automation: Automation, operations: Recorded) -> None:
    journal.write(automation.settings, SERVING)

    for _ in range(RESTARTS + 1):
        automation.act(FAILED)

    assert (operations.asked, automation.restarts) == (["restart"] * RESTARTS, RESTARTS)


@pytest.mark.parametrize(
    ("now", "record"),
    [
        (FAILED, Journal()),
        (FAILED, replace(SERVING, attempt=Attempt("demo", "second", "starting", 1.0))),
        (replace(FAILED, work=Work("up", None, since=0.0, process_id=1)), SERVING),
        (STOPPED, SERVING),
    ],
)
def test_nothing_is_restarted_that_should_not_run_or_has_a_command_running(
    automation: Automation, operations: Recorded, now: Snapshot, record: Journal
) -> None:
    journal.write(automation.settings, record)

    automation.act(now)

    assert operations.asked == []


def test_a_failure_without_a_reason_gets_the_reason_of_the_failed_restart(automation: Automation) -> None:
    journal.write(automation.settings, SERVING)
    before = automation.explained(FAILED)
    automation.act(FAILED)

    reasons = [automation.explained(now).reason for now in (FAILED, replace(FAILED, reason="own"), STOPPED)]
    assert (before, reasons) == (FAILED, ["the disk is full", "own", None])


def test_a_model_is_followed_once_it_has_been_idle_for_two_seconds(
    automation: Automation, operations: Recorded, clock: Clock
) -> None:
    looks = [
        (0.0, 0),
        (1.0, 1),
        (1.5, 0),
        (1.5 + FOLLOW_AFTER_SECONDS - 0.1, 0),
        (1.5 + FOLLOW_AFTER_SECONDS, 0),
    ]
    followed = []
    for seconds, busy in looks:
        clock.seconds = 1000.0 + seconds
        automation.act(replace(MOVED, slots_busy=busy))
        followed.append(list(operations.asked))

    assert followed == [[], [], [], [], ["follow second"]]


@pytest.mark.parametrize(
    ("now", "has_moved"),
    [
        (MOVED, True),
        (replace(MOVED, state="ready"), False),
        (replace(MOVED, loaded_profile=None), False),
        (replace(MOVED, loaded_profile="not a profile"), False),
    ],
)
def test_has_moved_is_true_only_for_another_profile_in_memory(
    automation: Automation, now: Snapshot, has_moved: bool
) -> None:
    assert automation.has_moved(now) is has_moved

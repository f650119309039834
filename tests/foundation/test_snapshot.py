"""snapshot: whether the reported state of an engine means idle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_local.foundation.snapshot import STOPPED, Snapshot

LOADED = Snapshot(state="ready", engine="docker", profile="one", loaded_profile="one")


@pytest.mark.parametrize(
    ("now", "is_idle"),
    [
        (STOPPED, True),
        (Snapshot(state="unloaded", engine="docker", profile="one"), True),
        (replace(LOADED, slots=2, slots_busy=0, requests_waiting=0), True),
        (replace(LOADED, slots=2, slots_busy=1, requests_waiting=0), False),
        (replace(LOADED, slots=2, slots_busy=0, requests_waiting=1), False),
        (replace(LOADED, slots_busy=0), False),
    ],
    ids=["stopped", "unloaded", "idle", "answering", "request waiting", "not reported"],
)
def test_only_a_model_that_reports_no_work_is_idle(now: Snapshot, is_idle: bool) -> None:
    assert now.is_idle is is_idle

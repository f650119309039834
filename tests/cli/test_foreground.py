"""serving: what somebody is told who leaves the dashboard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_local.cli.foreground import farewell
from claude_local.foundation.snapshot import STOPPED, Snapshot, Work

READY = replace(STOPPED, state="ready")
STOPPING = replace(READY, work=Work("stop", None, since=0.0, process_id=1))


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (READY, "the model goes on. Again: invoke dashboard; stop: invoke down"),
        (replace(STOPPED, state="unloaded"), "the model goes on. Again: invoke dashboard; stop: invoke down"),
        (STOPPED, "no model runs. Start one: invoke up; again: invoke dashboard"),
        (
            replace(STOPPED, state="failed"),
            "the model has failed. See: invoke status; take it away: invoke down",
        ),
        (STOPPING, "`stop` goes on. See: invoke status; again: invoke dashboard"),
    ],
)
def test_who_leaves_is_told_what_is_true_then(now: Snapshot, told: str) -> None:
    assert farewell(now) == told

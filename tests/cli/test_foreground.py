"""foreground: the line that is printed when a person leaves the dashboard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_local.cli.foreground import farewell
from claude_local.foundation.snapshot import STOPPED, Snapshot, Work

READY = replace(STOPPED, state="ready")
STOPPING = replace(READY, work=Work("stop", None, since=0.0, process_id=1))


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (READY, "the model keeps running. Dashboard: invoke dashboard; stop: invoke down"),
        (
            replace(STOPPED, state="unloaded"),
            "the model keeps running. Dashboard: invoke dashboard; stop: invoke down",
        ),
        (STOPPED, "no model is running. Start one: invoke up; dashboard: invoke dashboard"),
        (
            replace(STOPPED, state="failed"),
            "the model has failed. Reason: invoke status; clean up: invoke down",
        ),
        (STOPPING, "`stop` continues. Status: invoke status; dashboard: invoke dashboard"),
    ],
)
def test_leaving_the_dashboard_prints_what_keeps_running(now: Snapshot, line: str) -> None:
    assert farewell(now) == line

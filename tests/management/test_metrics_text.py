"""metrics_text: exact values in the text format of Prometheus."""

from __future__ import annotations

from claude_local.foundation.snapshot import Snapshot
from claude_local.management.metrics_text import metrics_text


def test_large_numbers_keep_all_digits() -> None:
    now = Snapshot(state="ready", uptime_seconds=1234567.8, context_tokens_per_slot=1_048_576)

    lines = metrics_text(now, {"restarts_total": 12_345_678}).splitlines()

    assert [line for line in lines if "state" not in line] == [
        "# TYPE claude_local_context_tokens_per_slot gauge",
        "claude_local_context_tokens_per_slot 1048576",
        "# TYPE claude_local_uptime_seconds gauge",
        "claude_local_uptime_seconds 1234567.8",
        "# TYPE claude_local_restarts_total counter",
        "claude_local_restarts_total 12345678",
    ]


def test_unknown_values_are_left_out_and_labels_are_quoted() -> None:
    lines = metrics_text(Snapshot(state="ready", profile='a "b"', engine="docker"), {}).splitlines()

    assert lines == [
        "# TYPE claude_local_state gauge",
        *(
            f'claude_local_state{{state="{state}"}} {int(state == "ready")}'
            for state in ("stopped", "starting", "loading", "ready", "unloaded", "failed")
        ),
        "# TYPE claude_local_active gauge",
        'claude_local_active{profile="a \\"b\\"",engine="docker"} 1',
    ]

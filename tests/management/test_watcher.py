"""watcher: how often it looks, and which look is recent enough."""

from __future__ import annotations

import pytest

from claude_local.foundation.snapshot import STOPPED, Snapshot, Work
from claude_local.management.watcher import (
    AT_WORK_SECONDS,
    INTEREST_SECONDS,
    UNWATCHED_SECONDS,
    WATCHED_SECONDS,
    Freshness,
    pause_seconds,
)

LOADING = Snapshot(state="loading")
AT_WORK = Snapshot(state="ready", work=Work("switch", "waiting", since=0.0, process_id=1))


@pytest.mark.parametrize(
    ("now", "watched", "unwatched"),
    [
        (STOPPED, WATCHED_SECONDS, UNWATCHED_SECONDS),
        (Snapshot(state="ready"), WATCHED_SECONDS, UNWATCHED_SECONDS),
        (LOADING, AT_WORK_SECONDS, WATCHED_SECONDS),
        (Snapshot(state="starting"), AT_WORK_SECONDS, WATCHED_SECONDS),
        (AT_WORK, AT_WORK_SECONDS, WATCHED_SECONDS),
    ],
)
def test_it_looks_more_often_with_a_client_and_while_a_command_runs(
    now: Snapshot, watched: float, unwatched: float
) -> None:
    assert (pause_seconds(now, is_watched=True), pause_seconds(now, is_watched=False)) == (watched, unwatched)


def test_a_request_counts_as_interest_for_a_while() -> None:
    freshness = Freshness()
    before = freshness.is_asked(100.0)
    freshness.asked_at = 100.0

    assert before is False
    assert [freshness.is_asked(100.0 + s) for s in (0.0, INTEREST_SECONDS - 0.1, INTEREST_SECONDS)] == [
        True,
        True,
        False,
    ]


def test_a_look_answers_requests_for_two_seconds_but_not_after_a_change() -> None:
    freshness = Freshness()
    unchanged = freshness.oldest(100.0)
    freshness.changed_at = 99.5

    assert (unchanged, freshness.oldest(100.0)) == (98.0, 99.5)

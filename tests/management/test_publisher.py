"""publisher: the events for one look; no line of the log is lost or repeated."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from claude_local.foundation.snapshot import STOPPED, LastSwitch, Snapshot, Work
from claude_local.management.events import Subscriber
from claude_local.management.publisher import LOG_LINES, Publisher, events_of

READY = Snapshot(state="ready", engine="docker", profile="demo", loaded_profile="demo")


@pytest.mark.parametrize(
    "now",
    [
        STOPPED,
        replace(READY, profile="other"),
        replace(READY, loaded_profile="other"),
        replace(READY, reason="a reason"),
        replace(READY, work=Work("switch", "waiting", since=0.0, process_id=1)),
        replace(READY, last_switch=LastSwitch(None, "demo", 1.0, "switched", ended_at=2.0)),
    ],
)
def test_a_relevant_change_makes_a_state_event(now: Snapshot) -> None:
    assert [name for name, _ in events_of(READY, now, "")] == ["state"]


@pytest.mark.parametrize("now", [READY, replace(READY, uptime_seconds=2.0), replace(READY, slots_busy=1)])
def test_a_change_of_figures_makes_a_sample_event(now: Snapshot) -> None:
    assert events_of(READY, now, "") == [("sample", now.to_dict())]


def test_a_loading_model_makes_a_progress_event_with_the_last_line() -> None:
    loading = replace(READY, state="loading", load_fraction=0.5)

    _, progress = events_of(loading, loading, "load_tensors: 7")

    assert progress == ("progress", {"profile": "demo", "fraction": 0.5, "line": "load_tensors: 7"})


def heard(subscriber: Subscriber | None) -> list[tuple[str, object]]:
    """Names of events, and the lines of those that carry lines."""
    assert subscriber
    text = b"".join(subscriber).decode()
    events = [event.split("\ndata: ") for event in text.split("\n\n") if event.startswith("event: ")]
    return [(name.removeprefix("event: "), json.loads(data).get("lines")) for name, data in events]


def test_a_listener_first_gets_the_state_and_the_log_so_far() -> None:
    publisher = Publisher()
    publisher.publish_log(["one", "two"])
    publisher.publish_log([])

    subscriber = publisher.listen(READY)
    publisher.publish_log(["three"])
    publisher.publish(READY, READY, "three")
    publisher.events.close()

    assert heard(subscriber) == [
        ("state", None),
        ("log_tail", ["one", "two"]),
        ("log", ["three"]),
        ("sample", None),
    ]


def test_only_the_end_of_the_log_is_kept() -> None:
    publisher = Publisher()
    publisher.publish_log([str(number) for number in range(LOG_LINES + 1)])

    subscriber = publisher.listen(READY)
    publisher.events.close()

    _, (_, lines) = heard(subscriber)
    assert lines == [str(number) for number in range(1, LOG_LINES + 1)]

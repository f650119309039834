"""events, log_tail, patience: listeners get the newest events; new lines of a log; three restarts in five minutes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_local.management.automation_limits import WINDOW_SECONDS, RestartLimit
from claude_local.management.events import HEARTBEAT, LISTENERS, WAITING_EVENTS, Events
from claude_local.server.log_tail import new_lines


def test_every_listener_gets_all_events_in_order() -> None:
    events = Events()
    listeners = [events.listen() for _ in range(2)]

    events.publish("state", {"n": 1})
    events.publish("log", {"n": 2})
    events.close()

    expected = [HEARTBEAT, b'event: state\ndata: {"n": 1}\n\n', b'event: log\ndata: {"n": 2}\n\n']
    assert [list(listener) for listener in listeners if listener] == [expected, expected]
    assert len(events) == 0


def test_a_slow_reader_loses_the_oldest_events_and_never_the_newest() -> None:
    events = Events()
    listener = events.listen()
    assert listener

    for number in range(WAITING_EVENTS + 10):
        events.publish("sample", number)
    heard = iter(listener)
    assert next(heard) == HEARTBEAT
    first = next(heard)
    rest = [next(heard) for _ in range(WAITING_EVENTS - 1)]

    assert first == b"event: sample\ndata: 10\n\n"
    assert rest[-1] == f"event: sample\ndata: {WAITING_EVENTS + 9}\n\n".encode()


def test_the_number_of_listeners_is_limited_and_a_leaving_one_makes_room() -> None:
    events = Events()
    listeners = [events.listen() for _ in range(LISTENERS)]
    too_many = events.listen()

    assert listeners[0]
    events.leave(listeners[0])

    assert too_many is None
    assert events.listen() is not None


LINES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=12)


@given(log=LINES, added=LINES, tail=st.integers(1, 12))
def test_new_lines_follow_the_known_ones(log: list[str], added: list[str], tail: int) -> None:
    before, now = log[-tail:], (log + added)[-tail:]

    new = new_lines(before, now)

    # Equal lines cannot be distinguished, so fewer may count as new, never more.
    assert now[len(now) - len(new) :] == new
    assert len(new) <= min(len(added), tail) or not before


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ([], ["a"], ["a"]),
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], ["b", "c"], ["c"]),
        (["a", "b"], ["x", "y"], ["x", "y"]),
        (["a"], [], []),
    ],
)
def test_new_lines_of_a_log(before: list[str], now: list[str], new: list[str]) -> None:
    assert new_lines(before, now) == new


def test_three_restarts_are_allowed_in_five_minutes_and_more_later() -> None:
    limit = RestartLimit()

    allowed = [limit.allows(at) for at in (0.0, 1.0, 2.0, 3.0, WINDOW_SECONDS, WINDOW_SECONDS + 0.5)]

    assert allowed == [True, True, True, False, True, False]

"""The events for the listeners of `GET /events`: states, samples, progress and lines of the log."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from claude_local.foundation.snapshot import Snapshot
from claude_local.management.events import Events, Subscriber, encoded

LOG_LINES = 500


class Publisher:
    """Sends the events and keeps the end of the log for new listeners."""

    def __init__(self) -> None:
        self.events = Events()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._log_lock = threading.Lock()

    def listen(self, now: Snapshot) -> Subscriber | None:
        """A new listener, starting with the state and the log so far; None if there are too many."""
        state = encoded("state", now.to_dict())
        with self._log_lock:  # no line may be lost between the log so far and the first event
            return self.events.listen(state + encoded("log_tail", {"lines": list(self._log)}))

    def publish_log(self, new: list[str]) -> None:
        """Sends new lines of the log."""
        if not new:
            return
        with self._log_lock:
            self._log.extend(new)
            self.events.publish("log", {"lines": new})

    def publish(self, before: Snapshot, now: Snapshot, last_line: str) -> None:
        """Sends a snapshot; `last_line` of the log is part of a loading model's progress."""
        if len(self.events):
            for name, data in events_of(before, now, last_line):
                self.events.publish(name, data)


def events_of(before: Snapshot, now: Snapshot, last_line: str) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of the events for one snapshot."""
    events = [("sample" if _essence(before) == _essence(now) else "state", now.to_dict())]
    if now.state == "loading":
        progress = {"profile": now.profile, "fraction": now.load_fraction, "line": last_line}
        events.append(("progress", progress))
    return events


def _essence(now: Snapshot) -> tuple[object, ...]:
    """The part of a snapshot whose change is a new state, not only a new sample."""
    phase = now.work.phase if now.work else None
    return (now.state, now.engine, now.profile, now.loaded_profile, now.reason, phase, now.last_switch)

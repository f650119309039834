"""What the listeners of `GET /events` are sent: states, samples, progress and the lines of the log."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from claude_local.foundation.snapshot import Snapshot
from claude_local.management.events import Events, Subscriber, encoded

LOG_LINES = 500


class Teller:
    """Keeps the end of the log for those who come later."""

    def __init__(self) -> None:
        self.events = Events()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._log_lock = threading.Lock()

    def listen(self, now: Snapshot) -> Subscriber | None:
        """A new listener. It begins with the state and the log so far. None if there are too many."""
        state = encoded("state", now.to_dict())
        with self._log_lock:  # no line may come between the log so far and the first event
            return self.events.listen(state + encoded("log_tail", {"lines": list(self._log)}))

    def tell_log(self, new: list[str]) -> None:
        """New lines of the log."""
        if not new:
            return
        with self._log_lock:
            self._log.extend(new)
            self.events.tell("log", {"lines": new})

    def tell(self, before: Snapshot, now: Snapshot, last_line: str) -> None:
        """A look; `last_line` of the log goes with the progress of a loading model."""
        if len(self.events):
            for name, data in events_of(before, now, last_line):
                self.events.tell(name, data)


def events_of(before: Snapshot, now: Snapshot, last_line: str) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of the events of one look."""
    events = [("sample" if _essence(before) == _essence(now) else "state", now.to_dict())]
    if now.state == "loading":
        progress = {"profile": now.profile, "fraction": now.load_fraction, "line": last_line}
        events.append(("progress", progress))
    return events


def _essence(now: Snapshot) -> tuple[object, ...]:
    """What makes a snapshot another state rather than another sample."""
    phase = now.work.phase if now.work else None
    return (now.state, now.engine, now.profile, now.loaded_profile, now.reason, phase, now.last_switch)

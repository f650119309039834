"""A thread that observes the engine: often while a client reads the state, rarely and cheaply otherwise.

It relies only on the engine's current answers, so it notices the effects of other commands.
"""

from __future__ import annotations

import json
import threading
import time

from claude_local.foundation.snapshot import STOPPED, Snapshot
from claude_local.lifecycle import status
from claude_local.machine.settings import Settings
from claude_local.management.automation import Automation
from claude_local.management.publisher import Publisher
from claude_local.management.thread_errors import BugLog, cause_of

UNWATCHED_SECONDS = 2.0
WATCHED_SECONDS = 1.0
AT_WORK_SECONDS = 0.25
"""Time between two looks: without a client, with a client, and with a client while a model loads."""
INTEREST_SECONDS = 5.0
"""How long a client counts as present after a request."""
LOOK_SECONDS = 10.0
"""The longest that a request waits for a look: Docker may be slow to answer."""
NEVER = float("-inf")


class Freshness:
    """Whether the last look is recent enough. Times are in seconds of one clock."""

    def __init__(self) -> None:
        self.asked_at = NEVER
        self.changed_at = NEVER
        self.seen_at = NEVER
        """The start of the last full look. A pulse does not count."""

    def is_asked(self, now: float) -> bool:
        return now - self.asked_at < INTEREST_SECONDS

    def oldest(self, now: float) -> float:
        """The earliest start of a look that can answer a request now."""
        return max(now - 2 * WATCHED_SECONDS, self.changed_at)


def pause_seconds(now: Snapshot, *, is_watched: bool) -> float:
    """The time until the next look."""
    if now.work or now.state in ("loading", "starting"):
        return AT_WORK_SECONDS if is_watched else WATCHED_SECONDS
    return WATCHED_SECONDS if is_watched else UNWATCHED_SECONDS


class Watcher:
    """Keeps the last snapshot and passes each one to the publisher and the automation."""

    def __init__(self, settings: Settings, publisher: Publisher, automation: Automation) -> None:
        self.settings = settings
        self._publisher = publisher
        self._automation = automation
        self._readers = status.Readers()
        self._bugs = BugLog()
        self._snapshot, self._json = STOPPED, b""
        self._freshness = Freshness()
        self._looked = threading.Condition()
        self._wake = threading.Event()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread. Waits at most five seconds for a look that hangs."""
        self._is_stopped = True
        self._wake.set()
        self._thread.join(5)

    def status(self) -> Snapshot:
        """The last snapshot, at most two seconds old."""
        self._be_fresh()
        return self._snapshot

    def status_json(self) -> bytes:
        """The last snapshot as JSON."""
        self._be_fresh()
        return self._json

    def wake(self) -> None:
        """Starts a look immediately."""
        self._wake.set()

    def look_again(self) -> None:
        """Invalidates earlier looks after a change."""
        self._freshness.changed_at = time.monotonic()
        self._wake.set()

    def look_once(self) -> None:
        """One look, and the actions that follow from it. Raises the error of a failed look, without any action."""
        before, began_at, is_watched = self._snapshot, time.monotonic(), self._is_watched()
        try:
            now = self._automation.explained(self._see(is_watched))
        except Exception as error:
            now = Snapshot(state="failed", reason=cause_of(error))
            self._keep(now, began_at if is_watched else NEVER)
            self._publisher.publish(before, now, self._readers.log.last_line)
            raise
        self._publisher.publish_log(self._readers.log.take_new())
        self._keep(now, began_at if is_watched else NEVER)
        self._publisher.publish(before, now, self._readers.log.last_line)
        self._automation.act(now)

    def _run(self) -> None:
        while not self._is_stopped:
            self._wake.clear()
            try:
                self.look_once()
            except Exception as error:  # whatever went wrong, the loop continues
                self._bugs.note(error)
            self._wake.wait(pause_seconds(self._snapshot, is_watched=self._is_watched()))

    def _see(self, is_watched: bool) -> Snapshot:
        """A full snapshot only if a client reads it or a decision needs it; otherwise a pulse."""
        if is_watched:
            return status.snapshot(self.settings, self._readers)
        now = status.pulse(self.settings)
        return status.snapshot(self.settings, self._readers) if self._automation.has_moved(now) else now

    def _keep(self, now: Snapshot, seen_at: float) -> None:
        encoded = json.dumps(now.to_dict()).encode()
        with self._looked:
            self._snapshot, self._json, self._freshness.seen_at = now, encoded, seen_at
            self._looked.notify_all()

    def _be_fresh(self) -> None:
        self._freshness.asked_at = now = time.monotonic()
        oldest = self._freshness.oldest(now)
        if self._freshness.seen_at < oldest:
            with self._looked:
                self._wake.set()
                self._looked.wait_for(lambda: self._freshness.seen_at >= oldest, timeout=LOOK_SECONDS)

    def _is_watched(self) -> bool:
        return bool(len(self._publisher.events)) or self._freshness.is_asked(time.monotonic())

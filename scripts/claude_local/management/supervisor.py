"""One thread that looks at the engine, tells what it sees, and starts again what died.

It believes nothing but what the engine says at each look, so that whatever is done from elsewhere is seen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import threading
import time
import traceback
from collections import deque

from claude_local.foundation.errors import ProfileError, UserError
from claude_local.foundation.plain_text import harmless
from claude_local.foundation.snapshot import STOPPED, Snapshot
from claude_local.lifecycle import journal, up_down
from claude_local.machine.gpus import GpuReader
from claude_local.machine.sensors import SystemReader
from claude_local.machine.settings import Settings
from claude_local.management.events import Events, Listener, encoded
from claude_local.management.operations import Job, Operations
from claude_local.management.restarts import RestartLimit
from claude_local.server.log_tail import new_lines
from claude_local.server.turns import TurnReader

UNWATCHED_SECONDS = 2.0
WATCHED_SECONDS = 1.0
AT_WORK_SECONDS = 0.25
"""How often the engine is looked at: when nobody asks, when somebody does, while a model loads."""
INTEREST_SECONDS = 5.0
"""How long somebody who asked once counts as watching."""
LOOK_SECONDS = 10.0
"""How long somebody waits for a look at most: Docker may be slow to answer."""
FOLLOW_AFTER_SECONDS = 2.0
LOG_LINES = 500
OWN_QUESTIONS = "proxying request to model"
"""The router writes this for each of our looks, three a second: nobody could read the log for it."""


class Supervisor:
    """Looks, tells and restarts until it is stopped."""

    def __init__(self, settings: Settings, operations: Operations) -> None:
        self.settings = settings
        self.operations = operations
        self.events = Events()
        self.restarts = 0
        """Since this process began."""
        self._snapshot = STOPPED
        self._json = b""
        self._taken_at = 0.0
        """When the last snapshot was taken that somebody may see; a pulse is for nobody's eyes."""
        self._asked_at = 0.0
        self._changed_at = 0.0
        self._limit = RestartLimit()
        self._job: Job | None = None
        self._idle_since: float | None = None
        self._last_bug = ("", "")
        self._lines: list[str] = []
        self._told_lines: deque[str] = deque(maxlen=LOG_LINES)
        self._log_lock = threading.Lock()
        self._turns = TurnReader()
        self._gpus, self._system = GpuReader(), SystemReader()
        self._look_now = threading.Event()
        self._looked = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._look_now.set()
        self.events.close()
        self._thread.join(5)

    def status_json(self) -> bytes:
        """The last snapshot as JSON, at most a second old."""
        self._be_fresh()
        return self._json

    def status(self) -> Snapshot:
        """The last snapshot, at most a second old."""
        self._be_fresh()
        return self._snapshot

    def listen(self) -> Listener | None:
        """A new listener, who hears first what is true now; None if there are too many."""
        state = encoded("state", self.status().to_dict())
        with self._log_lock:  # between these two no line may come
            listener = self.events.listen(state + encoded("log_tail", {"lines": list(self._told_lines)}))
        self._look_now.set()
        return listener

    def look_now(self) -> None:
        """Something has changed: what was seen before counts no more."""
        self._changed_at = time.monotonic()
        self._look_now.set()

    def _be_fresh(self) -> None:
        self._asked_at = now = time.monotonic()
        oldest = max(now - 2 * WATCHED_SECONDS, self._changed_at)
        if self._taken_at < oldest:
            with self._looked:
                self._look_now.set()
                self._looked.wait_for(lambda: self._taken_at >= oldest, timeout=LOOK_SECONDS)

    def _run(self) -> None:
        while not self._stopped:
            self._look_now.clear()
            try:
                self._look()
            except Exception as error:  # whatever is wrong, the next look comes
                self._log(error)
            self._look_now.wait(self._pause())

    def _pause(self) -> float:
        if self._snapshot.work or self._snapshot.state in ("loading", "starting"):
            return AT_WORK_SECONDS if self._is_watched() else WATCHED_SECONDS
        return WATCHED_SECONDS if self._is_watched() else UNWATCHED_SECONDS

    def _is_watched(self) -> bool:
        return bool(len(self.events)) or time.monotonic() - self._asked_at < INTEREST_SECONDS

    def _look(self) -> None:
        before, began_at = self._snapshot, time.monotonic()
        is_watched = self._is_watched()
        try:
            now = self._see_all() if is_watched else self._see_what_matters()
        except Exception as error:  # nothing is known then, and nothing is done
            now = Snapshot(state="failed", reason=_told(error))
            self._keep(now, began_at if is_watched else 0.0)
            self._tell(before, now)
            raise
        key_file = self.settings.client_key_file
        now = dataclasses.replace(
            now,
            turns=self._turns.turns,
            reason=self._reason(now),
            api_key_file=str(key_file) if key_file else None,
            command=str(self.settings.build_dir / "bin" / "claude-local"),
        )
        self._keep(now, began_at if is_watched else 0.0)
        self._tell(before, now)
        self._act(now)

    def _log(self, error: Exception) -> None:
        """Writes a bug into the log, once as long as it stays the same."""
        *way_there, place, text = traceback.format_exception(error)
        if not isinstance(error, UserError) and self._last_bug != (place, text):
            self._last_bug = (place, text)
            sys.stderr.write("".join([*way_there, place, text]))

    def _see_all(self) -> Snapshot:
        now = up_down.snapshot(self.settings)
        self._read_log()
        return dataclasses.replace(
            now, cards=self._gpus.read(), system=self._system.read(now.server_process_id)
        )

    def _see_what_matters(self) -> Snapshot:
        """As much as decides what to do next: whether the model is idle, only where that matters."""
        now = up_down.pulse(self.settings)
        return up_down.snapshot(self.settings) if self._has_moved(now) else now

    def _keep(self, now: Snapshot, taken_at: float) -> None:
        encoded = json.dumps(now.to_dict()).encode()
        with self._looked:
            self._snapshot, self._json, self._taken_at = now, encoded, taken_at
            self._looked.notify_all()

    # ---- Telling

    def _tell(self, before: Snapshot, now: Snapshot) -> None:
        if not len(self.events):
            return
        self.events.tell("state" if _essence(before) != _essence(now) else "sample", now.to_dict())
        if now.state == "loading":
            progress = {
                "profile": now.profile,
                "fraction": now.load_fraction,
                "line": (self._lines or [""])[-1],
            }
            self.events.tell("progress", progress)

    def _read_log(self) -> None:
        with contextlib.suppress(UserError):
            engine = up_down.log_engine(self.settings)
            lines = [harmless(line) for line in engine.log_lines(tail=LOG_LINES, follow=False)]
            new = [line for line in new_lines(self._lines, lines) if OWN_QUESTIONS not in line]
            self._lines = lines
            for line in new:
                self._turns.feed(line)
            with self._log_lock:
                self._told_lines.extend(new)
                if new:
                    self.events.tell("log", {"lines": new})

    # ---- Acting

    def _act(self, now: Snapshot) -> None:
        if now.work or (self._job and self._job.thread.is_alive()):
            return
        if now.state == "failed" and self._may_restart():
            self.restarts += 1
            self._job = self.operations.restart()
        elif loaded := self._to_follow(now):
            self._job = self.operations.follow(loaded)

    def _may_restart(self) -> bool:
        record = journal.read(self.settings)
        if record.attempt or not record.serving or not up_down.can_restart(self.settings):
            return False
        return self._limit.allows(time.monotonic())

    def _reason(self, now: Snapshot) -> str | None:
        if now.state != "failed" or not self._job or self._job.thread.is_alive() or not self._job.error:
            return now.reason
        return now.reason or _told(self._job.error)

    def _to_follow(self, now: Snapshot) -> str | None:
        """The profile that somebody loaded by its own name, once it has been idle for a while.

        `local-llama` goes there then: whoever asks for it, such as a subagent, no longer swaps models.
        """
        if not (self._has_moved(now) and now.is_idle):
            self._idle_since = None
            return None
        self._idle_since = self._idle_since or time.monotonic()
        if time.monotonic() - self._idle_since < FOLLOW_AFTER_SECONDS:
            return None
        self._idle_since = None
        return now.loaded_profile

    def _has_moved(self, now: Snapshot) -> bool:
        if now.state != "unloaded":
            return False
        with contextlib.suppress(ProfileError):  # says nothing of what serves; who switches is told
            return now.loaded_profile in self.operations.profiles()
        return False


def _told(error: BaseException) -> str:
    return error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"


def _essence(now: Snapshot) -> tuple[object, ...]:
    """What makes a snapshot another state rather than another sample."""
    phase = now.work.phase if now.work else None
    return (now.state, now.engine, now.profile, now.loaded_profile, now.reason, phase, now.last_switch)

"""Collects the events of the management API and sends requests to it, each in its own thread."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from claude_local.dashboard.api_client import ApiClient, NoAnswer
from claude_local.dashboard.scene import History, LogTail, Scene
from claude_local.dashboard.view_state import Stop, Switch
from claude_local.foundation.errors import UserError
from claude_local.foundation.plain_text import harmless
from claude_local.foundation.snapshot import STOPPED, ModelEntry, ModelList, Snapshot

LOG_LINES_KEPT = 5000
HISTORY_SECONDS = 900
RETRY_SECONDS = 1.0
SAMPLE_SECONDS = 0.9
"""Samples arrive once a second, and more often while a model loads; the history keeps one a second."""

_snapshots = TypeAdapter(Snapshot)
_models = TypeAdapter(ModelList)


def snapshot_of(data: Any) -> Snapshot:
    """The snapshot in an answer. Raises NoAnswer if the answer has none."""
    try:
        return _snapshots.validate_python(data)
    except ValidationError:
        raise NoAnswer("the management API has another version", hint="invoke down, then invoke up") from None


def models_of(data: Any) -> tuple[ModelEntry, ...]:
    """The models in an answer of `/models`, downloaded ones first. Raises NoAnswer if the answer has none."""
    try:
        models = _models.validate_python(data).models
        return tuple(sorted(models, key=lambda model: not model.on_disk))
    except ValidationError:
        raise NoAnswer("the management API has another version", hint="invoke down, then invoke up") from None


class Feed:
    """The known state, kept up to date. `changed` is called from another thread after every change."""

    def __init__(self, client: ApiClient, changed: Callable[[], None]) -> None:
        self._client = client
        self._changed = changed
        self._lock = threading.Lock()
        self._now = STOPPED
        self._models: tuple[ModelEntry, ...] = ()
        self._log: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self._log_end = 0
        self._gpu_history: dict[int, deque[float | None]] = {}
        self._speed_history: deque[float | None] = deque(maxlen=HISTORY_SECONDS)
        self._sampled_at = 0.0
        self._trouble = ""
        self._notice = ""
        self._actions: queue.SimpleQueue[Switch | Stop] = queue.SimpleQueue()
        self._bug: BaseException | None = None

    def start(self) -> None:
        """Starts both threads; they end with the process."""
        for work in (self._listen, self._fulfil):
            threading.Thread(target=self._guarded, args=(work,), daemon=True).start()

    def scene(self, now: float) -> Scene:
        """The known state, to be drawn at `now` (seconds since 1970). Raises the exception that ended a thread."""
        if self._bug:
            raise self._bug
        with self._lock:
            lines = tuple(self._log)
            history = History(
                {position: tuple(values) for position, values in self._gpu_history.items()},
                tuple(self._speed_history),
            )
            log = LogTail(self._log_end - len(lines), lines)
            return Scene(self._now, log, self._models, history, now, self._trouble, self._notice)

    def ask(self, action: Switch | Stop) -> None:
        """Sends a request to the server; a refusal becomes a notice."""
        self.forget_notice()
        self._actions.put(action)

    def forget_notice(self) -> None:
        with self._lock:
            self._notice = ""

    def take(self, name: str, data: Any) -> None:
        """Takes one event of the server."""
        if name in ("state", "sample"):
            self._take_snapshot(snapshot_of(data))
        elif name == "log_tail":
            with self._lock:
                self._log.clear()
            self._take_lines(data["lines"])
        elif name == "log":
            self._take_lines(data["lines"])

    def _take_snapshot(self, now: Snapshot) -> None:
        with self._lock:
            self._now, self._trouble = now, ""
            if time.monotonic() - self._sampled_at >= SAMPLE_SECONDS:
                self._sampled_at = time.monotonic()
                self._remember(now)

    def _remember(self, now: Snapshot) -> None:
        for position, gpu in enumerate(now.cards.gpus if now.cards else ()):
            values = self._gpu_history.setdefault(position, deque(maxlen=HISTORY_SECONDS))
            values.append(gpu.utilization_percent)
        last = now.turns[-1].generation_tokens_per_second if now.turns else None
        self._speed_history.append(now.generation_tokens_per_second or (last if now.slots_busy else None))

    def _take_lines(self, lines: list[str]) -> None:
        shown = [harmless(line) for line in lines]
        with self._lock:
            self._log.extend(shown)
            self._log_end += len(shown)

    def _listen(self) -> None:
        while True:
            try:
                for name, data in self._client.events():
                    if name:
                        self.take(name, data)
                        self._changed()
                    if name == "state":
                        self._take_models()
                raise NoAnswer(f"the management API on {self._client.address} has ended")
            except UserError as error:
                with self._lock:
                    self._trouble = f"trying again: {error.message}"
                self._changed()
                time.sleep(RETRY_SECONDS)

    def _take_models(self) -> None:
        models = models_of(self._client.get("/models"))
        with self._lock:
            self._models = models
        self._changed()

    def _fulfil(self) -> None:
        while True:
            action = self._actions.get()
            try:
                self._do(action)
            except UserError as error:
                lines = [error.message, *(f"hint: {line}" for line in error.hint.splitlines())]
                with self._lock:
                    self._notice = "\n".join(map(harmless, lines))
            self._changed()

    def _do(self, action: Switch | Stop) -> None:
        if isinstance(action, Stop):
            self._client.post("/stop", {})
            return
        now = snapshot_of(self._client.get("/status"))
        path = "/start" if now.state in ("stopped", "failed") else "/switch"
        self._client.post(path, {"model": action.profile, "wait": False})

    def _guarded(self, work: Callable[[], None]) -> None:
        """A bug in a thread must be shown; it must not end the thread silently."""
        try:
            work()
        except BaseException as error:
            self._bug = error
            self._changed()

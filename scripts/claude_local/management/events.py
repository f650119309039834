"""Sends events to every listener. A slow reader loses the oldest events, never the newest."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

LISTENERS = 16
WAITING_EVENTS = 256
HEARTBEAT_SECONDS = 10.0

HEARTBEAT = b": still here\n\n"


def encoded(name: str, data: Any) -> bytes:
    """One event in the format of server-sent events."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


class Events:
    """The listeners of `GET /events`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Subscriber] = set()
        self._is_closed = False

    def listen(self, greeting: bytes | None = None) -> Subscriber | None:
        """A new listener that receives the greeting first; None if there are too many."""
        with self._lock:
            if len(self._listeners) >= LISTENERS or self._is_closed:
                return None
            listener = Subscriber(self)
            if greeting:
                listener.put(greeting)
            self._listeners.add(listener)
            return listener

    def publish(self, name: str, data: Any) -> None:
        """Sends an event to every listener. Never waits for one."""
        with self._lock:
            listeners = tuple(self._listeners)
        if listeners:
            message = encoded(name, data)
            for listener in listeners:
                listener.put(message)

    def leave(self, listener: Subscriber) -> None:
        with self._lock:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Ends the stream of every listener."""
        with self._lock:
            self._is_closed = True
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.put(None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._listeners)


class Subscriber:
    """The events of one listener, as bytes to send."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._ready = threading.Condition()
        self._waiting: deque[bytes | None] = deque(maxlen=WAITING_EVENTS)

    def put(self, message: bytes | None) -> None:
        with self._ready:
            self._waiting.append(message)
            self._ready.notify()

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield HEARTBEAT
            while True:
                with self._ready:
                    if not self._waiting:
                        self._ready.wait(HEARTBEAT_SECONDS)
                    message = self._waiting.popleft() if self._waiting else HEARTBEAT
                if message is None:
                    return
                yield message
        finally:
            self._events.leave(self)

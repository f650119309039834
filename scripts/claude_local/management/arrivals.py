"""Requests on their way: a connection gets a thread when its request is here as a whole, and not before.

So a client that sends one byte a second holds up nobody, however many there are of it.
"""

from __future__ import annotations

import re
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from claude_local.management.guard import BODY_LIMIT_BYTES

HEADER_LIMIT_BYTES = 16_384
ARRIVAL_SECONDS = 10.0
"""How long a request may take to arrive, head and body together."""
ARRIVALS = 32
"""When more than this arrive at a time, those that take longer than `CROWDED_SECONDS` are ended."""
CROWDED_SECONDS = 0.5
CHECK_SECONDS = 0.02

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Handlers:
    """What becomes of a connection."""

    whole: Callable[[Any], None]
    """Its request is here, or will never be: it has hung up."""
    late: Callable[[Any], None]


class Arrivals:
    """Connections whose request has begun and is not whole yet."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._lock = threading.Lock()
        self._since: dict[Any, float] = {}

    def begin(self, connection: Any) -> None:
        with self._lock:
            self._since[connection] = time.monotonic()

    def check(self) -> None:
        """Hands on what has arrived, and what takes too long."""
        with self._lock:
            waiting = dict(self._since)
        limit = ARRIVAL_SECONDS if len(waiting) <= ARRIVALS else CROWDED_SECONDS
        before = time.monotonic() - limit
        for connection, since in waiting.items():
            if is_whole(peek(connection.socket)) or has_hung_up(connection.socket):
                self._end(connection, self._handlers.whole)
            elif since < before:
                self._end(connection, self._handlers.late)

    def _end(self, connection: Any, handler: Callable[[Any], None]) -> None:
        with self._lock:
            del self._since[connection]
        handler(connection)


def peek(connection: socket.socket) -> bytes:
    """What has arrived and was not read; it stays there. Never waits."""
    if not _polled(connection, select.POLLIN):  # a socket with a timeout would wait in spite of MSG_DONTWAIT
        return b""
    try:
        return connection.recv(HEADER_LIMIT_BYTES + BODY_LIMIT_BYTES, socket.MSG_PEEK)
    except OSError:
        return b""


def has_hung_up(connection: socket.socket) -> bool:
    """Whether the other side will send no more."""
    return bool(_polled(connection, select.POLLRDHUP))


def _polled(connection: socket.socket, events: int) -> int:
    poll = select.poll()
    try:
        poll.register(connection, events)
    except ValueError:  # closed on our side
        return select.POLLRDHUP
    return next((event for _, event in poll.poll(0)), 0)


def is_whole(data: bytes) -> bool:
    """Whether `data` holds a request to its end, or so much of it that it will be refused anyway."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return len(data) >= HEADER_LIMIT_BYTES or b"\n\n" in data
    length = LENGTH.search(head + b"\r\n")
    expected = int(length[1]) if length else 0
    return len(body) >= expected or expected > BODY_LIMIT_BYTES or len(head) >= HEADER_LIMIT_BYTES

"""Incoming requests: a connection gets a thread only after its whole request has arrived.

So any number of clients that send one byte a second block no other client.
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
"""If more than this arrive at the same time, those that take longer than `CROWDED_SECONDS` are closed."""
CROWDED_SECONDS = 0.5
CHECK_SECONDS = 0.02

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Handlers:
    """The callbacks for a connection."""

    whole: Callable[[Any], None]
    """Called when its request has arrived completely, or the client has hung up."""
    late: Callable[[Any], None]


class Arrivals:
    """Connections whose request has arrived only in part."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._lock = threading.Lock()
        self._since: dict[Any, float] = {}

    def begin(self, connection: Any) -> None:
        with self._lock:
            self._since[connection] = time.monotonic()

    def check(self) -> None:
        """Passes on the requests that are complete, and those that take too long."""
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
    """The received but unread data, without consuming it. Never blocks."""
    if not _polled(connection, select.POLLIN):  # a socket with a timeout would block despite MSG_DONTWAIT
        return b""
    try:
        return connection.recv(HEADER_LIMIT_BYTES + BODY_LIMIT_BYTES, socket.MSG_PEEK)
    except OSError:
        return b""


def has_hung_up(connection: socket.socket) -> bool:
    """Whether the other side has closed its end."""
    return bool(_polled(connection, select.POLLRDHUP))


def _polled(connection: socket.socket, events: int) -> int:
    poll = select.poll()
    try:
        poll.register(connection, events)
    except ValueError:  # closed on our side
        return select.POLLRDHUP
    return next((event for _, event in poll.poll(0)), 0)


def is_whole(data: bytes) -> bool:
    """Whether `data` is a complete request, or enough of one that will be refused anyway."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return len(data) >= HEADER_LIMIT_BYTES or b"\n\n" in data
    length = LENGTH.search(head + b"\r\n")
    expected = int(length[1]) if length else 0
    return len(body) >= expected or expected > BODY_LIMIT_BYTES or len(head) >= HEADER_LIMIT_BYTES

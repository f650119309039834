"""The HTTP server of the management API: cheroot with limits on connections, sizes and times.

Errors before our own code sees a request are answered in the API's JSON form, too.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from cheroot import server as cheroot_server
from cheroot import wsgi

from claude_local.management.arrivals import (
    ARRIVAL_SECONDS,
    CHECK_SECONDS,
    HEADER_LIMIT_BYTES,
    Arrivals,
    Handlers,
    has_hung_up,
    is_whole,
    peek,
)
from claude_local.management.guard import BODY_LIMIT_BYTES, HEADERS

THREADS = 40
WAITING_REQUESTS = 24
CONNECTIONS = 128
"""Open connections without a request; further ones get 503."""
READER_SECONDS = 10
"""How long a client may block an answer or leave a connection idle."""

CODES = {"408": "too_slow", "413": "too_large", "414": "too_large", "503": "overloaded"}
ONCE = {b"Host", b"Content-Length", b"Content-Type", b"Transfer-Encoding", b"Origin", b"Authorization"}

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Server(wsgi.Server):
    """The HTTP server; `start` serves until another thread calls `stop`."""

    def __init__(self, address: tuple[str, int], app: WsgiApp) -> None:
        super().__init__(
            address,
            app,
            numthreads=THREADS,
            max=THREADS,
            request_queue_size=64,
            timeout=READER_SECONDS,
            shutdown_timeout=1,
            accepted_queue_size=WAITING_REQUESTS,
            accepted_queue_timeout=0,
            server_name="claude-local",
        )
        self.gateway = _Gateway
        self.ConnectionClass = _Connection
        self.max_request_header_size = HEADER_LIMIT_BYTES
        self.max_request_body_size = BODY_LIMIT_BYTES
        self.keep_alive_conn_limit = CONNECTIONS
        self._arrivals = Arrivals(Handlers(whole=self._answer, late=self._end_late))

    def serve(self) -> None:
        threading.Thread(target=self._watch_arrivals, daemon=True, name="arrivals").start()
        super().serve()

    def process_conn(self, conn: Any) -> None:
        """Handles a connection that is new, or has data to read."""
        if conn.rfile.has_data():
            conn.close()  # a pipelined request: no client of ours sends one
        elif is_whole(peek(conn.socket)) or (conn.last_used and has_hung_up(conn.socket)):
            self._answer(conn)
        elif conn.last_used is None and self.can_add_keepalive_connection:
            self.put_conn(conn)  # waits for its first byte
        elif conn.last_used is None:
            self._refuse(conn, "503 Service Unavailable", "too many connections")
        else:
            self._arrivals.begin(conn)

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Logs only bugs: broken connections are normal."""
        if level >= 40:
            super().error_log(msg, level, traceback)

    def _answer(self, conn: Any) -> None:
        try:
            self.requests.put(conn)
        except queue.Full:
            self._refuse(conn, "503 Service Unavailable", "too many requests")

    def _end_late(self, conn: Any) -> None:
        self._refuse(conn, "408 Request Timeout", f"the request took longer than {ARRIVAL_SECONDS:g} s")

    def _refuse(self, conn: Any, status: str, message: str) -> None:
        conn.socket.settimeout(0.0)  # a client that does not read gets no answer
        _Request(self, conn).simple_response(status, message)
        conn.close()

    def _watch_arrivals(self) -> None:
        while self.ready:
            self._arrivals.check()
            time.sleep(CHECK_SECONDS)


class _Once(dict[bytes, bytes]):
    """Headers of a request. Refuses repeated and ambiguous ones."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name in ONCE and name in self:
            raise ValueError(f"{name.decode()} is repeated.")
        if name == b"Expect":
            raise ValueError("Expect is not supported.")
        if name == b"Content-Length" and not value.isdigit():
            raise ValueError("Content-Length must be a number of bytes.")
        super().__setitem__(name, value)


class _HeaderReader(cheroot_server.HeaderReader):
    def _transform_key(self, key_name: bytes) -> bytes:
        if not key_name.replace(b"-", b"").replace(b"_", b"").isalnum():
            raise ValueError("Illegal header name.")
        return key_name.title()

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name  # WSGI would confuse it with the name with a dash


class _Request(cheroot_server.HTTPRequest):
    header_reader = _HeaderReader()

    def __init__(self, server: Any, conn: Any) -> None:
        super().__init__(server, conn)
        self.inheaders = _Once()
        self.body = b""

    def parse_request(self) -> None:
        """Reads head and body."""
        super().parse_request()
        if self.ready and not self.chunked_read:
            self._read_body(int(self.inheaders.get(b"Content-Length", b"0")))

    def respond(self) -> None:
        if self.body:  # cheroot would wait for it again
            del self.inheaders[b"Content-Length"]
        super().respond()

    def send_headers(self) -> None:
        if (b"Connection", b"close") in self.outheaders:  # cheroot would only send the header
            self.close_connection = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """An answer by cheroot itself, in the same form as all others."""
        code, _, reason = str(status).partition(" ")
        message = (msg or reason).rstrip(".")
        error = {"code": CODES.get(code, "bad_request"), "message": message, "hint": ""}
        body = json.dumps({"error": error}).encode()
        lines = [
            f"{self.server.protocol} {status}",
            f"Content-Length: {len(body)}",
            "Content-Type: application/json",
            "Connection: close",
            *(f"{name}: {value}" for name, value in HEADERS),
        ]
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client may be gone
            self.conn.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def _read_body(self, length: int) -> None:
        self.body = self.conn.rfile.read(length) if length > 0 else b""
        if len(self.body) < length:
            self.ready = False
            self.simple_response("400 Bad Request", "the body is shorter than its Content-Length")


class _Connection(cheroot_server.HTTPConnection):
    RequestHandlerClass = _Request


class _Gateway(wsgi.Gateway_10):
    def get_environ(self) -> Any:
        environ = super().get_environ()  # type: ignore[no-untyped-call]  # cheroot's stubs have no types
        if self.req.body:
            environ["CONTENT_LENGTH"] = str(len(self.req.body))
        return {**environ, "claude_local.body": self.req.body}

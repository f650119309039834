"""A SOCKS 5 server on 127.0.0.1 that resolves names itself (RFC 1928, CONNECT only), and what it was asked for."""

from __future__ import annotations

import selectors
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

REFUSED = 5


@dataclass
class SocksServer:
    """Its port, names that it leads to 127.0.0.1, and the requested hosts."""

    port: int = 0
    names: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)


@contextmanager
def running_socks_server() -> Iterator[SocksServer]:
    """Runs the server until the block ends."""
    socks = SocksServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _, methods = self.rfile.read(2)
            self.rfile.read(methods)
            self.wfile.write(b"\x05\x00")
            host, port = self._request()
            socks.asked.append(host)
            try:
                target = socket.create_connection(("127.0.0.1" if host in socks.names else host, port))
            except OSError:
                self._reply(REFUSED)
                return
            with target:
                self._reply(0)
                _copy(self.connection, target)

        def _request(self) -> tuple[str, int]:
            kind = self.rfile.read(4)[3]
            host = (
                self.rfile.read(self.rfile.read(1)[0]).decode()
                if kind == 3
                else socket.inet_ntoa(self.rfile.read(4))
            )
            return host, struct.unpack("!H", self.rfile.read(2))[0]

        def _reply(self, code: int) -> None:
            self.wfile.write(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is part of the tests."""

    with Server(("127.0.0.1", 0), Handler) as server:
        socks.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield socks
        server.shutdown()


def _copy(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        for source, target in ((one, other), (other, one)):
            ready.register(source, selectors.EVENT_READ, target)
        while True:
            for key, _ in ready.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)

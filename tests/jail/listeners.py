"""Local sockets that must be unreachable from a jail. They record each connection."""

from __future__ import annotations

import os
import selectors
import socket
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Listeners:
    """TCP on both loopback addresses, UDP, and Unix sockets with and without a file."""

    hits: list[str] = field(default_factory=list)
    abstract: str = f"claude-local-canary-{os.getpid()}"
    path: Path = Path("/nonexistent")
    _sockets: dict[str, socket.socket] = field(default_factory=dict)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    @property
    def tcp(self) -> int:
        return self._port("TCP")

    @property
    def tcp6(self) -> int:
        return self._port("TCP over IPv6")

    @property
    def udp(self) -> int:
        return self._port("UDP")

    def open(self, folder: Path) -> None:
        """Begins to listen in `folder`. Later calls change nothing."""
        self.path = folder / "docker.sock"
        if not self._sockets:
            self._add("TCP", socket.socket(socket.AF_INET), ("127.0.0.1", 0))
            self._add("TCP over IPv6", socket.socket(socket.AF_INET6), ("::1", 0))
            self._add("UDP", socket.socket(socket.AF_INET, socket.SOCK_DGRAM), ("127.0.0.1", 0))
            self._add("an abstract socket", socket.socket(socket.AF_UNIX), f"\0{self.abstract}")
            self._add("a socket's file", socket.socket(socket.AF_UNIX), str(self.path))
            self.path.chmod(0o777)

    def collect(self) -> list[str]:
        """Names of the sockets that were reached since the last call: the kernel queues connections."""
        self.hits = []
        while found := self._selector.select(0):
            for key, _ in found:
                self._answer(str(key.data), self._sockets[str(key.data)])
        return self.hits

    def close(self) -> None:
        """Stops listening."""
        self._selector.close()
        for listener in self._sockets.values():
            listener.close()

    def _add(self, name: str, listener: socket.socket, address: object) -> None:
        listener.bind(address)  # type: ignore[arg-type]  # the type depends on the family
        if listener.type == socket.SOCK_STREAM:
            listener.listen(16)
        self._sockets[name] = listener
        self._selector.register(listener, selectors.EVENT_READ, name)

    def _port(self, name: str) -> int:
        return int(self._sockets[name].getsockname()[1]) if self._sockets else 0

    def _answer(self, name: str, listener: socket.socket) -> None:
        self.hits.append(name)
        if listener.type == socket.SOCK_STREAM:
            listener.accept()[0].close()
        else:
            listener.recv(1000)

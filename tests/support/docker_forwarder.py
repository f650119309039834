"""A socket to Docker Engine that a test can cut, as if Docker Engine had stopped, without stopping it."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path


class DockerForwarder:
    """Forwards a separate Unix socket to that of Docker Engine."""

    def __init__(self, before: Callable[[bytes], object] = lambda _: None) -> None:
        """`before` is called with each block of data before it is sent to Docker Engine."""
        self._before = before
        engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self._engine = engine.removeprefix("unix://")
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "docker.sock"
        self._open: set[socket.socket] = set()
        self._is_cut = False

    def start(self) -> str:
        """Starts forwarding; returns the value for DOCKER_HOST."""
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return f"unix://{self._path}"

    def cut(self) -> None:
        """Closes the socket and its connections: nothing answers there any more."""
        self._is_cut = True
        self._path.unlink()
        for connection in (self._server, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._is_cut:
                ours, _ = self._server.accept()
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(self._engine)
                self._open |= {ours, theirs}
                for ways in ((ours, theirs, self._before), (theirs, ours, lambda _: None)):
                    threading.Thread(target=self._carry, args=ways, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, before: Callable[[bytes], object]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                before(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

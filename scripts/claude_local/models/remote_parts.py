"""Reads parts of remote files, so that a header costs no whole download."""

from __future__ import annotations

import io
from typing import Any

from claude_local.models import hub, transfer
from claude_local.models.hub_failures import MissingFile

BUFFER_BYTES = 4 * 2**20


def open_part(remote: hub.RemoteFile) -> io.BufferedReader:
    """Opens a remote file; only the parts that are read are downloaded."""
    return io.BufferedReader(_Ranges(remote), BUFFER_BYTES)


def read_text(place: hub.Place, *, limit_bytes: int) -> str | None:
    """A small text file of a repository; None if it is missing or larger than the limit."""
    try:
        remote = hub.find(place)
    except MissingFile:
        return None
    if remote.size_bytes > limit_bytes:
        return None
    return _read_range(remote, 0, remote.size_bytes).decode(errors="replace")


class _Ranges(io.RawIOBase):
    """A remote file as a seekable stream."""

    def __init__(self, remote: hub.RemoteFile) -> None:
        self._remote = remote
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._remote.size_bytes}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._remote.size_bytes - self._position)
        if wanted <= 0:
            return 0
        data = _read_range(self._remote, self._position, wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _read_range(remote: hub.RemoteFile, start: int, count: int) -> bytes:
    return transfer.read_part(remote, start, count) if count else b""

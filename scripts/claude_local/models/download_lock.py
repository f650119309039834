"""The partial file of a download: its hidden name, its lock, its size."""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from claude_local.foundation.errors import Busy
from claude_local.models import hub
from claude_local.models.model_files import PARTIAL, Wanted


class Counted:
    """A file that reports its position."""

    def __init__(self, file: IO[bytes], at: Callable[[int], None]) -> None:
        self._file, self._at = file, at
        self.tell, self.seek = file.tell, file.seek

    def write(self, data: bytes) -> int:
        count = self._file.write(data)
        self._at(self._file.tell())
        return count

    def truncate(self, size: int | None = None) -> int:
        result = self._file.truncate(size)
        self._at(result)
        return result


@contextlib.contextmanager
def locked(partial: Path, item: Wanted) -> Iterator[Any]:
    """Opens the partial file and locks it against a second `invoke pull`."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.touch()
    with partial.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another command is downloading {item.target.name}", hint="wait for it") from None
        yield file


def partial_path(item: Wanted, remote: hub.RemoteFile) -> Path:
    """The hidden path of a download; another version of the remote file has another path."""
    version = re.sub(r"\W", "", remote.etag)[:12]
    return item.target.with_name(f".{item.target.name}.{version}{PARTIAL}")


def size_of(file: Path) -> int:
    """Size in bytes; 0 if the file does not exist."""
    return file.stat().st_size if file.is_file() else 0

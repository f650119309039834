"""Runs a program on a pseudo-terminal: reads its output and sends keys."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from claude_local.machine import processes

COLUMNS, ROWS = 120, 40
HANG_UP_SECONDS = 2

# Escape sequences: cursor and colours; window (a text that ends with BEL or ESC \); all others.
_ESCAPES = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]" rb"|\x1b[]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?" rb"|\x1b[ -/]*[0-~]"
)


class PseudoTerminal:
    """Runs a program during the `with` block; the terminal hangs up at the end."""

    def __init__(self, argv: Sequence[str | Path]) -> None:
        self._argv = argv
        self._output = b""
        self.has_ended = False

    def __enter__(self) -> PseudoTerminal:
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        try:
            self._process = processes.start_on_terminal(self._argv, inside)
        finally:
            os.close(inside)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._terminal)
        processes.end(self._process, HANG_UP_SECONDS)

    @property
    def text(self) -> str:
        """All output so far, without spaces, because programs may move the cursor instead of writing one."""
        return re.sub(r"\s+", "", _ESCAPES.sub(b"", self._output).decode(errors="replace"))

    def press(self, keys: str) -> None:
        """Sends keys; does nothing after the program has ended."""
        try:
            os.write(self._terminal, keys.encode())
        except OSError:
            self.has_ended = True

    def read(self, seconds: float) -> None:
        """Reads output until the program is silent for `seconds` or has ended."""
        while not self.has_ended and select.select([self._terminal], [], [], seconds)[0]:
            try:
                more = os.read(self._terminal, 65536)
            except OSError:  # EIO: no program has the terminal open any more
                more = b""
            self._output += more
            self.has_ended = not more

    def exit_code(self) -> int:
        """Waits until the program has ended and returns its exit code."""
        return processes.end(self._process, HANG_UP_SECONDS)

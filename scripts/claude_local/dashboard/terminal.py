"""The terminal while the dashboard uses it: single keys and the alternate screen, both restored at the end.

It is restored on every exit: normal end, exception, Ctrl-C, SIGTERM, and SIGHUP, which comes when the
SSH connection is lost. Ctrl-Z restores it until `fg`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import termios
import tty
from types import FrameType, TracebackType
from typing import Any

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
ENDING_SIGNALS: tuple[int, ...] = (signal.SIGTERM, signal.SIGHUP)
READ_BYTES = 4096


class Ended(SystemExit):
    """A signal ends the dashboard; the exit code is 128 plus its number, as in shells."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class Screen:
    """The terminal on standard input and output. Use it in a `with`."""

    def __init__(self) -> None:
        self._before: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._drawn: list[str] = []
        # A closed socket refuses to send; the number of a closed descriptor is reused for another file.
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def __enter__(self) -> Screen:
        self._before = termios.tcgetattr(sys.stdin)
        for number in ENDING_SIGNALS:
            self._handlers[number] = signal.signal(number, self._end)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._pause)
        self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resized)
        try:
            self._take()
        except BaseException:  # a signal may arrive before the `with` body
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not interruptible: a second Ctrl-C here would leave the terminal unrestored.
        for number in (signal.SIGINT, *ENDING_SIGNALS):
            before = signal.signal(number, signal.SIG_IGN)
            self._handlers.setdefault(number, before)
        self._give_back()
        self._wake_read.close()
        self._wake_write.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def wake(self) -> None:
        """Ends a `wait` of the main thread. Any thread may call it, even after the screen is closed."""
        with contextlib.suppress(OSError):
            self._wake_write.send(b".")

    def wait(self, timeout_seconds: float | None, *, only_keys: bool = False) -> bytes:
        """The bytes of pressed keys; b"" after the timeout or, unless `only_keys`, after a call of `wake`.

        Raises EOFError when the terminal is gone.
        """
        awaited = [sys.stdin] if only_keys else [sys.stdin, self._wake_read]
        ready, _, _ = select.select(awaited, [], [], timeout_seconds)
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                self._wake_read.recv(READ_BYTES)
        if sys.stdin not in ready:
            return b""
        with contextlib.suppress(OSError):
            if received := os.read(sys.stdin.fileno(), READ_BYTES):
                return received
        raise EOFError("the terminal is gone")

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
        return max(1, columns), max(1, rows)

    def show(self, rows: list[str]) -> None:
        """Draws a frame: sends only changed rows, for slow connections."""
        if len(rows) != len(self._drawn):
            self._drawn = [""] * len(rows)
        changed = [
            f"\x1b[{number};1H{row}\x1b[0m\x1b[K"
            for number, (row, old) in enumerate(zip(rows, self._drawn, strict=True), start=1)
            if row != old
        ]
        self._drawn = rows
        if changed:
            self._write(BEGIN_FRAME + "".join(changed) + END_FRAME)

    def forget(self) -> None:
        """Makes the next `show` draw everything."""
        self._drawn = []

    def _take(self) -> None:
        tty.setcbreak(sys.stdin, termios.TCSADRAIN)
        now = termios.tcgetattr(sys.stdin)
        now[0] &= ~termios.IXON  # Ctrl-S would freeze the screen
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, now)
        self._write(ENTER)
        self.forget()

    def _give_back(self) -> None:
        with contextlib.suppress(OSError, termios.error):  # the connection may be lost
            self._write(LEAVE)
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, self._before)

    def _write(self, text: str) -> None:
        left = memoryview(text.encode(errors="replace"))
        while left:
            left = left[os.write(sys.stdout.fileno(), left) :]

    def _end(self, number: int, _frame: FrameType | None) -> None:
        raise Ended(number)

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        self.forget()
        self.wake()

    def _pause(self, _number: int, _frame: FrameType | None) -> None:
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # Continues here after `fg`.
        signal.signal(signal.SIGTSTP, self._pause)
        self._take()
        self.wake()

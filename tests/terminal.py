"""A real terminal for tests: tmux, with keys in and the screen out."""

from __future__ import annotations

import shlex
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType

WAIT_SECONDS = 60


class Terminal:
    """A tmux session of its own server; closed on leaving."""

    def __init__(self, *, columns: int = 100, rows: int = 30) -> None:
        self.socket = f"claude-local-test-{uuid.uuid4().hex[:8]}"
        self.size = ["-x", str(columns), "-y", str(rows)]

    def __enter__(self) -> Terminal:
        self._tmux("-f", "/dev/null", "new-session", "-d", *self.size, "bash --norc --noprofile")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server")

    def run(self, argv: list[str], *, env: dict[str, str], cwd: Path) -> None:
        """Types a command that runs with exactly this environment (and TERM)."""
        given = {"TERM": "screen-256color", **env}
        words = ["env", "-i", "-C", str(cwd), *(f"{k}={v}" for k, v in given.items()), *argv]
        self.keys("-l", "PS1='$ '; clear; " + shlex.join(words) + "; echo exit code: $?")
        self.keys("Enter")

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def press_until(self, key: str, text: str) -> None:
        """Presses a key again and again until `text` is on the screen: a dialog may not listen yet."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"`{text}` did not appear:\n{screen}"
            self.keys(key)
            time.sleep(0.5)

    def resize(self, *, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """What is on the screen now, as text."""
        return self._tmux("capture-pane", "-p", "-J")

    def wait_for(self, text: str) -> str:
        """The screen as soon as `text` is on it. Fails with the screen if it never is."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"`{text}` did not appear:\n{screen}"
            time.sleep(0.05)
        return screen

    def _tmux(self, *arguments: str) -> str:
        argv = ["tmux", "-L", self.socket, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

"""A real terminal for tests: tmux, with keys in and the screen out."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType

WAIT_SECONDS = 120


class Terminal:
    """A tmux session on a separate tmux server, closed at the end of the block."""

    def __init__(self, *, columns: int = 100, rows: int = 30) -> None:
        self.socket = f"claude-local-test-{uuid.uuid4().hex[:8]}"
        self.size = ["-x", str(columns), "-y", str(rows)]

    def __enter__(self) -> Terminal:
        self._tmux("-f", "/dev/null", "new-session", "-d", *self.size, "bash --norc --noprofile")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], capture_output=True, check=False)

    def run(self, argv: list[str], *, env: dict[str, str], cwd: Path) -> None:
        """Types a command that runs with exactly this environment (and TERM)."""
        given = {"TERM": "screen-256color", **env}
        words = ["env", "-i", "-C", str(cwd), *(f"{k}={v}" for k, v in given.items()), *argv]
        self.keys("-l", "PS1='$ '; clear; " + shlex.join(words) + "; echo exit code: $?")
        self.keys("Enter")

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def press_until(self, key: str, text: str) -> None:
        """Presses a key repeatedly until `text` is on the screen: a dialog may not accept keys yet."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"`{text}` did not appear:\n{screen}"
            self.keys(key)
            time.sleep(0.5)

    def resize(self, *, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self, *, styles: bool = False) -> str:
        """The current screen as text; with `styles`, including the escape sequences of its styles."""
        return self._tmux("capture-pane", "-p", "-J", *(["-e"] if styles else []))

    def wait_for(self, text: str) -> str:
        """The screen as soon as `text` is on it. Fails and shows the screen if the time is over."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in (screen := self.screen()):
            assert time.monotonic() < deadline, f"`{text}` did not appear:\n{screen}"
            time.sleep(0.05)
        return screen

    def wait_for_match(self, pattern: re.Pattern[str]) -> str:
        """The same for a pattern."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not pattern.search(screen := self.screen()):
            assert time.monotonic() < deadline, f"`{pattern.pattern}` did not appear:\n{screen}"
            time.sleep(0.05)
        return screen

    def wait_until_gone(self, text: str) -> str:
        """The screen as soon as `text` is no longer on it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text in (screen := self.screen()):
            assert time.monotonic() < deadline, f"`{text}` stays:\n{screen}"
            time.sleep(0.05)
        return screen

    def modes(self) -> str:
        """Whether the alternate screen is on, the cursor is visible, long lines wrap: `0 1 1` for a shell."""
        return self._tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}").strip()

    def close(self) -> None:
        """Closes the terminal, as when a connection is lost."""
        self._tmux("kill-session")

    def _tmux(self, *arguments: str) -> str:
        argv = ["tmux", "-L", self.socket, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

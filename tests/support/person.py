"""A person at a terminal with Claude Code in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from support.conversations import Stage
from support.terminal import WAIT_SECONDS, Terminal

READY = "· unconfined"
POLL_SECONDS = 0.05
AGAIN_SECONDS = 5


@dataclass
class Person:
    """Types into Claude Code and waits for what comes of it."""

    stage: Stage
    terminal: Terminal
    before: int = 0
    """The number of requests before the last prompt."""

    def start(self, *options: str) -> None:
        self.terminal.run([*self.stage.argv, *options], env=self.stage.environment, cwd=self.stage.workspace)
        self.until(lambda: any(text in self.terminal.screen() for text in ("trust this folder", READY)))
        if "❯ No" in self.terminal.screen():  # newer versions start on the careful answer
            self.terminal.press_until("Down", "❯ Yes")
        self.terminal.press_until("Enter", READY)

    def type(self, text: str) -> None:
        self.terminal.keys("-l", text)
        self.terminal.wait_for(text.strip())
        self.terminal.keys("Enter")

    def say(self, text: str) -> None:
        """Sends a prompt and waits until Claude Code has asked the model."""
        self.before = self.stage.requests()
        self.type(text)
        self.until(lambda: self.stage.requests() > self.before)

    def finish(self, *texts: str) -> None:
        """Waits until the requests since the last prompt contain `texts`, and for the last answer."""
        self.until(lambda: all(text in json.dumps(self.stage.bodies()[self.before :]) for text in texts))
        self.until(lambda: f"reply {self.stage.requests()}." in self.terminal.screen())

    def ask(self, text: str) -> None:
        self.say(text)
        self.finish()

    def hold(self, text: str) -> None:
        """Sends a prompt whose answer stands still before its end."""
        self.type(text)
        self.until(self.stage.held.is_set)

    def interrupt(self) -> None:
        self.press("Escape", self.shows("nterrupted"))
        if self.stage.held.is_set():
            self.stage.go_on.set()
            self.until(lambda: not self.stage.held.is_set())

    def press(self, key: str, is_done: Callable[[], bool]) -> None:
        """Presses a key, and again after seconds only: twice in a row, Esc goes back in the conversation."""
        deadline = time.monotonic() + WAIT_SECONDS
        pressed_at = 0.0
        while not is_done():
            assert time.monotonic() < deadline, self.terminal.screen()
            if time.monotonic() - pressed_at > AGAIN_SECONDS:
                self.terminal.keys(key)
                pressed_at = time.monotonic()
            time.sleep(POLL_SECONDS)

    def shows(self, text: str) -> Callable[[], bool]:
        return lambda: text in self.terminal.screen()

    def runs_tool(self) -> bool:
        """Whether the endless command runs."""
        return any(process.name() == "tail" for process in self._processes())

    def leave(self) -> None:
        self.type("/exit")
        self.terminal.wait_for("exit code")

    def crash(self) -> None:
        """Kills Claude Code, as a power cut would."""
        for process in self._processes():
            with suppress(psutil.Error):
                process.kill()
        self.stage.go_on.set()
        self.terminal.wait_for("exit code")
        self.until(lambda: not self.stage.held.is_set())
        self.stage.go_on.clear()

    def clear(self) -> None:
        number = self.stage.requests()
        self.type("/clear")
        self.terminal.wait_until_gone(f"reply {number}.")

    def _processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cwd() == str(self.stage.workspace) and process.name() in ("claude", "tail"):
                    found.append(process)
        return found

    def until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, self.terminal.screen()
            time.sleep(POLL_SECONDS)

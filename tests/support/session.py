"""Claude Code sessions of several turns: driven by messages or typed at a terminal."""

from __future__ import annotations

import json
import subprocess
from typing import IO, Any

from support.machine import Machine
from support.terminal import Terminal


class Session:
    """A Claude Code process that stays open for several turns."""

    def __init__(self, machine: Machine, client: str) -> None:
        self.events: list[dict[str, Any]] = []
        workspace = machine.home / "workspace"
        workspace.mkdir(exist_ok=True)
        flags = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        self.process = subprocess.Popen(
            machine.claude_argv("-p", *flags),
            cwd=workspace,
            env=machine.claude_environment(client),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, text: str) -> tuple[set[str], dict[str, Any]]:
        """The names of the models that answered this turn, and the turn's result."""
        assert self.process.stdin and self.process.stdout
        message = {"type": "user", "message": {"role": "user", "content": text}}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return self._answer(self.process.stdout)

    def close(self) -> int:
        assert self.process.stdin
        with self.process:  # closes both pipes and waits
            self.process.stdin.close()
            return self.process.wait(60)

    def _answer(self, lines: IO[str]) -> tuple[set[str], dict[str, Any]]:
        models = set()
        for line in lines:
            event = json.loads(line)
            self.events.append(event)
            if event["type"] == "assistant":
                models.add(event["message"]["model"])
            if event["type"] == "result":
                return models, event
        raise AssertionError("the session ended without a result")


def enter(terminal: Terminal, machine: Machine, client: str, *options: str, sandbox: str = "jail") -> None:
    """Starts an interactive session; without a jail Claude Code asks whether to trust the folder."""
    workspace = machine.home / "workspace"
    workspace.mkdir(exist_ok=True)
    argv = machine.claude_argv("--sandbox", sandbox, *options)
    terminal.run(argv, env=machine.claude_environment(client), cwd=workspace)
    if sandbox == "jail":
        terminal.wait_for("· jail")
        return
    if "❯ No" in terminal.wait_for("trust this folder"):  # newer versions start on the careful answer
        terminal.press_until("Down", "❯ Yes")
    terminal.press_until("Enter", "· unconfined")

"""One session of the wrapper and the real Claude Code among hostile settings, and its results.

Recorders take the place of the model server and of all other servers. The user's own home folder is not read,
and nothing leaves the loopback interface.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from claude_local.checks.verify.cases import OBEYED, Case
from claude_local.checks.verify.groups import FILE_LIMITS, Group
from claude_local.checks.verify.pseudo_terminal import PseudoTerminal
from claude_local.checks.verify.recorder import Recorded, Recorder
from claude_local.checks.verify.world import KEY, World, canary
from claude_local.foundation.errors import EngineFailed
from claude_local.machine import processes
from claude_local.machine.settings import Settings

TIMEOUT_SECONDS = 20
PROMPT = "say ok"
ALLOWED = ("--allowedTools", "Bash(env)")

UNPROVEN = "not proven: the session did not reach the local server"
NOT_OBEYED = "it was not obeyed, so the other results prove nothing"

# Keys as a terminal sends them.
ENTER, DOWN, CLEAR_LINE = "\r", "\x1b[B", "\x15"
SILENCE_SECONDS = 0.1

# The answer under the cursor. Newer versions start on the careful answer and have no numbers.
CHOICE = re.compile(r"❯(?:\d\.)?(Yes|No)")


@dataclass(frozen=True)
class Result:
    """One attempt, the promise that must hold, and the first proof that it did not; empty if it held."""

    name: str
    tried: str
    promise: str
    leak: str = ""
    limit: str = ""
    """A known limit of this kind of session that applied here; empty if there was none."""
    kinds: tuple[str, ...] = ()
    """The kinds of session in which it was tried."""


class Session:
    """One run of the wrapper with everything planted that a group's cases need. `path` has Claude Code on it."""

    def __init__(self, settings: Settings, folder: Path, path: str, group: Group) -> None:
        self.settings = settings
        self.group = group
        self.world = World(folder, path)

    def results(self) -> Iterator[Result]:
        """Runs the session: one result per case, then the results about the session."""
        group, world = self.group, self.world
        with ExitStack() as stack:
            ours = stack.enter_context(Recorder(self._model, key=KEY if group.own_server else ""))
            traps = {case.name: [stack.enter_context(Recorder(self._model))] for case in group.cases}
            world.render(self.settings, ours.port, own_server=group.own_server)
            world.plant(group.cases, {name: trap[0].url for name, trap in traps.items()})
            for case in group.cases:
                if "@SOCKET@" in json.dumps(dict(case.plants)):
                    trap = Recorder(self._model, unix_socket=world.socket(case))
                    traps[case.name].append(stack.enter_context(trap))
            before = world.files()
            problem = self._talk(ours) if group.on_terminal else self._ask()
            changed = sorted({name for name, _ in before.items() ^ world.files().items()})
        asked = {name: [request for trap in own for request in trap.requests] for name, own in traps.items()}
        found = [*self._case_results(ours, asked, problem), *self._file_results(changed)]
        return (dataclasses.replace(result, kinds=(group.kind,)) for result in found)

    def _case_results(
        self, ours: Recorder, asked: Mapping[str, Sequence[Recorded]], problem: str
    ) -> Iterator[Result]:
        elsewhere = list(chain.from_iterable(asked.values()))
        sent = "\n".join(request.raw for request in (*ours.requests, *elsewhere))
        # The session's environment in a request proves that the model's tool call was run.
        proven = bool(ours.messages()) and f"HOME={self.world.home}" in sent
        for case in self.group.cases:
            leak = self._leak(case, asked[case.name], sent)
            if not proven and leak in ("", NOT_OBEYED):
                leak = UNPROVEN
            yield Result(case.name, case.tried, case.promise, leak)
        held = "" if proven else problem or UNPROVEN
        yield Result("sessions", "every session", "reached the local server", held)
        if self.group.own_server:
            leak = "another server received it" if any(KEY in request.raw for request in elsewhere) else held
            yield Result("key", "the local server's key", "no other server received it", leak)

    def _leak(self, case: Case, asked: Sequence[Recorded], sent: str) -> str:
        if asked:
            return f"{asked[0].method} {asked[0].path} went to another server"
        ran, was_sent = self.world.ran(case), canary(case) in sent
        if case.promise == OBEYED:
            return "" if ran or was_sent else NOT_OBEYED
        if ran:
            return "its command ran"
        return "its text was in a request" if was_sent else ""

    def _file_results(self, changed: Sequence[str]) -> Iterator[Result]:
        limits = [limit for limit in FILE_LIMITS if limit.applies(self.group)]
        for name, tried, is_claude in (
            ("claude-files", "~/.claude and ~/.claude.json", True),
            ("home-files", "all other files in the home folder", False),
        ):
            files = [file for file in changed if file.startswith(".claude") is is_claude]
            new = [file for file in files if not any(limit.explains(file) for limit in limits)]
            leak = f"changed: {', '.join(new[:5])}" if new else ""
            known = [limit.text for limit in limits if any(limit.explains(file) for file in files)]
            yield Result(name, tried, "bytes and times unchanged", leak, "; ".join(known))

    def _model(self, request: Recorded) -> list[dict[str, Any]]:
        """The local model's answer: tool calls first, then `ok`."""
        data = request.json()
        if not data.get("tools") or "tool_result" in json.dumps(data.get("messages")):
            return [{"type": "text", "text": "ok"}]
        wanted = [self.world.filled(case, case.model_asks) for case in self.group.cases]
        uses = [_use(tool, arguments) for tools in wanted for tool, arguments in tools.items()]
        return [_use("Bash", {"command": "env"}), *uses]

    def _argv(self, *arguments: str) -> list[str | Path]:
        """The command that runs the wrapper in the workspace, with our environment only and a time limit."""
        assignments = [f"{name}={value}" for name, value in self.world.environment.items()]
        bare = ["env", "-i", f"--chdir={self.world.workspace}", *assignments]
        foreground = ["--foreground"] if self.group.on_terminal else []
        limit = ["timeout", *foreground, "--kill-after=2", str(TIMEOUT_SECONDS)]
        trust = ["--trust-project"] if self.group.trusting else []
        return [*bare, *limit, self.world.wrapper, "--sandbox", "off", *trust, *arguments]

    def _ask(self) -> str:
        """Runs one prompt without a terminal. Returns the problem; empty if there was none."""
        try:
            processes.run(self._argv("-p", PROMPT, *ALLOWED), failure="the session failed")
        except EngineFailed as error:
            return f"{error.message}\n{error.details}"
        return ""

    def _talk(self, ours: Recorder) -> str:
        """Runs a session on a terminal, to its end. Returns the problem; empty if there was none."""
        with PseudoTerminal(self._argv(PROMPT, *ALLOWED)) as terminal:
            while not terminal.has_ended:  # the command has a time limit
                terminal.read(SILENCE_SECONDS)
                _press_next(terminal, ours)
            code = terminal.exit_code()
        return f"the session on a terminal failed (exit code {code})\n{terminal.text[-500:]}" if code else ""


def _press_next(terminal: PseudoTerminal, ours: Recorder) -> None:
    """Trusts the folder, waits for the answer, exits. Keys that had no effect are sent again."""
    messages = ours.messages()
    if any("tool_result" in json.dumps(message.get("messages")) for message in messages):
        terminal.press(f"{CLEAR_LINE}/exit")
        terminal.read(SILENCE_SECONDS)
        terminal.press(ENTER)
    elif not messages and (choices := CHOICE.findall(terminal.text)):
        terminal.press(ENTER if choices[-1] == "Yes" else DOWN)


def _use(tool: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    identity = f"toolu_{hashlib.sha256(repr((tool, arguments)).encode()).hexdigest()[:12]}"
    return {"type": "tool_use", "id": identity, "name": tool, "input": arguments}

"""The proof that nobody can divert a local session: real sessions in a hostile world, and what came of it.

Each session runs the generated wrapper and the real Claude Code in a throw-away home folder full of
settings that would send it elsewhere. Recorders stand where the model server and all other servers would
be. Nothing of the user's own home folder is read, and nothing leaves the loopback interface.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from claude_local import build, console, processes
from claude_local.errors import EngineFailed, UserError
from claude_local.recorder import Recorded, Recorder
from claude_local.render import render
from claude_local.settings import Settings
from claude_local.verify_cases import ASKED, ENVIRONMENT, SESSIONS, Case

TIMEOUT_SECONDS = 20
ARGUMENTS = ("-p", "say ok", "--allowedTools", "Bash(env)")

# About all sessions together; the other results are about one case each.
OVERALL = ("sessions", "claude-files", "home-files")
UNPROVEN = "not proven: the session did not reach the local server"

Sessions = Sequence[Sequence[Case]]


@dataclass(frozen=True)
class Result:
    """What was tried, what was to hold, and the first proof that it did not; empty if it held."""

    name: str
    tried: str
    promise: str
    leak: str = ""


def run(settings: Settings, environment: Mapping[str, str], sessions: Sessions = SESSIONS) -> list[Result]:
    """One result per case, then three about all sessions together.

    Of `environment` only PATH is used. Raises UserError if Claude Code is missing.
    """
    path = environment.get("PATH", "")
    if not shutil.which("claude", path=path):
        raise UserError(
            "claude is not on the PATH",
            hint="install Claude Code: npm install --global @anthropic-ai/claude-code",
        )
    found: dict[str, Result] = {}
    for cases in sessions:
        with tempfile.TemporaryDirectory(prefix="cl-", ignore_cleanup_errors=True) as folder:
            for result in _Session(settings, Path(folder).resolve(), path, cases).results():
                if result.name not in found or (result.leak and not found[result.name].leak):
                    found[result.name] = result
    return sorted(found.values(), key=lambda result: result.name in OVERALL)


def check(results: Sequence[Result]) -> None:
    """Raises UserError naming the worst leak, if there is one: a diversion that was seen comes first."""
    leaks = [result for result in results if result.leak]
    if leaks:
        worst = min(leaks, key=lambda result: (result.leak == UNPROVEN, result.promise != ASKED))
        raise UserError(
            f"{len(leaks)} of {len(results)} do not hold; the first: {worst.tried}",
            details=worst.leak,
            hint="do not use claude-local with things you would not show to others, and report this",
        )


def show(results: Sequence[Result]) -> None:
    """A table of what was tried and what held."""
    table = Table("what was tried", "what held", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for result in results:
        held = f"[bold red]LEAK[/bold red] {escape(console.harmless(result.leak))}"
        table.add_row(escape(result.tried), held if result.leak else escape(result.promise))
    console.data.print(table)
    held_count = sum(not result.leak for result in results)
    console.data.print(f"\n{held_count} of {len(results)} held")


class _Session:
    """One run of the wrapper among the plants of some cases."""

    def __init__(self, settings: Settings, folder: Path, path: str, cases: Sequence[Case]) -> None:
        self.cases = cases
        self.home = folder / "home"
        self.workspace = self.home / "code" / "project"
        self.marks = folder / "ran"
        self.client_dir = self.home / ".claude-local"
        self.temporary = folder / "tmp"
        self.build_dir = folder / "build"
        self.settings = settings
        self.environment = {"PATH": path, "HOME": str(self.home), "TMPDIR": str(self.temporary)}

    def results(self) -> Iterator[Result]:
        """Runs the session; one result per case and three about the session."""
        for folder in (self.workspace, self.marks, self.temporary):
            folder.mkdir(parents=True)
        with ExitStack() as stack:
            ours = stack.enter_context(Recorder(self._model))
            traps = {case.name: [stack.enter_context(Recorder(self._model))] for case in self.cases}
            self._render(ours.url)
            self._plant({name: trap[0].url for name, trap in traps.items()})
            for case in self.cases:
                if "@SOCKET@" in json.dumps(dict(case.plants)):
                    trap = Recorder(self._model, unix_socket=self._socket(case))
                    traps[case.name].append(stack.enter_context(trap))
            before = self._files()
            problem = self._start()
            after = self._files()
        asked = {name: [request for trap in own for request in trap.requests] for name, own in traps.items()}
        sent = "\n".join(request.raw for request in chain(ours.requests, *asked.values()))
        # The environment that the model saw is the proof that its question was answered.
        proven = bool(ours.messages()) and f"HOME={self.home}" in sent
        for case in self.cases:
            leak = self._leak(case, asked[case.name], sent) or ("" if proven else UNPROVEN)
            yield Result(case.name, case.tried, case.promise, leak)
        held = "" if proven else problem or UNPROVEN
        yield Result("sessions", "every session", "asked the local server", held)
        yield from _file_results(before, after)

    def _leak(self, case: Case, asked: Sequence[Recorded], sent: str) -> str:
        if asked:
            return f"{asked[0].method} {asked[0].path} went to another server"
        if (self.marks / case.name).exists():
            return "its command ran"
        if _canary(case) in sent:
            return "its text stands in a request"
        return ""

    def _files(self) -> dict[str, str]:
        """What is in the home folder, but for the workspace and the folder of local sessions."""
        ours = {self.client_dir, self.workspace}
        return {
            str(path.relative_to(self.home)): _facts(path)
            for path in sorted(self.home.rglob("*"))
            if ours.isdisjoint((path, *path.parents))
        }

    def _render(self, url: str) -> None:
        throw_away = dataclasses.replace(
            self.settings,
            build_dir=self.build_dir,
            state_dir=self.temporary / "state",
            client_dir=self.client_dir,
            engine="external",
            external_url=url,
            external_key_file=None,
        )
        build.apply(build.plan(render(throw_away, {}), self.build_dir), self.build_dir)

    def _plant(self, urls: Mapping[str, str]) -> None:
        files: dict[str, Any] = {}
        for case in self.cases:
            planted = json.dumps(dict(case.plants))
            for word, value in self._words(case, urls[case.name]).items():
                planted = planted.replace(word, json.dumps(value)[1:-1])
            _merge(files, json.loads(planted))
        self.environment |= files.pop(ENVIRONMENT, {})
        for name, content in files.items():
            root = self.home if name.startswith("~/") else self.workspace
            target = root / name[2:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    def _words(self, case: Case, url: str) -> dict[str, str]:
        return {
            "@URL@": url,
            "@SOCKET@": str(self._socket(case)),
            "@RUN@": self._mark(case.name),
            "@CANARY@": _canary(case),
            "@HOME@": str(self.home),
        }

    def _socket(self, case: Case) -> Path:
        return self.temporary / f"{case.name}.sock"

    def _mark(self, name: str) -> str:
        return f"touch {shlex.quote(str(self.marks / name))}"

    def _model(self, request: Recorded) -> list[dict[str, Any]]:
        """The local model's answer: first it tries the tools, then it says ok."""
        data = request.json()
        if not data.get("tools") or "tool_result" in json.dumps(data.get("messages")):
            return [{"type": "text", "text": "ok"}]
        return [
            _use("Bash", command="env"),
            _use("Bash", command=f"sh -c {shlex.quote(self._mark('project-permissions'))}"),
            _use("Read", file_path=str(self.home / "other" / "notes.txt")),
        ]

    def _start(self) -> str:
        """What went wrong; empty if nothing did."""
        assignments = [f"{name}={value}" for name, value in self.environment.items()]
        wrapper = self.build_dir / "bin" / "claude-local"
        limit = ["timeout", "--kill-after=2", str(TIMEOUT_SECONDS)]
        bare = ["env", "-i", f"--chdir={self.workspace}", *assignments]
        try:
            processes.run([*bare, *limit, wrapper, *ARGUMENTS], failure="the session failed")
        except EngineFailed as error:
            return f"{error.message}\n{error.details}"
        return ""


def _use(tool: str, **arguments: str) -> dict[str, Any]:
    identity = f"toolu_{hashlib.sha256(repr(arguments).encode()).hexdigest()[:12]}"
    return {"type": "tool_use", "id": identity, "name": tool, "input": arguments}


def _canary(case: Case) -> str:
    return f"canary-{case.name}-canary"


def _facts(path: Path) -> str:
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    status = path.lstat()
    return f"{status.st_mode} {status.st_mtime_ns} {content}"


def _file_results(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Result]:
    changed = sorted({name for name, _ in before.items() ^ after.items()})
    claude = [name for name in changed if name.startswith(".claude")]
    other = [name for name in changed if name not in claude]
    for name, tried, files in (
        ("claude-files", "~/.claude and ~/.claude.json", claude),
        ("home-files", "all other files in the home folder", other),
    ):
        leak = f"changed: {', '.join(files[:5])}" if files else ""
        yield Result(name, tried, "bytes and times unchanged", leak)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value

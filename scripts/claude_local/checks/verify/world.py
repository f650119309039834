"""A throw-away home folder full of hostile settings, and a wrapper rendered for it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from claude_local.build import build_folder
from claude_local.build.render import render
from claude_local.checks.verify.cases import ENVIRONMENT, Case
from claude_local.machine.settings import Settings

KEY = "key-of-the-local-server"


class World:
    """The folders of one session, below `folder`. `path` is a PATH with Claude Code."""

    def __init__(self, folder: Path, path: str) -> None:
        self.home = folder / "home"
        self.workspace = self.home / "code" / "project"
        self.marks = folder / "ran"
        self.client_dir = self.home / ".claude-local"
        self.temporary = folder / "tmp"
        self.build_dir = folder / "build"
        self.environment = {
            "PATH": path,
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "TERM": "xterm-256color",
        }
        for place in (self.workspace, self.marks, self.temporary):
            place.mkdir(parents=True)

    @property
    def wrapper(self) -> Path:
        return self.build_dir / "bin" / "claude-local"

    def render(self, settings: Settings, port: int, *, own_server: bool) -> None:
        """Writes the wrapper for the server on that port: our own, with its key, or an external one."""
        throw_away = dataclasses.replace(
            settings,
            home=self.home,
            build_dir=self.build_dir,
            state_dir=self.temporary / "state",
            client_dir=self.client_dir,
            engine="embedded" if own_server else "external",
            llama_port=port,
            external_url="" if own_server else f"http://127.0.0.1:{port}",
            external_key_file=None,
        )
        build_folder.apply(build_folder.plan(render(throw_away, {}), self.build_dir), self.build_dir)
        throw_away.runtime_dir.mkdir(parents=True)
        throw_away.api_key_file.write_text(KEY, encoding="utf-8")

    def plant(self, cases: Sequence[Case], urls: Mapping[str, str]) -> None:
        """Writes what the cases plant. `urls` are the servers that must not be contacted, by case name."""
        files: dict[str, Any] = {}
        for case in cases:
            _merge(files, self.filled(case, case.plants, urls[case.name]))
        self.environment |= files.pop(ENVIRONMENT, {})
        for name, content in files.items():
            root = self.home if name.startswith("~/") else self.workspace
            target = root / name[2:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    def filled(self, case: Case, texts: Mapping[str, Any], url: str = "") -> Any:
        """The texts of a case with their @ words replaced by values."""
        mark = f"touch {shlex.quote(str(self.marks / case.name))}"
        words = {
            "@URL@": url,
            "@SOCKET@": str(self.socket(case)),
            "@RUN@": mark,
            "@TRY@": f"sh -c {shlex.quote(mark)}",
            "@CANARY@": canary(case),
            "@HOME@": str(self.home),
        }
        planted = json.dumps(dict(texts))
        for word, value in words.items():
            planted = planted.replace(word, json.dumps(value)[1:-1])
        return json.loads(planted)

    def socket(self, case: Case) -> Path:
        """Path of the Unix socket of that case."""
        return self.temporary / f"{case.name}.sock"

    def ran(self, case: Case) -> bool:
        """Whether the command of that case ran."""
        return (self.marks / case.name).exists()

    def files(self) -> dict[str, str]:
        """State of each file in the home folder, except the workspace and the folder for local sessions."""
        ours = {self.client_dir, self.workspace}
        return {
            str(path.relative_to(self.home)): _facts(path)
            for path in sorted(self.home.rglob("*"))
            if ours.isdisjoint((path, *path.parents))
        }


def canary(case: Case) -> str:
    """A text that only the plants of that case contain."""
    return f"canary-{case.name}-canary"


def _facts(path: Path) -> str:
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    status = path.lstat()
    return f"{status.st_mode} {status.st_mtime_ns} {content}"


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value

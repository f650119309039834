"""The parts of a check of `invoke doctor`: a function from a `Host` to a `Finding`.

A check may raise ImportError if a Python package is missing; `doctor` reports that. No module of this folder
imports such a package at its top, so that the doctor works before anything is installed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from claude_local.client.requirements import package_line
from claude_local.foundation.samples import GpuReading
from claude_local.machine.gpus import read_gpus
from claude_local.machine.processes import Answer, ask
from claude_local.machine.settings import Settings

Level = Literal["ok", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("ok", "info", "warning", "error")
"""From best to worst."""

PROGRAM_SECONDS = 3.5
"""Time limit of a program that a check runs, below the limit of the check."""


@dataclass(frozen=True)
class Finding:
    """What a check found, and one line that fixes it."""

    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Host:
    """The machine as the checks see it."""

    settings: Settings
    environment: Mapping[str, str]
    root: Path = Path("/")
    """The folder with `proc`, `sys` and `etc`."""
    read_gpus: Callable[[], GpuReading] = read_gpus

    def program(self, name: str) -> str | None:
        """Path of a program on the PATH; None if not found."""
        return shutil.which(name, path=self.environment.get("PATH", ""))

    def ask(self, *argv: str | Path, environment: Mapping[str, str] | None = None) -> Answer:
        """Runs a program, for PROGRAM_SECONDS at most, and returns its output."""
        return ask(argv, environment=environment or self.environment, timeout_seconds=PROGRAM_SECONDS)

    def text(self, path: str) -> str:
        """The stripped text of a file below `root`; empty if it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def remedy(self, package: str) -> str:
        """The command that installs a package of the distribution."""
        return package_line(package, self.program)


@dataclass(frozen=True)
class Check:
    """One row of the table. A check that takes longer than its limit is reported as a warning."""

    name: str
    examine: Callable[[Host], Finding]
    timeout_seconds: float = 4.5


def version_of(text: str) -> tuple[int, ...]:
    """The first dotted number in a text: (20, 10, 24) for `v20.10.24+dfsg1`; () without one."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    """`1.17.8` for (1, 17, 8)."""
    return ".".join(map(str, version))

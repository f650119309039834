"""What `invoke doctor` looks at: small functions from a `Host` to a `Finding`, in one file per subject.

Every function may raise ImportError where a Python package is missing; `doctor` tells that. No module here
imports one at its top, so that the doctor helps where nothing is installed yet.
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
"""From good to bad."""

PROGRAM_SECONDS = 3.5
"""How long a program may take that a check asks."""


@dataclass(frozen=True)
class Finding:
    """What a check found, and the one line that helps."""

    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Host:
    """The machine as the checks see it."""

    settings: Settings
    environment: Mapping[str, str]
    root: Path = Path("/")
    """Where `proc`, `sys` and `etc` are."""
    read_gpus: Callable[[], GpuReading] = read_gpus

    def program(self, name: str) -> str | None:
        """Where a program lies on the PATH."""
        return shutil.which(name, path=self.environment.get("PATH", ""))

    def ask(self, *argv: str | Path, environment: Mapping[str, str] | None = None) -> Answer:
        """What a program says within PROGRAM_SECONDS."""
        return ask(argv, environment=environment or self.environment, timeout_seconds=PROGRAM_SECONDS)

    def text(self, path: str) -> str:
        """A file below `root`, stripped; empty where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def remedy(self, package: str) -> str:
        """The line that installs a package of the distribution."""
        return package_line(package, self.program)


@dataclass(frozen=True)
class Check:
    """One thing to look at. A check that needs longer is given up and told."""

    name: str
    examine: Callable[[Host], Finding]
    timeout_seconds: float = 4.5


def version_of(text: str) -> tuple[int, ...]:
    """The first dotted number in a text: (20, 10, 24) of `v20.10.24+dfsg1`; () without one."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    """`1.17.8` of (1, 17, 8)."""
    return ".".join(map(str, version))

"""The records of confined sessions by `claude-local`: which sessions run, and which were not checked afterwards.

A record is a folder `PID-START` in the state folder; templates/lib/record.bash documents its contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from claude_local.foundation.plain_text import harmless
from claude_local.machine.state_folder import SESSIONS

# Field of /proc/PID/stat after the name in brackets, from 0: start of the process in clock ticks since boot (proc(5)).
START_FIELD = 19


@dataclass(frozen=True)
class SessionRecord:
    """One record: its folder, its workspace, whether its wrapper runs and whether its session had started."""

    folder: Path
    workspace: str
    is_running: bool
    has_begun: bool


def read_records(state_dir: Path) -> list[SessionRecord]:
    """Every record in the state folder, by name."""
    return [_read(folder) for folder in sorted(SESSIONS.below(state_dir).glob("*-*")) if folder.is_dir()]


def _read(folder: Path) -> SessionRecord:
    pid, _, start = folder.name.partition("-")
    workspace = harmless(_text(folder / "workspace")) or "an unknown folder"
    stat = _text(Path("/proc") / pid / "stat").rpartition(")")[2].split()
    return SessionRecord(folder, workspace, stat[START_FIELD:][:1] == [start], (folder / "begun").exists())


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

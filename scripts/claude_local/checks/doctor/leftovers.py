"""What earlier runs left behind and can be removed without asking."""

from __future__ import annotations

import datetime
import json
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from claude_local.checks.doctor.host import Finding, Host
from claude_local.foundation.errors import Busy
from claude_local.foundation.plain_text import first_line
from claude_local.machine.state_folder import EMBEDDED

OLD_SECONDS = 3600
TEMPORARY = "claude-local-"
DEAD = ("created", "exited", "dead")
TO_START_SECONDS = 60
"""A container that was created longer ago and never ran will not be started."""


@dataclass(frozen=True)
class Leftover:
    """A stopped container of our Compose project, or an unused path."""

    text: str
    container: str = ""
    path: Path | None = None


def leftovers(host: Host) -> Finding:
    """Whether earlier runs left containers or files behind."""
    found = list(find(host))
    if not found:
        return Finding("ok", "none")
    return Finding("warning", "; ".join(leftover.text for leftover in found), "invoke doctor --fix")


def fix(host: Host) -> list[str]:
    """Removes the leftovers. One line per leftover, also for one that could not be removed."""
    return [f"{_remove(host, leftover)}: {leftover.text}" for leftover in find(host)]


def find(host: Host) -> Iterator[Leftover]:
    """All leftovers. Files younger than OLD_SECONDS are skipped: they may be in use."""
    yield from _containers(host)
    yield from _dead_process(host)
    settings = host.settings
    for folder in (settings.build_dir, settings.state_dir, settings.models_dir):
        yield from (
            Leftover(f"half-written file {path}", path=path)
            for path in _half_written(folder)
            if _is_old(path) and not path.is_symlink()
        )
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*")):
        if path.is_dir() and not path.is_symlink() and _is_mine(path, settings.user_id) and _is_old(path):
            yield Leftover(f"temporary folder {path}", path=path)


def _containers(host: Host) -> Iterator[Leftover]:
    states = [token for state in DEAD for token in ("--filter", f"status={state}")]
    label = f"label=com.docker.compose.project={host.settings.compose_project}"
    form = ("--format", "{{.Names}}\t{{.State}}\t{{.CreatedAt}}")
    listed = host.ask("docker", "ps", "--all", "--filter", label, *states, *form)
    for line in listed.output.splitlines() if listed.code == 0 else []:
        name, state, made_at = line.split("\t")
        if state != "created":
            yield Leftover(f"stopped container {name}", container=name)
        elif _seconds_since(made_at) > TO_START_SECONDS:
            yield Leftover(f"container {name}, which never started", container=name)


def _seconds_since(made_at: str) -> float:
    """Seconds since a time in Docker's format: `2026-01-31 12:00:00 +0100 CET`."""
    made = datetime.datetime.strptime(made_at.rpartition(" ")[0], "%Y-%m-%d %H:%M:%S %z")
    return time.time() - made.timestamp()


def _dead_process(host: Host) -> Iterator[Leftover]:
    """The record of an embedded server that no longer runs."""
    record = EMBEDDED.below(host.settings.state_dir) / "process.json"
    try:
        pid = int(json.loads(record.read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if not (host.root / "proc" / str(pid)).exists():
        yield Leftover(f"record of an embedded server (process {pid}) that no longer runs", path=record)


def _half_written(folder: Path) -> Iterator[Path]:
    """Temporary files of `files.write_atomic` and of an unfinished demo model."""
    digits = "[0-9a-f]" * 12
    yield from sorted([*folder.rglob(f".*.{digits}.tmp"), *folder.glob(".*.gguf.partial")])


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > OLD_SECONDS
    except OSError:
        return False


def _is_mine(path: Path, user_id: int) -> bool:
    found = path.lstat()
    return found.st_uid == user_id and not stat.S_IMODE(found.st_mode) & 0o077


def _remove(host: Host, leftover: Leftover) -> str:
    if leftover.container:
        return _remove_container(host, leftover)
    assert leftover.path is not None
    try:
        if leftover.path.is_dir():
            shutil.rmtree(leftover.path)
        else:
            leftover.path.unlink()
    except OSError as error:
        return f"not removed ({error.strerror})"
    return "removed"


def _remove_container(host: Host, leftover: Leftover) -> str:
    """Removes it under the lock: a start in progress may have created it again, or may be removing it."""
    try:
        from claude_local.lifecycle import lock
    except ImportError:  # the doctor also runs before the packages are installed
        return "not removed (Python packages are missing)"
    try:
        with lock.hold(host.settings, "doctor --fix"):
            if leftover not in _containers(host):
                return "not removed (it was started or removed meanwhile)"
            answer = host.ask("docker", "rm", leftover.container)
    except Busy as busy:
        return f"not removed ({busy.message})"
    return "removed" if answer.code == 0 else f"not removed ({answer.problem or first_line(answer.errors)})"

"""The lock of all commands that start, stop or switch models, and its holder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import psutil

from claude_local.foundation.errors import Busy
from claude_local.machine.files import PRIVATE_FILE, private_directory
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import LOCK

POLL_SECONDS = 0.1
UNNAMED_SECONDS = 1.0
"""The file is briefly empty after a holder takes the lock and before it releases it."""


@contextlib.contextmanager
def hold(
    settings: Settings, purpose: str, *, automatic: bool = False, waiting: Waiting | None = None
) -> Iterator[None]:
    """Holds the lock of all commands that start, stop or switch models.

    The kernel releases it when the process ends, for any reason. Raises Busy with the holder. With `waiting`,
    waits for an `automatic` holder: a user's command must not fail because of an automatic one.
    """
    private_directory(settings.state_dir)
    path = LOCK.below(settings.state_dir)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "r+") as file:
        unnamed_until = time.monotonic() + UNNAMED_SECONDS
        while not _take(descriptor):
            held = _read_holder(path)
            if waiting and held and held.automatic:
                waiting(held)
                unnamed_until = time.monotonic() + UNNAMED_SECONDS
            elif not waiting or held or time.monotonic() > unnamed_until:
                raise _busy(held)
            time.sleep(POLL_SECONDS)
        _say_who(file, purpose, automatic)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)


def holder(settings: Settings) -> Holder | None:
    """The current holder of the lock; None if it is free.

    Does not touch the lock, so it never blocks a command.
    """
    held = _read_holder(LOCK.below(settings.state_dir))
    try:
        # A later process may have the same number.
        alive = held and psutil.Process(held.process_id).create_time() <= held.since + 1
    except psutil.Error:
        return None
    return held if alive else None


@dataclass(frozen=True)
class Holder:
    """The holder of the lock, as written in its file."""

    purpose: str
    process_id: int
    since: float
    """Seconds since 1970."""
    automatic: bool = False
    """Whether it was not requested by a user, such as a restart after a crash."""


Waiting = Callable[[Holder], None]
"""Called repeatedly while waiting for that holder."""


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say_who(file: TextIO, purpose: str, automatic: bool) -> None:
    who = {"pid": os.getpid(), "purpose": purpose, "since": time.time(), "automatic": automatic}
    with contextlib.suppress(OSError):  # on a full disk the holder has no name, but still the lock
        file.truncate()
        json.dump(who, file)
        file.flush()


def _busy(held: Holder | None) -> Busy:
    if held is None:
        return Busy(
            "another claude-local command is running, but its name is unknown",
            hint="wait a moment and try again",
        )
    who = f"`{held.purpose}` (process {held.process_id})"
    return Busy(
        f"another command is running: {who}, for {time.time() - held.since:.0f} s",
        hint="wait for it, or press Ctrl-C where it runs",
        holder=held.purpose,
        since=held.since,
    )


def _read_holder(path: Path) -> Holder | None:
    try:
        held = json.loads(path.read_text())
        automatic = bool(held.get("automatic"))
        return Holder(str(held["purpose"]), int(held["pid"]), float(held["since"]), automatic)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None

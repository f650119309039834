"""What outlives a command: the state folder, the API key and the lock. build/ holds none of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import psutil

from claude_local.errors import Busy, UserError
from claude_local.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.settings import Settings

KEY_BYTES = 32
LOCK = "lock"
POLL_SECONDS = 0.1
UNNAMED_SECONDS = 1.0
"""A holder has no name for a moment after it takes the lock and before it lets go."""
KEY_HINT = "correct the file, or CLAUDE_LOCAL_EXTERNAL_KEY_FILE; leave that out where the server wants no key"


def prepare(settings: Settings) -> None:
    """Makes the state folders (0700) and the API key (0600) where they are missing."""
    private_directory(settings.state_dir)
    private_directory(settings.runtime_dir)
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    key_file = settings.api_key_file
    # An empty key would switch llama-server's authentication off without a word.
    if not key_file.is_file() or not key_file.read_text().strip():
        write_atomic(key_file, secrets.token_hex(KEY_BYTES).encode(), mode=PRIVATE_FILE)
    key_file.chmod(PRIVATE_FILE)


def api_key(settings: Settings) -> str:
    """The key of this machine's llama-server, or "" where none was made yet."""
    try:
        return settings.api_key_file.read_text().strip()
    except FileNotFoundError:
        return ""


def client_key(settings: Settings) -> str:
    """The key that clients send: ours, or that of somebody else's server; "local" where that wants none.

    Our own is not for strangers. Raises UserError for a key file that cannot be read or holds no key.
    """
    if not settings.is_external:
        return api_key(settings)
    file = settings.external_key_file
    if file is None:
        return "local"
    try:
        key = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(f"the key file {file} cannot be read: {why}", hint=KEY_HINT) from None
    if not (key.isascii() and key.isprintable() and key):
        raise UserError(f"the key file {file} does not hold one line with a key", hint=KEY_HINT)
    return key


@contextlib.contextmanager
def lock(
    settings: Settings, purpose: str, *, automatic: bool = False, waiting: Waiting | None = None
) -> Iterator[None]:
    """Holds the lock of everything that starts, stops or switches models.

    The kernel releases it with the process, whatever ends that. Raises Busy with the holder. With
    `waiting`, a holder that is `automatic` is waited for: nobody asked for what it does, so it is no answer
    to somebody who asks for something.
    """
    private_directory(settings.state_dir)
    path = settings.state_dir / LOCK
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
    """Who holds the lock now; None if nobody does.

    Does not touch the lock, so that looking never stands in somebody's way.
    """
    held = _read_holder(settings.state_dir / LOCK)
    try:
        # A number that a later process got again is not the holder's.
        alive = held and psutil.Process(held.process_id).create_time() <= held.since + 1
    except psutil.Error:
        return None
    return held if alive else None


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as far as it is known."""

    purpose: str
    process_id: int
    since: float
    """Seconds since 1970."""
    automatic: bool = False
    """Whether it is at work without having been asked to, such as a restart after a crash."""


Waiting = Callable[[Holder], None]
"""Called again and again while that holder is waited for."""


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say_who(file: TextIO, purpose: str, automatic: bool) -> None:
    who = {"pid": os.getpid(), "purpose": purpose, "since": time.time(), "automatic": automatic}
    with contextlib.suppress(OSError):  # a full disk takes the name, not the lock
        file.truncate()
        json.dump(who, file)
        file.flush()


def _busy(held: Holder | None) -> Busy:
    if held is None:
        return Busy("another command is at work: it does not say which", hint="wait for it, or end it")
    who = f"`{held.purpose}` (process {held.process_id})"
    return Busy(
        f"another command is at work: {who}, for {time.time() - held.since:.0f} s",
        hint="wait for it, or end it",
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

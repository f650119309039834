"""What outlives a command: the state folder, the API key and the lock. build/ holds none of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from claude_local.errors import Busy
from claude_local.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.settings import Settings

KEY_BYTES = 32


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


@contextlib.contextmanager
def lock(settings: Settings, purpose: str) -> Iterator[None]:
    """Holds the lock of everything that starts, stops or switches models.

    The kernel releases it with the process, whatever ends that. Raises Busy with the holder.
    """
    private_directory(settings.state_dir)
    path = settings.state_dir / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"another command is at work: {_holder(path)}", hint="wait for it, or end it"
            ) from None
        file.truncate()
        json.dump({"pid": os.getpid(), "purpose": purpose, "since": int(time.time())}, file)
        file.flush()
        yield


def _holder(path: Path) -> str:
    try:
        held = json.loads(path.read_text())
        seconds = int(time.time()) - int(held["since"])
        return f"`{held['purpose']}` (process {held['pid']}), for {seconds} s"
    except (OSError, ValueError, KeyError, TypeError):
        return "it does not say which"

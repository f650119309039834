"""The one place that starts other programs. Arguments are lists; no shell reads them."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from claude_local.errors import EngineFailed

TAIL_LINES = 12


def run(argv: Sequence[str | Path], *, failure: str) -> str:
    """What the program printed. Raises EngineFailed with `failure`, the end of its output in the details."""
    tokens = [str(token) for token in argv]
    try:
        done = subprocess.run(
            tokens, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError:
        raise EngineFailed(f"{failure}: `{tokens[0]}` is not installed") from None
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        raise EngineFailed(
            f"{failure} (exit code {done.returncode})",
            details=tail(output),
            hint=f"by hand: {shlex.join(tokens)}",
        )
    return output


def run_visibly(argv: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> int:
    """Runs a program on this terminal and returns its exit code."""
    tokens = [str(token) for token in argv]
    try:
        return subprocess.run(tokens, check=False, env={**os.environ, **(environment or {})}).returncode
    except FileNotFoundError:
        raise EngineFailed(f"`{tokens[0]}` is not installed") from None


def start_detached(argv: Sequence[str], *, environment: Mapping[str, str], log: Path) -> int:
    """Starts a program that outlives us, its output in `log`, and returns its process id."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            argv,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    finally:
        os.close(descriptor)
    # Whoever outlives it has to take note of its end, or it stays in the list of processes for ever.
    threading.Thread(target=process.wait, daemon=True, name=f"wait for {process.pid}").start()
    return process.pid


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a program's output."""
    return "\n".join(text.rstrip().splitlines()[-lines:])

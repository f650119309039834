"""Starts other programs; the only module that does so. Arguments are lists; no shell is involved."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from claude_local.foundation.errors import EngineFailed

TAIL_LINES = 12
KILLED_SECONDS = 1


def run(argv: Sequence[str | Path], *, failure: str) -> str:
    """The program's output. Raises EngineFailed with `failure` and the end of the output as details."""
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


@dataclass(frozen=True)
class Answer:
    """Exit code and output of a program. `code` is None if it did not start or did not end in time."""

    code: int | None
    output: str = ""
    errors: str = ""
    problem: str = ""
    """Why there is no exit code, in one line."""


def ask(
    argv: Sequence[str | Path], *, timeout_seconds: float, environment: Mapping[str, str] | None = None
) -> Answer:
    """Runs a program that may be missing, broken or stuck, in exactly this environment, else in ours.

    After the timeout it is killed together with all its children.
    """
    tokens = [str(token) for token in argv]
    try:
        process = subprocess.Popen(
            tokens,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        return Answer(None, problem=f"`{tokens[0]}` is not installed")
    except OSError as error:
        return Answer(None, problem=f"`{tokens[0]}` cannot be started: {error.strerror}")
    with process:
        return _answer(process, tokens[0], timeout_seconds)


def _answer(process: subprocess.Popen[bytes], name: str, timeout_seconds: float) -> Answer:
    try:
        output, errors = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=KILLED_SECONDS)
        return Answer(None, problem=f"`{name}` gave no answer within {timeout_seconds:g} s")
    return Answer(process.returncode, output.decode(errors="replace"), errors.decode(errors="replace"))


def run_visibly(argv: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> int:
    """Runs a program on this terminal and returns its exit code."""
    tokens = [str(token) for token in argv]
    try:
        return subprocess.run(tokens, check=False, env={**os.environ, **(environment or {})}).returncode
    except FileNotFoundError:
        raise EngineFailed(f"`{tokens[0]}` is not installed") from None


def run_watched(
    argv: Sequence[str | Path],
    on_line: Callable[[str], object],
    *,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Runs a program, passes on each line of its output immediately, and returns its exit code.

    Any exception here, Ctrl-C included, ends the program first.
    """
    tokens = [str(token) for token in argv]
    try:
        process = subprocess.Popen(
            tokens,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except FileNotFoundError:
        raise EngineFailed(f"`{tokens[0]}` is not installed") from None
    with process:
        try:
            for line in process.stdout or ():
                on_line(line.decode(errors="replace").rstrip("\r\n"))
        except BaseException:
            process.terminate()
            raise
    return process.returncode


def start_detached(argv: Sequence[str], *, environment: Mapping[str, str], log: Path) -> int:
    """Starts a program that outlives this process, with its output in `log`, and returns its process id."""
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
    # If this process lives longer, it must reap the child, or a zombie remains.
    threading.Thread(target=process.wait, daemon=True, name=f"wait for {process.pid}").start()
    return process.pid


def start_on_terminal(argv: Sequence[str | Path], terminal: int) -> subprocess.Popen[bytes]:
    """Starts a program in a new session on the terminal of a file descriptor."""
    tokens = ["setsid", "--ctty", *(str(token) for token in argv)]
    return subprocess.Popen(tokens, stdin=terminal, stdout=terminal, stderr=terminal)


@contextlib.contextmanager
def running(
    argv: Sequence[str], *, environment: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program in `folder` without output; it is killed at the end of the `with` block."""
    silent = subprocess.DEVNULL
    process = subprocess.Popen(
        argv, env=dict(environment), cwd=folder, stdin=silent, stdout=silent, stderr=silent
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def end(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Waits for a program, kills it after the timeout, and returns its exit code."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a program's output."""
    return "\n".join(text.rstrip().splitlines()[-lines:])

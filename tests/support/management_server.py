"""The management server of a test's machine: wait for it, stop it."""

from __future__ import annotations

import subprocess
import time

import psutil

from support.machine import Machine
from support.terminal import WAIT_SECONDS


def end_server(machine: Machine, server: subprocess.Popen[str]) -> None:
    """Runs `down`. The server is a child of this process, so it must be waited for while `down` runs."""
    down = machine.start("down")
    server.communicate(timeout=WAIT_SECONDS)
    down.communicate(timeout=WAIT_SECONDS)


def wait_for_api(machine: Machine) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while machine.invoke("dashboard", "--json").returncode:
        assert time.monotonic() < deadline, "the management API does not answer"


def end_management(machine: Machine) -> None:
    """Kills the management API."""
    (process,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if {"claude_local", "serve", str(machine.checkout)} <= set(process.info["cmdline"] or [])
    )
    process.kill()
    process.wait(WAIT_SECONDS)

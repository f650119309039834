"""Starts and stops the container with the scripts in build/, which call `docker compose`."""

from __future__ import annotations

import time

import psutil

from claude_local.foundation.docker_failures import first_match
from claude_local.foundation.errors import EngineFailed
from claude_local.machine.processes import run
from claude_local.machine.settings import Settings

UP, DOWN = "llama-up", "llama-down"
SETTLE_SECONDS = 60.0
SETTLE_POLL_SECONDS = 0.1


def start(settings: Settings, profile: str) -> None:
    """Starts the container with this profile. Raises EngineFailed with the cause that Docker gives."""
    try:
        run([settings.build_dir / "bin" / UP, "--no-wait", profile], failure="the container did not start")
    except EngineFailed as error:
        if cause := first_match(error.details):
            error = EngineFailed(
                f"the container did not start: {cause.sentence}", hint=cause.hint, details=error.details
            )
        raise error from None


def stop(settings: Settings) -> None:
    """Stops and removes the container."""
    run([settings.build_dir / "bin" / DOWN], failure="the container did not stop")


def settle(settings: Settings) -> None:
    """Waits for the `docker compose` of a killed command: it keeps running without its parent."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline and any(_is_ours(settings, p) for p in psutil.process_iter()):
        time.sleep(SETTLE_POLL_SECONDS)


def _is_ours(settings: Settings, process: psutil.Process) -> bool:
    try:
        argv = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    scripts = {str(settings.build_dir / "bin" / name) for name in (UP, DOWN)}
    folder = ["--project-directory", str(settings.build_dir)]
    return not scripts.isdisjoint(argv) or ("compose" in argv and set(folder) <= set(argv))

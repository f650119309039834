"""Switches models in a separate process, in which a fault occurs at a chosen moment.

Run by tests/end_to_end/test_faults.py: `python dying_switch.py ROOT PROFILE MOMENT FAULT`, settings in the environment.
MOMENT is `before` or `after` and a phase of the journal: when its record is written. Prints the outcome as JSON.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from claude_local.build import build_folder
from claude_local.foundation.errors import UserError
from claude_local.lifecycle import status, steps, up_down
from claude_local.lifecycle.request import Request
from claude_local.lifecycle.transaction import Journal
from claude_local.machine import files
from claude_local.machine.settings import Settings, load_settings
from claude_local.profiles.load import load_profiles
from support.docker_forwarder import DockerForwarder


def main() -> None:
    root, profile, moment, fault = sys.argv[1:]
    environment = dict(os.environ)
    settings = load_settings(environment, Path(root), user_id=os.getuid(), group_id=os.getgid())
    profiles = load_profiles(settings.profiles_dir)
    build_folder.refresh(settings, profiles)
    setattr(up_down, "Steps", breaking_at(moment, FAULTS[fault](settings)))  # noqa: B010  it is also a type
    try:
        up_down.switch(settings, Request(profiles[profile], profiles))
    except UserError as error:
        print(json.dumps({"error": error.message, "hint": error.hint}))
    else:
        print(json.dumps({"error": None, "hint": ""}))


def breaking_at(moment: str, break_it: Callable[[], None]) -> type[steps.Steps]:
    """The usual steps, with one fault at one moment."""
    when, _, phase = moment.partition(" ")
    done: list[int] = []

    class Breaking(steps.Steps):
        def write(self, record: Journal) -> None:
            is_it = (record.attempt.phase if record.attempt else "end") == phase and not done
            done.extend([1] if is_it else [])
            if is_it and when == "before":
                break_it()
            super().write(record)
            if is_it and when == "after":
                break_it()

    return Breaking


def die(_: Settings) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), signal.SIGKILL)


def kill_server(settings: Settings) -> Callable[[], None]:
    def kill() -> None:
        if pid := status.snapshot(settings).server_process_id:
            os.kill(pid, signal.SIGKILL)

    return kill


def kill_model(settings: Settings) -> Callable[[], None]:
    """Kills the process in the container that holds the model."""

    def kill() -> None:
        pid = status.snapshot(settings).server_process_id
        for process in psutil.Process(pid).children(recursive=True) if pid else []:
            if "--alias" in process.cmdline():
                process.kill()

    return kill


def disk_error(number: int) -> Callable[[Settings], Callable[[], None]]:
    """Makes every later write of a file fail."""

    def fault(_: Settings) -> Callable[[], None]:
        def fail(*_: Any) -> None:
            raise OSError(number, os.strerror(number))

        def break_it() -> None:
            files._write_new = fail  # type: ignore[assignment]

        return break_it

    return fault


def lose_docker(_: Settings) -> Callable[[], None]:
    """Cuts the connection to Docker Engine, for this process and every program that it starts."""
    forwarder = DockerForwarder()
    os.environ["DOCKER_HOST"] = forwarder.start()
    return forwarder.cut


def remove_container(settings: Settings) -> Callable[[], None]:
    name = f"{settings.compose_project}-llama-1"

    def remove() -> None:
        subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)

    return remove


FAULTS: dict[str, Callable[[Settings], Callable[[], None]]] = {
    "die": die,
    "kill server": kill_server,
    "kill model": kill_model,
    "remove container": remove_container,
    "disk full": disk_error(errno.ENOSPC),
    "disk broken": disk_error(errno.EIO),
    "lose docker": lose_docker,
}


if __name__ == "__main__":
    main()

"""The meaning of a container's state as Docker reports it."""

from __future__ import annotations

import datetime
from typing import Any, Literal

TO_START_SECONDS = 30.0
"""A container that was created longer ago and never ran does not start any more."""


def state_of(container: Any) -> Literal["running", "starting", "gone", "failed"]:
    """The state behind a container's status. Compose starts a container shortly after creating it."""
    status, made_at = container.status, container.attrs["Created"]
    if status == "restarting" or (status == "created" and seconds_since(made_at) < TO_START_SECONDS):
        return "starting"
    others: dict[str, Literal["running", "gone"]] = {"running": "running", "removing": "gone"}
    return others.get(status, "failed")


def how_it_ended(container: Any) -> str:
    """Why a container is not running, in words."""
    state = container.attrs["State"]
    if container.status == "paused":
        return f"the container is paused: docker unpause {container.name}"
    if container.status == "created":
        return "the container was created and did not start"
    if state.get("OOMKilled"):
        return "out of memory: the kernel killed the container"
    return f"the container is {container.status}, exit code {state.get('ExitCode')}"


def seconds_since(started_at: str) -> float:
    """Seconds since a time in Docker's format."""
    # Docker writes nanoseconds, which datetime cannot parse.
    started = datetime.datetime.fromisoformat(started_at[:19] + "+00:00")
    return round((datetime.datetime.now(datetime.UTC) - started).total_seconds(), 1)

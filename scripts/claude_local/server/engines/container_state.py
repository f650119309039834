"""What the facts that Docker tells of a container mean."""

from __future__ import annotations

import datetime
from typing import Any, Literal

TO_START_SECONDS = 30.0
"""A container that was made longer ago and never ran will not start by itself."""


def state_of(container: Any) -> Literal["running", "starting", "gone", "failed"]:
    """What a container's status means. Compose makes one and starts it a moment later, Docker restarts it."""
    status, made_at = container.status, container.attrs["Created"]
    if status == "restarting" or (status == "created" and seconds_since(made_at) < TO_START_SECONDS):
        return "starting"
    others: dict[str, Literal["running", "gone"]] = {"running": "running", "removing": "gone"}
    return others.get(status, "failed")


def how_it_ended(container: Any) -> str:
    """How a container ended, or why it does nothing, in words."""
    state = container.attrs["State"]
    if container.status == "paused":
        return f"the container is paused: docker unpause {container.name}"
    if container.status == "created":
        return "the container was made and did not start"
    if state.get("OOMKilled"):
        return "out of memory: the kernel ended the container"
    return f"the container is {container.status}, exit code {state.get('ExitCode')}"


def seconds_since(started_at: str) -> float:
    """Seconds since a time as Docker writes it."""
    # Docker writes nanoseconds, which datetime does not read.
    started = datetime.datetime.fromisoformat(started_at[:19] + "+00:00")
    return round((datetime.datetime.now(datetime.UTC) - started).total_seconds(), 1)

"""The request for a start or a switch, and the callbacks during it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from claude_local.foundation.snapshot import Snapshot
from claude_local.lifecycle.time_limits import IDLE_LIMIT_SECONDS
from claude_local.profiles.profile import Profile

Progress = Callable[[Snapshot, str], None]
"""Called while a model loads, with the snapshot and the last line of the server's log."""


def no_progress(now: Snapshot, log_line: str) -> None:
    """Shows nothing."""


@dataclass(frozen=True)
class Request:
    """The profile that should run, and the permitted side effects. Made once, where the request comes in."""

    profile: Profile
    profiles: Mapping[str, Profile]
    """All profiles: the old one starts again if the new one fails."""
    force: bool = False
    """Whether to start a model that does not fit by its plan."""
    cut_replies: bool = False
    """Whether running replies may be cut off; otherwise the switch waits for them."""
    idle_limit_seconds: float = IDLE_LIMIT_SECONDS
    """How long to wait for running replies."""


@dataclass(frozen=True)
class Observer:
    """Callbacks that show the progress. They decide nothing."""

    progress: Progress = no_progress
    on_begin: Callable[[], None] = lambda: None
    """Called after all checks have passed, before the first change."""


UNWATCHED = Observer()

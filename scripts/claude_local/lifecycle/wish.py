"""What a start or a switch is to reach, and what is called while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from claude_local.foundation.snapshot import Snapshot
from claude_local.profiles.profile import Profile

IDLE_LIMIT_SECONDS = 120.0
"""How long a switch waits for running replies where a wish names no other limit, in the API as in commands."""

Progress = Callable[[Snapshot, str], None]
"""Called while a model loads, with the snapshot and the last line of the server's log."""


def no_progress(now: Snapshot, log_line: str) -> None:
    """Shows nothing."""


@dataclass(frozen=True)
class Wish:
    """The profile that is to serve, and what that may cost. Made once, where the request comes in."""

    profile: Profile
    profiles: Mapping[str, Profile]
    """All of them: the old one comes back if the new one fails."""
    force: bool = False
    """Whether to try a model that does not fit by its plan."""
    cut_replies: bool = False
    """Whether replies that are being written may be cut; otherwise their end is waited for."""
    idle_limit_seconds: float = IDLE_LIMIT_SECONDS
    """How long their end is waited for."""


@dataclass(frozen=True)
class Observer:
    """Follows what goes on. It decides nothing."""

    progress: Progress = no_progress
    on_begin: Callable[[], None] = lambda: None
    """Called when all checks have passed and something begins to happen."""


UNWATCHED = Observer()

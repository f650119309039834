"""Limits for automatic actions: how often to restart, how soon to follow a model. Pure; times in seconds."""

from __future__ import annotations

RESTARTS = 3
WINDOW_SECONDS = 300.0
FOLLOW_AFTER_SECONDS = 2.0


class RestartLimit:
    """Allows three restarts in five minutes."""

    def __init__(self) -> None:
        self._at: list[float] = []

    def allows(self, now: float) -> bool:
        """Whether another restart is allowed; if so, it is counted."""
        self._at = [at for at in self._at if at > now - WINDOW_SECONDS]
        if len(self._at) >= RESTARTS:
            return False
        self._at.append(now)
        return True


class FollowDelay:
    """Waits until a condition has been true for two seconds without a break."""

    def __init__(self) -> None:
        self._since: float | None = None

    def is_over(self, now: float, *, is_true: bool) -> bool:
        """Whether the wait is over; if so, the next one begins."""
        if not is_true:
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        if now - self._since < FOLLOW_AFTER_SECONDS:
            return False
        self._since = None
        return True

"""When to act unasked: how often to start again what dies, how soon to follow a model. Pure; times in seconds."""

from __future__ import annotations

RESTARTS = 3
WINDOW_SECONDS = 300.0
FOLLOW_AFTER_SECONDS = 2.0


class RestartLimit:
    """Allows three restarts in five minutes."""

    def __init__(self) -> None:
        self._at: list[float] = []

    def allows(self, now: float) -> bool:
        """Whether one more is allowed; it counts from then on."""
        self._at = [at for at in self._at if at > now - WINDOW_SECONDS]
        if len(self._at) >= RESTARTS:
            return False
        self._at.append(now)
        return True


class FollowDelay:
    """Waits until something has been true for two seconds without a break."""

    def __init__(self) -> None:
        self._since: float | None = None

    def is_over(self, now: float, *, is_true: bool) -> bool:
        """Whether the wait is over; the next one begins then."""
        if not is_true:
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        if now - self._since < FOLLOW_AFTER_SECONDS:
            return False
        self._since = None
        return True

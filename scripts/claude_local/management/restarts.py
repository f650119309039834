"""How often something that dies is started again."""

from __future__ import annotations

RESTARTS = 3
WINDOW_SECONDS = 300.0


class RestartLimit:
    """Allows three restarts in five minutes."""

    def __init__(self) -> None:
        self._at: list[float] = []

    def allows(self, now: float) -> bool:
        """Whether one more is allowed; it counts from then on. `now` is in seconds."""
        self._at = [at for at in self._at if at > now - WINDOW_SECONDS]
        if len(self._at) >= RESTARTS:
            return False
        self._at.append(now)
        return True

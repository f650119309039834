"""The data that a frame of the dashboard is drawn from. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from claude_local.foundation.snapshot import STOPPED, ModelEntry, Snapshot


@dataclass(frozen=True)
class LogTail:
    """The newest lines of the server's log. Numbers start at 0 with the first line received."""

    first: int = 0
    """The number of the oldest line kept."""
    lines: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """The number that the next line will get."""
        return self.first + len(self.lines)


@dataclass(frozen=True)
class History:
    """Measurements, one a second, oldest first."""

    gpu_utilization_percent: dict[int, tuple[float | None, ...]] = field(default_factory=dict)
    """By the position of the GPU in the snapshot."""
    generation_tokens_per_second: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Scene:
    """The known state at one moment."""

    now: Snapshot = STOPPED
    log: LogTail = field(default_factory=LogTail)
    models: tuple[ModelEntry, ...] = ()
    history: History = field(default_factory=History)
    time: float = 0.0
    """Seconds since 1970."""
    trouble: str = ""
    """Why the data may be old: the server does not answer. "" while it answers."""
    notice: str = ""
    """The server's refusal of the last request: the cause, and a line for each hint."""

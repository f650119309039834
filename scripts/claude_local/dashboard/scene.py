"""Everything that a frame of the dashboard is drawn from, as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from claude_local.foundation.snapshot import STOPPED, Snapshot


@dataclass(frozen=True)
class LogTail:
    """The newest lines of the server's log. Lines are numbered since we began to listen, from 0."""

    first: int = 0
    """The number of the oldest line that is still here."""
    lines: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """The number that the next line will get."""
        return self.first + len(self.lines)


@dataclass(frozen=True)
class ModelChoice:
    """One profile that could be served, as `/models` lists it."""

    name: str
    description: str = ""
    aliases: tuple[str, ...] = ()
    size_bytes: int | None = None
    context_tokens: int | None = None
    """What the profile asks for; None where llama-server fits it to the memory."""
    on_disk: bool = True
    verdict: str | None = None
    """Whether it fits into this machine's memory, in words; None where nobody has worked it out."""


@dataclass(frozen=True)
class History:
    """What was measured once a second, oldest first."""

    gpu_utilization_percent: dict[int, tuple[float | None, ...]] = field(default_factory=dict)
    """By the position of the GPU in the snapshot."""
    generation_tokens_per_second: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Scene:
    """What is known at one moment."""

    now: Snapshot = STOPPED
    log: LogTail = field(default_factory=LogTail)
    models: tuple[ModelChoice, ...] = ()
    history: History = field(default_factory=History)
    time: float = 0.0
    """Seconds since 1970."""
    trouble: str = ""
    """Why what is shown may be old: the server does not answer. "" while it does."""
    notice: str = ""
    """What the server said to our last request, if it refused: the cause, and a line for each hint."""

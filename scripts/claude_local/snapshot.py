"""What is true now, as data. Everything that shows a state draws it from here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["stopped", "starting", "loading", "ready", "unloaded", "failed"]
"""`unloaded`: the engine runs, but its active model is not in memory until somebody asks for it."""


@dataclass(frozen=True)
class Snapshot:
    """The engine and its active model. None is "not known", for instance before the first request."""

    state: State
    engine: str | None = None
    """`docker`, `embedded` or `external`."""
    profile: str | None = None
    """The profile that `local-llama` means."""
    model_file: str | None = None
    base_url: str | None = None
    build: str | None = None
    """The name that the server gives to its own version."""
    context_tokens_per_slot: int | None = None
    slots: int | None = None
    slots_busy: int | None = None
    uptime_seconds: float | None = None
    prompt_tokens_per_second: float | None = None
    generation_tokens_per_second: float | None = None
    load_fraction: float | None = None
    """How much of a loading model is in memory, from 0 to 1."""
    reason: str | None = None
    """Why the state is `failed`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with the field names as keys."""
        return asdict(self)


STOPPED = Snapshot(state="stopped")

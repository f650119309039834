"""The current state, as data. Every view of it is drawn from this."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from claude_local.foundation.samples import GpuReading, SystemSample

State = Literal["stopped", "starting", "loading", "ready", "unloaded", "failed"]
"""`unloaded`: the engine runs, but its active model is not in memory until the next request."""

Outcome = Literal["switched", "went back", "nothing changed", "failed"]
"""How a switch ended: the new model serves; the old one serves again; the old one never stopped; no model serves."""

UNKNOWN_BUILD = "b0-unknown"
"""The version string of a llama-server that was built without git history, as in the embedded engine."""


@dataclass(frozen=True)
class SlotUse:
    """One slot of the server: a conversation in its memory."""

    context_tokens: int
    """Capacity."""
    used_tokens: int
    """Prompt and answer of its last request."""
    busy: bool


@dataclass(frozen=True)
class Turn:
    """One answered request: how much of its prompt was cached."""

    slot: int
    prompt_tokens: int
    cached_tokens: int
    """Those of `prompt_tokens` that were cached and not processed again."""
    answer_tokens: int
    prompt_tokens_per_second: float | None
    generation_tokens_per_second: float | None
    reason: str | None = None
    """Why much of the prompt was processed again; None if little was."""


@dataclass(frozen=True)
class LastSwitch:
    """The last completed start or switch of a model."""

    from_profile: str | None
    """None if no model served before."""
    to_profile: str
    seconds: float
    outcome: Outcome
    ended_at: float
    """Seconds since 1970."""
    reason: str | None = None
    """Why the outcome is not `switched`."""

    @property
    def outcome_in_words(self) -> str:
        """The outcome in words; a first start is not called a switch."""
        return "started" if self.outcome == "switched" and not self.from_profile else self.outcome


@dataclass(frozen=True)
class Work:
    """A start, stop or switch in progress."""

    purpose: str
    """For instance `switch glm`."""
    phase: str | None
    since: float
    """Seconds since 1970."""
    process_id: int


@dataclass(frozen=True)
class Snapshot:
    """The engine and its active model. None is "unknown", for instance before the first request."""

    state: State
    engine: str | None = None
    """`docker`, `embedded` or `external`."""
    profile: str | None = None
    """The profile behind `local-llama`."""
    model_file: str | None = None
    base_url: str | None = None
    api_key_file: str | None = None
    """The file with the key that clients send; None if the server needs no key."""
    command: str | None = None
    """The generated wrapper that starts Claude Code on this model."""
    build: str | None = None
    """The version string that the server reports."""
    loaded_profile: str | None = None
    """The profile in memory. It differs from `profile` after a request that named another profile."""
    context_tokens_per_slot: int | None = None
    slots: int | None = None
    slots_busy: int | None = None
    slot_uses: tuple[SlotUse, ...] = ()
    requests_waiting: int | None = None
    """Requests waiting for a slot."""
    cache_hit_fraction: float | None = None
    """Cached share of all prompt tokens since the model was loaded, from 0 to 1."""
    uptime_seconds: float | None = None
    server_process_id: int | None = None
    """The root process of the server."""
    prompt_tokens_per_second: float | None = None
    generation_tokens_per_second: float | None = None
    load_fraction: float | None = None
    """Loaded part of a model that is being loaded, from 0 to 1."""
    reason: str | None = None
    """Why the state is `failed`."""
    work: Work | None = None
    last_switch: LastSwitch | None = None
    turns: tuple[Turn, ...] = ()
    """The last requests, oldest first. Like `cards` and `system`, only filled while a client is watching."""
    cards: GpuReading | None = None
    system: SystemSample | None = None

    @property
    def engine_and_build(self) -> str:
        """The engine, and the build if the server reports one."""
        build = "" if self.build in (None, UNKNOWN_BUILD) else self.build
        return f"{self.engine or ''} {build}".strip()

    @property
    def slots_in_words(self) -> str:
        """`one slot`, `each of 4 slots`."""
        return "one slot" if self.slots == 1 else f"each of {self.slots} slots"

    @property
    def is_idle(self) -> bool:
        """Whether no request is running or waiting, according to the model in memory."""
        is_known = self.slots is not None or self.loaded_profile is None
        return is_known and not self.slots_busy and not self.requests_waiting

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with the field names as keys."""
        return asdict(self)


STOPPED = Snapshot(state="stopped")


@dataclass(frozen=True)
class ModelEntry:
    """One profile, as `GET /models` lists it."""

    name: str
    aliases: tuple[str, ...]
    title: str
    description: str
    file: str
    """Path of the model file, relative to the models folder."""
    size_bytes: int | None
    """Size of the file on disk, else the size in the profile; None if neither is known."""
    on_disk: bool
    context_tokens: int | None
    """The context set in the profile, or the model's own; None if llama-server fits it to the memory."""
    tested_on: str | None
    verdict: str
    """Whether it fits into this machine's memory, in words."""
    active: bool
    """Whether `local-llama` is this profile."""
    loaded: bool
    """Whether it is in memory."""


@dataclass(frozen=True)
class ModelList:
    """The answer of `GET /models`."""

    models: tuple[ModelEntry, ...]

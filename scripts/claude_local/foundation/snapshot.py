"""What is true now, as data. Everything that shows a state draws it from here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from claude_local.foundation.samples import GpuReading, SystemSample

State = Literal["stopped", "starting", "loading", "ready", "unloaded", "failed"]
"""`unloaded`: the engine runs, but its active model is not in memory until somebody asks for it."""

Outcome = Literal["switched", "went back", "nothing changed", "failed"]
"""How a switch ended: the new model serves; the old one serves again; the old one never stopped; none serves."""

UNKNOWN_BUILD = "b0-unknown"
"""What llama-server calls itself where it was built without its history, as in the embedded engine."""


@dataclass(frozen=True)
class SlotUse:
    """One slot of the server: a conversation that it keeps in memory."""

    context_tokens: int
    """Room for so many."""
    used_tokens: int
    """Prompt and answer of its last request."""
    busy: bool


@dataclass(frozen=True)
class Turn:
    """One request that was answered: how much of its prompt was there already."""

    slot: int
    prompt_tokens: int
    cached_tokens: int
    """Of `prompt_tokens`, those that were not read again."""
    answer_tokens: int
    prompt_tokens_per_second: float | None
    generation_tokens_per_second: float | None
    reason: str | None = None
    """Why much of the prompt had to be read again; None where little had."""


@dataclass(frozen=True)
class LastSwitch:
    """The last start or switch of a model that came to an end."""

    from_profile: str | None
    """None where nothing served before."""
    to_profile: str
    seconds: float
    outcome: Outcome
    ended_at: float
    """Seconds since 1970."""
    reason: str | None = None
    """Why it is not `switched`."""

    @property
    def outcome_in_words(self) -> str:
        """The outcome; a first start is no switch."""
        return "started" if self.outcome == "switched" and not self.from_profile else self.outcome


@dataclass(frozen=True)
class Work:
    """A start, stop or switch that goes on now."""

    purpose: str
    """For instance `switch glm`."""
    phase: str | None
    since: float
    """Seconds since 1970."""
    process_id: int


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
    api_key_file: str | None = None
    """The file with the key that clients send; None where the server wants none."""
    command: str | None = None
    """The generated wrapper that starts Claude Code on this model."""
    build: str | None = None
    """The name that the server gives to its own version."""
    loaded_profile: str | None = None
    """The profile in memory. Another than `profile` after a request by another profile's own name."""
    context_tokens_per_slot: int | None = None
    slots: int | None = None
    slots_busy: int | None = None
    slot_uses: tuple[SlotUse, ...] = ()
    requests_waiting: int | None = None
    """Requests that wait for a slot."""
    cache_hit_fraction: float | None = None
    """Share of all prompt tokens since the model was loaded that were not read again, from 0 to 1."""
    uptime_seconds: float | None = None
    server_process_id: int | None = None
    """The first process of the server; its children belong to it."""
    prompt_tokens_per_second: float | None = None
    generation_tokens_per_second: float | None = None
    load_fraction: float | None = None
    """How much of a loading model is in memory, from 0 to 1."""
    reason: str | None = None
    """Why the state is `failed`."""
    work: Work | None = None
    last_switch: LastSwitch | None = None
    turns: tuple[Turn, ...] = ()
    """The last requests, oldest first. Like `cards` and `system` only filled while somebody looks."""
    cards: GpuReading | None = None
    system: SystemSample | None = None

    @property
    def engine_and_build(self) -> str:
        """The engine, and the build where the server knows its own."""
        build = "" if self.build in (None, UNKNOWN_BUILD) else self.build
        return f"{self.engine or ''} {build}".strip()

    @property
    def slots_in_words(self) -> str:
        """`one slot`, `each of 4 slots`."""
        return "one slot" if self.slots == 1 else f"each of {self.slots} slots"

    @property
    def is_idle(self) -> bool:
        """Whether no request is answered and none waits, as far as a model in memory says."""
        is_told = self.slots is not None or self.loaded_profile is None
        return is_told and not self.slots_busy and not self.requests_waiting

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
    """Of the file on disk, else as the profile says; None where neither is known."""
    on_disk: bool
    context_tokens: int | None
    """What the profile asks for; None where llama-server fits it to the memory."""
    tested_on: str | None
    verdict: str
    """Whether it fits into this machine's memory, in words."""
    active: bool
    """Whether `local-llama` means it."""
    loaded: bool
    """Whether it is in memory."""


@dataclass(frozen=True)
class ModelList:
    """The answer of `GET /models`."""

    models: tuple[ModelEntry, ...]

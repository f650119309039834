"""The verdict whether a model fits, as data, from needed and free memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from claude_local.foundation.samples import GpuReading, GpuSample

Outcome = Literal["fits", "offloads", "does not fit", "unknown"]
Likelihood = Literal["", "probably", "perhaps"]
"""`perhaps` is close to a limit: some models of this size fit, others do not."""

CPU = "CPU"
MIB = 2**20
GB = 1e9

CPU_MARGIN_MIB = 1024
"""MiB of RAM to keep free."""


@dataclass(frozen=True)
class Hardware:
    """The memory available to a model."""

    ram_total_bytes: int
    ram_available_bytes: int
    reading: GpuReading

    @property
    def cards(self) -> tuple[GpuSample, ...]:
        """The cards that report their memory; of a card with MIG instances only the first, as CUDA uses no more."""
        first = {gpu.index: gpu for gpu in reversed(self.reading.gpus) if gpu.memory_total_bytes}
        return tuple(gpu for gpu in self.reading.gpus if first.get(gpu.index) is gpu)

    @property
    def cards_by_name(self) -> dict[str, int]:
        """The free bytes of each card by its name in llama.cpp."""
        return {f"CUDA{gpu.index}": free_bytes(gpu) for gpu in self.cards}

    @property
    def free_bytes(self) -> int:
        """Free bytes of RAM and cards together."""
        return self.ram_available_bytes + sum(map(free_bytes, self.cards))


@dataclass(frozen=True)
class Device:
    """A card, or the CPU with its RAM: the memory of the model there, and the free memory without it."""

    name: str
    weights_bytes: int
    cache_bytes: int
    compute_bytes: int
    free_bytes: int | None = None
    """None: unknown."""

    @property
    def used_bytes(self) -> int:
        return self.weights_bytes + self.cache_bytes + self.compute_bytes

    @property
    def margin_bytes(self) -> int | None:
        """The bytes that stay free; below 0 the model does not fit."""
        return None if self.free_bytes is None else self.free_bytes - self.used_bytes


@dataclass(frozen=True)
class FitVerdict:
    """Whether a profile's model fits on this machine now, and why."""

    profile: str
    outcome: Outcome
    reason: str = ""
    """One line: why the outcome is unknown or the model does not fit."""
    source: str = ""
    """`llama-fit-params`, `model file` or `the size in the profile`."""
    notes: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    offloaded_bytes: int = 0
    """Weights in RAM that would be on a card if there were room."""
    layers: int | None = None
    layers_on_cpu: int | None = None
    expert_layers_on_cpu: int | None = None
    """Layers whose experts are computed by the CPU."""
    context_tokens: int | None = None
    largest_context_tokens: int | None = None
    """The largest context that fits without offloading more."""
    tokens_per_second: float | None = None
    """Measured on this machine; None: never measured."""
    likelihood: Likelihood = ""
    """Confidence of an estimate from the size in the profile alone; "" for an exact verdict."""

    @property
    def text(self) -> str:
        """The verdict in a few words; an estimate is prefixed with its likelihood."""
        return f"{self.likelihood} {self._text}".lstrip()

    @property
    def _text(self) -> str:
        if self.outcome == "offloads":
            return f"offloads {self.offloaded_bytes / GB:.1f} GB to CPU"
        if self.outcome == "unknown":
            return f"not known: {self.reason}"
        return f"does not fit: {self.reason}" if self.reason else self.outcome

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        devices = [
            {**asdict(device), "used_bytes": device.used_bytes, "margin_bytes": device.margin_bytes}
            for device in self.devices
        ]
        return {**asdict(self), "devices": devices, "text": self.text}


def free_bytes(gpu: GpuSample) -> int:
    """Free bytes on a card."""
    return (gpu.memory_total_bytes or 0) - (gpu.memory_used_bytes or 0)


def judge(devices: Sequence[Device], embedding_bytes: int) -> tuple[Outcome, str, int]:
    """Outcome, reason and offloaded bytes of a model with this placement.

    `embedding_bytes` are in RAM even if everything else is on cards.
    """
    short = [device for device in devices if device.margin_bytes is not None and device.margin_bytes < 0]
    cards = [device for device in devices if device.name != CPU]
    in_ram = sum(device.weights_bytes for device in devices if device.name == CPU)
    offloaded = max(0, in_ram - embedding_bytes) if cards else 0
    if short:
        missing = ", ".join(
            f"{'RAM' if device.name == CPU else device.name} is {-(device.margin_bytes or 0) / GB:.1f} GB short"
            for device in short
        )
        return "does not fit", missing, offloaded
    # llama-fit-params counts in whole MiB, and the norms of offloaded experts stay on their card.
    return ("offloads" if offloaded > 2 * MIB else "fits"), "", offloaded

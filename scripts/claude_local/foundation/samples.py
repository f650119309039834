"""What the machine's sensors said at one moment, as data. None is "this sensor does not say"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GpuSample:
    """One GPU, or one MIG instance of a GPU, in NVML's order."""

    index: int
    """NVML's number of the card; the instances of a card in MIG mode share it."""
    uuid: str | None = None
    name: str | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    utilization_percent: float | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    temperature_celsius: float | None = None
    graphics_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    compute_capability: str | None = None
    """As NVIDIA writes it, for instance `8.9`."""
    drives_display: bool | None = None
    problem: str | None = None
    """One line on why this card cannot be used or read; its sensors are None then."""


@dataclass(frozen=True)
class GpuReading:
    """All GPUs of the machine at one moment."""

    gpus: tuple[GpuSample, ...] = ()
    driver_version: str | None = None
    cuda_version: str | None = None
    """The newest CUDA that this driver runs, for instance `13.0`."""
    problem: str | None = None
    """One line on why there are no GPUs in the list."""


@dataclass(frozen=True)
class SystemSample:
    """The computer, and what the server takes of it."""

    cpu_percent: float | None = None
    """Of all cores together, from 0 to 100."""
    load_1_minute: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    swap_used_bytes: int | None = None
    swap_total_bytes: int | None = None
    container_cpu_percent: float | None = None
    """Of one core, as in `docker stats`: 200 is two cores at work. The embedded engine counts too."""
    container_memory_bytes: int | None = None

"""Sensor readings of the machine at one moment, as data. None means "not available"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GpuSample:
    """One GPU, or one MIG instance of a GPU, in NVML's order."""

    index: int
    """NVML's index of the card; all MIG instances of a card share it."""
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
    """In NVIDIA's notation, for instance `8.9`."""
    drives_display: bool | None = None
    problem: str | None = None
    """One line: why this card cannot be used or read. Its sensors are None then."""


@dataclass(frozen=True)
class GpuReading:
    """All GPUs of the machine at one moment."""

    gpus: tuple[GpuSample, ...] = ()
    driver_version: str | None = None
    cuda_version: str | None = None
    """The newest CUDA version that this driver supports, for instance `13.0`."""
    problem: str | None = None
    """One line: why the list has no GPUs."""


@dataclass(frozen=True)
class SystemSample:
    """The computer's CPU and memory, and the server's share."""

    cpu_percent: float | None = None
    """Load of all cores together, from 0 to 100."""
    load_1_minute: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    swap_used_bytes: int | None = None
    swap_total_bytes: int | None = None
    container_cpu_percent: float | None = None
    """In percent of one core, as in `docker stats`: 200 is two busy cores. Also set for the embedded engine."""
    container_memory_bytes: int | None = None

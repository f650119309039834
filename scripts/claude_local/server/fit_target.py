"""The memory that llama-server leaves free on each card, if neither the user nor a profile sets it."""

from __future__ import annotations

from claude_local.foundation.samples import GpuReading

# MiB that stay free on a card. llama.cpp counts neither CUDA's own memory nor fragmentation; a desktop
# takes more while it is used.
DEDICATED_MARGIN_MIB = 768
DISPLAY_MARGIN_MIB = 2048
DEFAULT_MARGIN_MIB = 1024
"""llama.cpp's own."""


def fit_targets(reading: GpuReading) -> str:
    """MiB that stay free on each card, in the form of `--fit-target`; empty without cards.

    Little on a card that only computes, more on one that drives a display. NVML counts cards in PCI order,
    so llama-server must do the same (CUDA_DEVICE_ORDER).
    """
    free = [DISPLAY_MARGIN_MIB if gpu.drives_display else DEDICATED_MARGIN_MIB for gpu in reading.gpus]
    return ",".join(map(str, free))


def margins(target: str, reading: GpuReading) -> tuple[int, ...]:
    """MiB that stay free on each card, from a `--fit-target` or, if it is empty, from the defaults.

    A single value is for every card; a card without a value gets llama.cpp's default.
    """
    values = [int(part) if part.strip().isdigit() else DEFAULT_MARGIN_MIB for part in target.split(",")]
    if not target:
        return tuple(int(part) for part in fit_targets(reading).split(",") if part)
    missing = values[0] if len(values) == 1 else DEFAULT_MARGIN_MIB
    return tuple((*values, *(missing for _ in reading.gpus))[: len(reading.gpus)])

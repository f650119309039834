"""The memory that llama-server leaves free on each card, if neither the user nor a profile sets it."""

from __future__ import annotations

from claude_local.foundation.samples import GpuReading

# MiB that stay free on a card. llama.cpp counts neither CUDA's own memory nor fragmentation; a desktop
# takes more while it is used.
DEDICATED_MARGIN_MIB = 768
DISPLAY_MARGIN_MIB = 2048


def fit_targets(reading: GpuReading) -> str:
    """MiB that stay free on each card, in the form of `--fit-target`; empty without cards.

    Little on a card that only computes, more on one that drives a display. NVML counts cards in PCI order,
    so llama-server must do the same (CUDA_DEVICE_ORDER).
    """
    margins = [DISPLAY_MARGIN_MIB if gpu.drives_display else DEDICATED_MARGIN_MIB for gpu in reading.gpus]
    return ",".join(map(str, margins))

"""How much memory llama-server leaves free on each card, where neither a person nor a profile says."""

from __future__ import annotations

from claude_local.foundation.samples import GpuReading

# MiB that stay free on a card. llama.cpp counts neither CUDA's own memory nor what fragments; a desktop
# takes more while it is used.
DEDICATED_MARGIN_MIB = 768
DISPLAY_MARGIN_MIB = 2048


def fit_targets(reading: GpuReading) -> str:
    """MiB that stay free on each card, as `--fit-target` takes them; empty without cards.

    Little on a card that only computes, more on one that drives a display. NVML counts cards in PCI order,
    so llama-server has to as well (CUDA_DEVICE_ORDER).
    """
    margins = [DISPLAY_MARGIN_MIB if gpu.drives_display else DEDICATED_MARGIN_MIB for gpu in reading.gpus]
    return ",".join(map(str, margins))

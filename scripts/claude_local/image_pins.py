"""What the llama-server image is built from. Change pins here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImagePins:
    """What the image is built from."""

    repository: str
    commit: str
    """Full id of the llama.cpp commit."""
    build: str
    """Upstream's name for that commit."""
    build_base: str
    runtime_base: str
    architectures: str
    """CMAKE_CUDA_ARCHITECTURES: RTX 40 series and RTX 50 series."""


# 2026-11-21: first pin. Newer than the fix of the router's eviction race (llama.cpp PR 29217, first
# in b11146), and CUDA 12.8, the oldest that compiles for the RTX 50 series, so that older drivers do.
PINS = ImagePins(
    repository="https://github.com/ggml-org/llama.cpp",
    commit="3d65c90d04d337e88f2b1f7f0061f40a5324e662",
    build="b11515",
    build_base="nvidia/cuda:12.8.1-devel-ubuntu24.04"
    "@sha256:520292dbb4f755fd360766059e62956e9379485d9e073bbd2f6e3c20c270ed66",
    runtime_base="nvidia/cuda:12.8.1-runtime-ubuntu24.04"
    "@sha256:ebef3c171eeef0298e4eb2e4be843105edf3b8b0ac45e0b43acee358e8046867",
    architectures="89-real;120a-real",
)

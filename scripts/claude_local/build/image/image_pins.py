"""What the llama-server image is built from. Change pins here and nowhere else.

A git commit id is a hash over the commit, which holds the hash of its tree, which holds the hash of every
file: the build compares `git rev-parse HEAD` with the pinned id, so no other source can be built. A `tree`
that is known is compared as well. None was looked up for this pin, and None says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourcePin:
    """One commit of llama.cpp."""

    repository: str
    commit: str
    """Full id."""
    build: str
    """Upstream's name for it: `b` and the number of commits before it."""
    tree: str | None
    """Full id of its tree (`git rev-parse COMMIT^{tree}`); None: not known here."""


@dataclass(frozen=True)
class Variant:
    """What differs between an image for NVIDIA cards, for other cards, and for the CPU."""

    build_base: str
    runtime_base: str
    cmake_flags: tuple[str, ...] = ()
    build_packages: tuple[str, ...] = ()
    runtime_packages: tuple[str, ...] = ()
    prebuilt: str | None = None
    """The official image for people who do not want to compile; None: none is pinned."""
    bytes_per_job: int = 1_500_000_000
    """Memory that one compiler process can take."""


# 2026-11-21: first pin. Newer than the fix of the router's eviction race (llama.cpp PR 29217, first
# in b11146).
SOURCE = SourcePin(
    repository="https://github.com/ggml-org/llama.cpp",
    commit="3d65c90d04d337e88f2b1f7f0061f40a5324e662",
    build="b11515",
    tree=None,
)

# RTX 40 series and RTX 50 series; `120` without the `a` lacks the FP4 tensor cores.
DEFAULT_ARCHITECTURES = "89-real;120a-real"

# What upstream compiles where nobody says: the official image runs on all of them.
PREBUILT_ARCHITECTURES = (
    "50-virtual;61-virtual;70-virtual;75-virtual;80-virtual;86-real;89-real;90-virtual;120a-real"
)

# 2026-11-21: the image of May 2026 behind the tag.
UBUNTU = "ubuntu:24.04@sha256:786a8b558f7be160c6c8c4a54f9a57274f3b4fb1491cf65146521ae77ff1dc54"

VARIANTS = {
    # 2026-11-21: CUDA 12.8, the oldest that compiles for the RTX 50 series, so that older drivers do.
    "cuda": Variant(
        build_base="nvidia/cuda:12.8.1-devel-ubuntu24.04"
        "@sha256:520292dbb4f755fd360766059e62956e9379485d9e073bbd2f6e3c20c270ed66",
        runtime_base="nvidia/cuda:12.8.1-runtime-ubuntu24.04"
        "@sha256:ebef3c171eeef0298e4eb2e4be843105edf3b8b0ac45e0b43acee358e8046867",
        cmake_flags=("-DGGML_CUDA=ON", "-DCMAKE_CUDA_COMPILER_LAUNCHER=ccache"),
        prebuilt="ghcr.io/ggml-org/llama.cpp:server-cuda-b11206"
        "@sha256:3e7673cce183a55f97a1bc3c80817f3c61452483c13bc088a6766388af4775fe",
        bytes_per_job=2_500_000_000,  # nvcc
    ),
    # Package names as upstream's guide has them for Ubuntu 24.04 (docs/build.md, "Using system packages").
    "vulkan": Variant(
        build_base=UBUNTU,
        runtime_base=UBUNTU,
        cmake_flags=("-DGGML_VULKAN=ON",),
        build_packages=("glslc", "libvulkan-dev", "spirv-headers"),
        runtime_packages=("libvulkan1", "mesa-vulkan-drivers"),
    ),
    "cpu": Variant(build_base=UBUNTU, runtime_base=UBUNTU),
}

BUILD_PACKAGES = ("ca-certificates", "ccache", "cmake", "g++", "git", "ninja-build")
RUNTIME_PACKAGES = ("libgomp1",)

# Every CPU gets the variant that suits it, loaded at run time. No web page is built in, as ours is used
# and upstream's would be downloaded during the build; no TLS, as the container has no way out.
CMAKE_FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_C_COMPILER_LAUNCHER=ccache",
    "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",
    "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined",
    "-DGGML_NATIVE=OFF",
    "-DGGML_BACKEND_DL=ON",
    "-DGGML_CPU_ALL_VARIANTS=ON",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
)

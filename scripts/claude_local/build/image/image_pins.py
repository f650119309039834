"""The sources and base images of the llama-server image. Pins are changed here and nowhere else.

A git commit id is a hash over the commit, which contains the hash of its tree, which contains the hash of every
file. The build compares `git rev-parse HEAD` with the pinned id, so no other source can be built. A known
`tree` is compared as well; for this pin it was not looked up, so it is None.
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
    """Upstream's name of the build: `b` and the number of commits before it."""
    tree: str | None
    """Full id of its tree (`git rev-parse COMMIT^{tree}`); None if unknown."""


@dataclass(frozen=True)
class Variant:
    """The differences between images for NVIDIA cards, for other cards and for the CPU."""

    build_base: str
    runtime_base: str
    cmake_flags: tuple[str, ...] = ()
    build_packages: tuple[str, ...] = ()
    runtime_packages: tuple[str, ...] = ()
    prebuilt: str | None = None
    """The official image, to use instead of compiling; None if no official image is pinned."""
    bytes_per_job: int = 1_500_000_000
    """Memory that one compiler process may need."""


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

# Upstream's default architectures, which the official image contains.
PREBUILT_ARCHITECTURES = (
    "50-virtual;61-virtual;70-virtual;75-virtual;80-virtual;86-real;89-real;90-virtual;120a-real"
)

# 2026-11-21: the tag points to the image of May 2026.
UBUNTU = "ubuntu:24.04@sha256:786a8b558f7be160c6c8c4a54f9a57274f3b4fb1491cf65146521ae77ff1dc54"

VARIANTS = {
    # 2026-11-21: CUDA 12.8, the oldest that compiles for the RTX 50 series, because older drivers support it.
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
    # Package names of upstream's guide for Ubuntu 24.04 (docs/build.md, "Using system packages").
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

# CPU code comes in variants; the best one for the CPU is loaded at run time. The image has no web page, because
# claude-local has its own and upstream's would be downloaded during the build, and no TLS, because the container
# has no network access to the outside.
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

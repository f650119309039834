"""Every variant of the image, built by BuildKit from the stand-in: its CMake flags and its packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.build.image.image_pins import CMAKE_FLAGS, RUNTIME_PACKAGES, VARIANTS
from support.images import Images, docker, stand_in
from support.machine import Machine

pytestmark = pytest.mark.docker

# Writes all CMake cache variables, including our flags, to a file beside the programs.
WRITE_FLAGS = r"""
get_cmake_property(names CACHE_VARIABLES)
foreach(name IN LISTS names)
  file(APPEND ${CMAKE_BINARY_DIR}/bin/flags.txt "-D${name}=${${name}}\n")
endforeach()
"""
DEFAULT_CARDS = "-DCMAKE_CUDA_ARCHITECTURES=89-real;120a-real"
OURS = {
    flag.partition("=")[0]
    for own in VARIANTS.values()
    for flag in (DEFAULT_CARDS, *CMAKE_FLAGS, *own.cmake_flags)
}
COUNT_DEVICES = "import ctypes; print(ctypes.CDLL('/opt/llama/libggml-vulkan.so').device_count())"


def build(machine: Machine, images: Images, bases: list[str], variant: str, source: Path) -> None:
    chosen = ["--variant", variant, "--source", str(source)]
    machine.invoke_ok("build-image", *chosen, *images.options(bases))


def inside(image: str, *argv: str) -> str:
    """The output of a program in the image, run as the image's user."""
    return docker("run", "--rm", "--network", "none", "--entrypoint", argv[0], image, *argv[1:])


def chosen_packages(image: str) -> set[str]:
    """The packages that were installed by name, not as dependencies."""
    return set(inside(image, "apt-mark", "showmanual").split())


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_is_built_with_its_flags_and_has_its_packages(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path, variant: str
) -> None:
    own = VARIANTS[variant]
    flags = {*CMAKE_FLAGS, *own.cmake_flags, *([DEFAULT_CARDS] if variant == "cuda" else [])}
    source = stand_in(tmp_path / "llama.cpp", {"CMakeLists.txt": WRITE_FLAGS})

    build(machine, images, bases, variant, source)

    cache = inside(images.image, "cat", "/opt/llama/flags.txt").splitlines()
    assert {flag for flag in cache if flag.partition("=")[0] in OURS} == flags
    added = chosen_packages(images.image) - chosen_packages(bases[0])
    assert added == {*RUNTIME_PACKAGES, *own.runtime_packages}
    assert images.config()["Labels"]["claude-local.variant"] == variant
    assert "not found" not in inside(images.image, "bash", "-c", "ldd /opt/llama/*.so /opt/llama/llama-*")


def test_the_vulkan_image_finds_a_device_without_a_card(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path
) -> None:
    build(machine, images, bases, "vulkan", stand_in(tmp_path / "llama.cpp"))

    assert int(inside(images.image, "python3", "-c", COUNT_DEVICES)) >= 1

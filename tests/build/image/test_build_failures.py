"""build_failures: the cause and the error lines, from recorded output of builds that really failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.build.image.build_failures import CAUSES, explain, telling_lines

LOGS = Path(__file__).parents[2] / "data" / "build-logs"

RECORDED = {
    "killed": "a compiler ran out of memory and was killed",
    "disk-full": "the disk is full",
    "compile-error": "the source does not compile",
    "cmake-error": "CMake could not configure the source",
    "no-buildkit": "Docker has no BuildKit",
    "no-daemon": "Docker Engine does not answer",
    "no-network-base": "a download failed",
    "no-network-git": "a download failed",
    "index-expired": "the package index is out of date, or this machine's clock is wrong",
}

MEMORY = "a compiler ran out of memory and was killed"
DRIVER = "the NVIDIA driver is too old for this image's CUDA"

# Messages of programs that could not be recorded here.
MESSAGES = [
    ("ggml_backend_cuda_buffer: cudaMalloc failed: out of memory", "the graphics card's memory is full"),
    (
        "nvcc fatal   : Unsupported gpu architecture 'compute_120a'",
        "the CUDA of the base image is too old for one of the cards",
    ),
    (
        "error: -- unsupported GNU version! later than 14",
        "the CUDA version of the base image does not support the C++ compiler in it",
    ),
    ("nvcc error   : 'cicc' died due to signal 9 (Kill signal)", MEMORY),
    ('process "/bin/sh -c cmake" did not complete successfully: exit code: 137', MEMORY),
    (
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
        "this user has no permission to use Docker Engine",
    ),
    (
        "toomanyrequests: You have reached your pull rate limit",
        "the image registry refuses more downloads for now",
    ),
    (f"ERROR: nvidia/cuda:12@sha256:{'0' * 64}: not found", "a base image is not in its registry"),
    ("nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8", DRIVER),
    (
        "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown",
        "the NVIDIA driver was updated, but the old one is still loaded",
    ),
    ("ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient", DRIVER),
]


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_failure_has_its_cause(name: str) -> None:
    cause = explain((LOGS / f"{name}.txt").read_text())

    assert cause is not None
    assert cause.sentence == RECORDED[name]


@pytest.mark.parametrize(("line", "sentence"), MESSAGES)
def test_a_line_has_its_cause(line: str, sentence: str) -> None:
    cause = explain(f"#9 1.0 something\n#9 2.0 {line}\n")

    assert cause is not None
    assert cause.sentence == sentence


def test_a_successful_build_has_no_cause() -> None:
    assert explain((LOGS / "good.txt").read_text()) is None


def test_every_recorded_failure_is_tested() -> None:
    assert {file.stem for file in LOGS.iterdir()} - {"good"} == RECORDED.keys()


def test_every_cause_has_a_hint() -> None:
    assert [cause.sentence for _, cause in CAUSES if not cause.hint] == []


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "killed",
            [
                "FAILED: [code=1] CMakeFiles/big /build/CMakeFiles/big ",
                "gcc: fatal error: Killed signal terminated program cc1",
                "ninja: build stopped: subcommand failed.",
            ],
        ),
        (
            "no-network-git",
            [
                "fatal: unable to access 'https://github.com/ggml-org/llama.cpp/': "
                "Could not resolve host: github.com"
            ],
        ),
        ("no-buildkit", ["ERROR: BuildKit is enabled but the buildx component is missing or broken."]),
    ],
)
def test_the_error_lines_are_the_output_of_the_step_not_its_command(name: str, lines: list[str]) -> None:
    assert telling_lines((LOGS / f"{name}.txt").read_text()).splitlines() == lines

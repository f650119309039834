"""Why a build or a first start failed, from its log: the usual causes, each with a remedy. Pure."""

from __future__ import annotations

import re

from claude_local.foundation.docker_failures import (
    CARDS,
    DISK,
    ENGINE,
    Cause,
    Causes,
    first_match,
)
from claude_local.foundation.download_failures import NETWORK, REGISTRY

SOURCE: Causes = (
    (
        r"source mismatch: got commit [0-9a-f]{40}",
        Cause(
            "the downloaded source is not the pinned one",
            "do not build it; check the pin in scripts/claude_local/build/image/image_pins.py",
        ),
    ),
    (
        r"couldn't find remote ref|not our ref|unadvertised object",
        Cause("the source repository does not have this commit", "check the commit id after --to"),
    ),
)
MEMORY: Causes = (
    (
        r"cudaMalloc failed|CUDA error: out of memory|ErrorOutOfDeviceMemory",
        Cause("the graphics card's memory is full", "stop the running model: invoke down; then try again"),
    ),
    (
        r"fatal error: Killed signal|died due to signal 9|signal: killed|exit code: 137|code=137|out of memory"
        r"|cannot allocate memory|\bbad_alloc\b",
        Cause(
            "a compiler ran out of memory and was killed", "run fewer compilers: invoke build-image --jobs 1"
        ),
    ),
)
COMPILER: Causes = (
    (
        r"unsupported gpu architecture",
        Cause(
            "the CUDA of the base image is too old for one of the cards",
            "choose a newer --build-base and --runtime-base, or other --architectures",
        ),
    ),
    (
        r"unsupported GNU version",
        Cause(
            "the CUDA version of the base image does not support the C++ compiler in it",
            "choose another --build-base",
        ),
    ),
    (
        r"No CMAKE_\w+_COMPILER could be found|CMake Error",
        Cause(
            "CMake could not configure the source",
            "read the reason in the log; check that this source supports the variant",
        ),
    ),
    (
        r"ninja: build stopped|(?-i:^FAILED: )",
        Cause("the source does not compile", "read the compiler's error in the log, or try another commit"),
    ),
    (
        r"executor failed running|did not complete successfully",
        Cause("a step of the build failed", "read its output in the log"),
    ),
)
CAUSES: Causes = (*DISK, *CARDS, *MEMORY, *ENGINE, *SOURCE, *REGISTRY, *NETWORK, *COMPILER)
WRONG = re.compile(r"(?i)^E: |\b(error|fatal|killed|failed|mismatch|no space)\b")
STEP_NUMBER_AND_TIME = re.compile(r"^(#\d+ )?([\d.]+ )?")
# BuildKit prints the command of a step before, during and after it, and commands contain words of CAUSES.
COMMAND = re.compile(r"^ ?> \[|^\[[^]]+\] RUN |^\+ ")
QUOTED_COMMAND = re.compile(r"(executor failed running|process) (\[.*\]|\".*\")")
STEP_FAILED = re.compile(r"executor failed running|did not complete successfully")
DETAIL_LINES = 5


def explain(log: str) -> Cause | None:
    """The first known cause that matches the log; None if there is no match."""
    return first_match("\n".join(_output_lines(log)), CAUSES)


def telling_lines(log: str) -> str:
    """The last few lines about an error; if there are no such lines, the last lines."""
    lines = [line for line in _output_lines(log) if not STEP_FAILED.search(line)]
    errors = [line for before, line in zip(["", *lines], lines, strict=False) if _is_error(before, line)]
    return "\n".join((errors or lines)[-DETAIL_LINES:])


def _is_error(before: str, line: str) -> bool:
    return bool(WRONG.search(line)) or before.startswith("CMake Error")


def _output_lines(log: str) -> list[str]:
    """The output of the steps, each line once, without the commands of the steps."""
    lines = (STEP_NUMBER_AND_TIME.sub("", line, count=1) for line in log.splitlines() if line.strip("- "))
    shown = (QUOTED_COMMAND.sub(r"\1 […]", line) for line in lines if not COMMAND.search(line))
    return [line for line in dict.fromkeys(shown) if line.strip()]

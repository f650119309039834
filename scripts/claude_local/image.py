"""Builds the llama-server image from `image_pins` through build/Dockerfile."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import psutil

from claude_local.errors import EngineFailed
from claude_local.processes import run_visibly
from claude_local.settings import Settings

# One nvcc process can take this much.
MEMORY_PER_JOB_BYTES = 2_500_000_000


def build(settings: Settings, *, dry_run: bool, say: Callable[[str], object]) -> None:
    """Builds the image with BuildKit and tags it; the old one stays until the new one is done.

    Raises EngineFailed with the usual causes.
    """
    argv = build_argv(settings, jobs=_jobs())
    say(shlex.join(argv))
    if dry_run:
        return
    code = run_visibly(argv, environment={"DOCKER_BUILDKIT": "1"})
    if code:
        raise EngineFailed(
            f"the image was not built (exit code {code}); the old one, if any, is untouched",
            hint="usual causes: no disk space, too little memory (fewer jobs: --build-arg JOBS=1), "
            "no network, BuildKit missing (package docker-buildx)",
        )


def build_argv(settings: Settings, *, jobs: int) -> list[str]:
    """The exact command."""
    return [
        "docker",
        "build",
        *("--tag", settings.image),
        *("--file", str(settings.build_dir / "Dockerfile")),
        *("--build-arg", f"JOBS={jobs}"),
        str(settings.build_dir),
    ]


def _jobs() -> int:
    cores = psutil.cpu_count() or 1
    return max(1, min(cores, psutil.virtual_memory().total // MEMORY_PER_JOB_BYTES))

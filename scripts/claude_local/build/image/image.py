"""Builds the llama-server image. The current image stays in use until the new one is complete."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import psutil

from claude_local.build.image import build_failures, image_store
from claude_local.build.image.build_progress import BuildProgress, advance, duration
from claude_local.build.image.image_spec import (
    ImageSpec,
    architectures_of,
    build_argv,
    image_spec,
    jobs_for,
    tag_of,
)
from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.foundation.samples import GpuReading
from claude_local.machine.files import private_directory
from claude_local.machine.gpus import read_gpus
from claude_local.machine.processes import run, run_watched
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import BUILD_LOG

WITHOUT_IMAGE = "to run on the CPU without an image: invoke up --engine embedded"
UNCHANGED = "the image in use, if any, is unchanged"
LOG_CHARACTERS = 200_000
INTERRUPTED = "interrupted: the current image is unchanged; compiled files are kept for the next build"

OnProgress = Callable[[BuildProgress, str], object]
"""Called for each line of the build's output, with the progress up to that line."""


@dataclass(frozen=True)
class Built:
    """The tag of an image, and whether it had to be built."""

    tag: str
    seconds: float | None
    """How long the build took; None if the image existed."""

    def describe(self) -> str:
        if self.seconds is None:
            return f"{self.tag} is already built; --force builds it again"
        return f"built {self.tag} in {duration(self.seconds)}"


def wanted(
    variant: str,
    *,
    architectures: str = "",
    source: str = "",
    jobs: int = 0,
    build_base: str = "",
    runtime_base: str = "",
    prebuilt: bool = False,
    commit: str = "",
    cards: Callable[[], GpuReading] = read_gpus,
) -> ImageSpec:
    """The requested image, adapted to the cards and the memory of this machine.

    Raises UserError for an invalid variant, commit or folder.
    """
    if not (architectures or prebuilt) and variant == "cuda":
        capabilities = [gpu.compute_capability for gpu in cards().gpus]
        architectures = architectures_of(filter(None, capabilities))
    spec = image_spec(
        variant,
        architectures=architectures,
        build_base=build_base,
        runtime_base=runtime_base,
        source=_checkout(source),
        prebuilt=prebuilt,
        commit=commit,
    )
    memory_bytes, cores = psutil.virtual_memory().total, psutil.cpu_count() or 1
    return dataclasses.replace(
        spec,
        jobs=jobs or jobs_for(variant, cores=cores, memory_bytes=memory_bytes),
        source_revision=_git_revision(spec.source) if spec.source else "",
    )


def warnings_of(spec: ImageSpec, cards: Callable[[], GpuReading] = read_gpus) -> list[str]:
    """What a user should know before waiting for this image."""
    if spec.variant != "cuda":
        return []
    reading = cards()
    if reading.gpus:
        return []
    why = reading.problem or "the driver reports no card"
    return [
        f"the CUDA variant needs an NVIDIA card ({why}); for this machine: --variant cpu; {WITHOUT_IMAGE}"
    ]


def tag(settings: Settings, spec: ImageSpec) -> str:
    """The permanent name of this image; `CLAUDE_LOCAL_IMAGE` is a second name that moves."""
    dockerfile = (settings.build_dir / "Dockerfile").read_text(encoding="utf-8")
    return tag_of(spec, dockerfile, settings.image)


def command(settings: Settings, spec: ImageSpec, *, force: bool = False) -> list[str]:
    """The exact command that builds the image."""
    rebuild = str(time.time_ns()) if force else ""
    return build_argv(spec, tag=tag(settings, spec), build_dir=settings.build_dir, rebuild=rebuild)


def log_file(settings: Settings) -> Path:
    """The file with the output of the last build."""
    return BUILD_LOG.below(settings.state_dir)


def build(settings: Settings, spec: ImageSpec, on_progress: OnProgress, *, force: bool = False) -> Built:
    """Builds the image unless it exists; a local checkout always, because its changes are unknown.

    Raises EngineFailed with the cause, if the log shows it.
    """
    name = tag(settings, spec)
    if not (force or spec.source) and image_store.image_id(name):
        return Built(name, None)
    private_directory(settings.state_dir)
    began = time.monotonic()
    try:
        with log_file(settings).open("w", encoding="utf-8") as log:
            code = _run(command(settings, spec, force=force), log, on_progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(INTERRUPTED) from None
    if code:
        raise _failure(code, log_file(settings))
    return Built(name, time.monotonic() - began)


def build_and_use(
    settings: Settings, spec: ImageSpec, on_progress: OnProgress, *, force: bool = False
) -> list[str]:
    """Builds the image, makes it the one that `up` starts, and returns messages about it."""
    built = build(settings, spec, on_progress, force=force)
    changed = image_store.point_to(settings.image, built.tag)
    return [built.describe(), f"{settings.image} {'is now' if changed else 'is'} {built.tag}"]


def rollback(settings: Settings) -> str:
    """Swaps the current and the previous image; a second call undoes the first. Returns a message."""
    image_store.swap_with_previous(settings.image)
    return (
        f"{settings.image} is now {image_store.describe(settings.image)}; "
        "a running server still uses the old one; to change it: invoke down, then invoke up"
    )


def _checkout(source: str) -> Path | None:
    if not source:
        return None
    folder = Path(source).expanduser().absolute()
    if not (folder / "CMakeLists.txt").is_file():
        raise UserError(
            f"{folder} is not a checkout of llama.cpp", hint="give a folder with its CMakeLists.txt"
        )
    return folder


def _git_revision(folder: Path) -> str:
    """The commit that is checked out, and whether files differ from it; "" outside a git checkout."""
    argv = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return run(argv, failure="not a git checkout").strip()
    except EngineFailed:
        return ""


def _run(argv: list[str], log: TextIO, on_progress: OnProgress) -> int:
    now = BuildProgress()

    def on_line(line: str) -> None:
        nonlocal now
        log.write(line + "\n")
        log.flush()
        now = advance(now, line)
        on_progress(now, line)

    log.write(f"+ {shlex.join(argv)}\n")
    return run_watched(argv, on_line, environment={"DOCKER_BUILDKIT": "1"})


def _failure(code: int, log: Path) -> EngineFailed:
    text = log.read_text(encoding="utf-8")[-LOG_CHARACTERS:]
    cause = build_failures.explain(text)
    return EngineFailed(
        "the image was not built: " + (cause.sentence if cause else f"docker exited with code {code}"),
        details=build_failures.telling_lines(text),
        hint="\n".join(
            filter(None, [cause.hint if cause else "", WITHOUT_IMAGE, f"full output: {log}", UNCHANGED])
        ),
    )

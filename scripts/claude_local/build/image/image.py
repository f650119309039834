"""Builds the llama-server image. The old one stays in place until the new one is complete."""

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
from claude_local.build.image.build_progress import advance, BuildProgress, duration
from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.machine.files import private_directory
from claude_local.machine.gpus import read_gpus
from claude_local.build.image.image_spec import architectures_of, build_argv, image_spec, ImageSpec, jobs_for, tag_of
from claude_local.machine.processes import run, run_watched
from claude_local.foundation.samples import GpuReading
from claude_local.machine.settings import Settings

WITHOUT_IMAGE = "without an image, on the CPU: invoke up --engine embedded"
LOG_CHARACTERS = 200_000
INTERRUPTED = "interrupted: the old image is untouched; what was compiled is kept for the next time"

OnProgress = Callable[[BuildProgress, str], object]
"""Called for each line of the build's output, with the progress after it."""


@dataclass(frozen=True)
class Built:
    """An image by its own name, and whether it had to be built."""

    tag: str
    seconds: float | None
    """How long it took; None if it was there."""

    def describe(self) -> str:
        if self.seconds is None:
            return f"{self.tag} is there already; --force builds it again"
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
    """The image that is asked for, fitted to the cards and the memory of this machine.

    Raises UserError for a variant, commit or folder that cannot be meant.
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
    """What somebody should know before waiting for this image."""
    if spec.variant != "cuda":
        return []
    reading = cards()
    if reading.gpus:
        return []
    why = reading.problem or "the driver names none"
    return [f"no card for the CUDA variant here ({why}). For this machine: --variant cpu; {WITHOUT_IMAGE}"]


def tag(settings: Settings, spec: ImageSpec) -> str:
    """The name under which this image is kept, whatever `CLAUDE_LOCAL_IMAGE` means meanwhile."""
    dockerfile = (settings.build_dir / "Dockerfile").read_text(encoding="utf-8")
    return tag_of(spec, dockerfile, settings.image)


def command(settings: Settings, spec: ImageSpec, *, force: bool = False) -> list[str]:
    """The exact command that builds it."""
    rebuild = str(time.time_ns()) if force else ""
    return build_argv(spec, tag=tag(settings, spec), build_dir=settings.build_dir, rebuild=rebuild)


def log_file(settings: Settings) -> Path:
    """Where the last build's output is."""
    return settings.state_dir / "build-image.log"


def build(settings: Settings, spec: ImageSpec, on_progress: OnProgress, *, force: bool = False) -> Built:
    """Builds the image where it is not there yet; a local checkout always, as nobody knows what changed.

    Raises EngineFailed with the cause, as far as the log shows it.
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
    """Builds the image, makes it the one that `up` starts, and returns what to say of it."""
    built = build(settings, spec, on_progress, force=force)
    changed = image_store.point_to(settings.image, built.tag)
    return [built.describe(), f"{settings.image} {'is now' if changed else 'is'} {built.tag}"]


def rollback(settings: Settings) -> str:
    """Goes back to the image before; once more, and it is forth again. Returns what to say of it."""
    image_store.swap_with_previous(settings.image)
    return (
        f"{settings.image} is now {image_store.describe(settings.image)}; "
        "what runs goes on with its own image until: invoke down, invoke up"
    )


def _checkout(source: str) -> Path | None:
    if not source:
        return None
    folder = Path(source).expanduser().absolute()
    if not (folder / "CMakeLists.txt").is_file():
        raise UserError(f"{folder} is no checkout of llama.cpp", hint="it should have a CMakeLists.txt")
    return folder


def _git_revision(folder: Path) -> str:
    """The commit that is checked out, and whether files differ from it; "" where git does not know."""
    argv = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return run(argv, failure="no git checkout").strip()
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
        "the image was not built, and the old one, if any, is untouched: "
        + (cause.sentence if cause else f"docker ended with {code}"),
        details=build_failures.telling_lines(text),
        hint="\n".join(
            filter(None, [cause.hint if cause else "", WITHOUT_IMAGE, f"the whole output: {log}"])
        ),
    )

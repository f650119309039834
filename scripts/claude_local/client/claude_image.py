"""Builds the image with Claude Code and common tool chains from `claude_image_pins` through build/client-image/."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.foundation.plain_text import docker_fields
from claude_local.machine.processes import run_visibly
from claude_local.machine.settings import Settings


@dataclass(frozen=True)
class Choices:
    """The user's changes to the image. Empty: as pinned."""

    base: str = ""
    """Another Debian image with Node.js and npm."""
    packages: str = ""
    """Debian packages instead of our list of tools."""
    more_packages: str = ""
    """Additional Debian packages."""
    certificates: Path | None = None
    """Certificates to trust when downloading Claude Code, for a company proxy that inspects traffic."""


def build(settings: Settings, choices: Choices, *, dry_run: bool, say: Callable[[str], object]) -> None:
    """Builds the image and tags it; the old one stays until the new one is complete.

    Raises EngineFailed with the usual causes.
    """
    if choices.certificates and not choices.certificates.is_file():
        raise UserError(f"there is no file {choices.certificates}", hint="give certificates as one PEM file")
    argv = build_argv(settings, choices)
    say(shlex.join(argv))
    if dry_run:
        return
    code = run_visibly(argv, environment={"DOCKER_BUILDKIT": "1"})
    if code:
        raise EngineFailed(
            f"the image was not built (exit code {code}); the old one, if any, is untouched",
            hint="usual causes: no network, a proxy with certificates of its own (--certificates FILE), no disk "
            "space, BuildKit missing (package docker-buildx), Docker not running, or you are not in its group",
        )
    say(f"built {settings.client_image}; use it: claude-local --sandbox container")


def build_argv(settings: Settings, choices: Choices) -> list[str]:
    """The exact `docker build` command."""
    folder = settings.build_dir / "client-image"
    given = {"BASE": choices.base, "PACKAGES": choices.packages, "MORE_PACKAGES": choices.more_packages}
    arguments = [f"{name}={value}" for name, value in given.items() if value]
    certificates = docker_fields("id=certificates", f"src={choices.certificates}")
    secret = ("--secret", certificates) if choices.certificates else ()
    return [
        *("docker", "build", "--tag", settings.client_image),
        *(token for argument in arguments for token in ("--build-arg", argument)),
        *secret,
        str(folder),
    ]

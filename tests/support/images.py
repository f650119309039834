"""Images for the tests: base images made from the test image, and a stand-in checkout of llama.cpp."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.machine import ROOT

STAND_IN = ROOT / "tests" / "data" / "standin"

# Debian's mirror can be a snapshot, whose index counts as expired.
BASES = """
FROM {image} AS runtime
RUN echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/99frozen

FROM runtime AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates ccache cmake g++ git ninja-build \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin

FROM runtime AS official
RUN mkdir /app && ln -s /usr/bin/llama-server /app/llama-server
"""


@dataclass
class Images:
    """The images of one test, removed at its end."""

    repository: str = field(default_factory=lambda: f"claude-local/test-{uuid.uuid4().hex[:8]}")

    @property
    def image(self) -> str:
        return f"{self.repository}:latest"

    def options(self, bases: list[str]) -> list[str]:
        """The options of build-image that choose the tests' bases."""
        return ["--build-base", bases[1], "--runtime-base", bases[0]]

    def tags(self) -> dict[str, str]:
        """The id of each tag of the test's repository."""
        listed = docker("image", "ls", "--no-trunc", "--format", "{{.Tag}} {{.ID}}", self.repository)
        rows = (line.split() for line in listed.splitlines())
        return {row[0]: row[1] for row in rows}

    def config(self) -> dict[str, Any]:
        return dict(json.loads(docker("image", "inspect", self.image))[0]["Config"])

    def remove(self) -> None:
        names = [f"{self.repository}:{tag}" for tag in self.tags()]
        if names:
            docker("image", "rm", "--force", *names)


def docker(*arguments: str, stdin: str = "") -> str:
    """The output of the docker program; fails the test if it failed."""
    done = subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_bases(test_image: str) -> Iterator[str]:
    """Builds the base images, or finds them in Docker's cache. Yields their names: runtime, build, official."""
    for stage in ("runtime", "build", "official"):
        name = f"claude-local/test-{stage}-base:latest"
        text = BASES.format(image=test_image)
        docker("build", "--quiet", "--target", stage, "--tag", name, "-", stdin=text)
        yield name


def stand_in(folder: Path, changes: dict[str, str] | None = None) -> Path:
    """A copy of the stand-in checkout, with lines appended to the given files, which may be new."""
    shutil.copytree(STAND_IN, folder)
    for name, lines in (changes or {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        with (folder / name).open("a") as file:
            file.write(lines)
    return folder

"""Reads BuildKit's plain progress line by line: the stage, ninja's [n/m], an estimate of the time left. Pure."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

STEP = re.compile(r"#(?P<step>\d+) \[(?P<stage>[\w-]+) +\d+/\d+\] \w+")
NINJA = re.compile(r"#\d+ (?P<seconds>[\d.]+) \[(?P<done>\d+)/(?P<total>\d+)\] ")

# The stages of templates/Dockerfile.j2, in the order in which they finish.
STAGES = {
    "toolchain": "installing the compiler",
    "source-git": "fetching llama.cpp",
    "source-local": "copying the local checkout",
    "build": "compiling",
    "compiled": "installing the result",
    "prebuilt": "fetching the official image",
    "image": "finishing the image",
}
ORDER = list(STAGES)


@dataclass(frozen=True)
class BuildProgress:
    """The progress of a build. The compiler's numbers are zero until it runs."""

    stage: str = ""
    """A stage of the Dockerfile; empty while BuildKit prepares."""
    done: int = 0
    total: int = 0
    first_done: int = 0
    """Value of `done` at `first_seconds`; both are from the compiler's first line."""
    first_seconds: float = 0.0
    seconds: float = 0.0
    """Time of the compiler's last line, since its step began."""

    @property
    def fraction(self) -> float | None:
        """Share of the compilation that is done; None if the compiler is not running."""
        return self.done / self.total if self.stage == "build" and self.total else None

    @property
    def remaining_seconds(self) -> float | None:
        """Time left for the compilation at its speed so far; None while that is unknown."""
        passed, steps = self.seconds - self.first_seconds, self.done - self.first_done
        if self.fraction is None or steps <= 0 or passed <= 0:
            return None
        return passed / steps * (self.total - self.done)

    def describe(self) -> str:
        """The stage in words, with the progress of the compilation if known."""
        words = STAGES.get(self.stage, "preparing")
        if self.fraction is None:
            return words
        left = self.remaining_seconds
        estimate = "" if left is None else f", about {duration(left)} left"
        return f"{words} {self.fraction:.0%} ({self.done}/{self.total}){estimate}"


def advance(now: BuildProgress, line: str) -> BuildProgress:
    """The progress after one more line of output.

    Stages run in parallel and BuildKit mixes their output: the stage that finishes last counts.
    """
    if found := NINJA.match(line):
        return _compiled(now, int(found["done"]), int(found["total"]), float(found["seconds"]))
    if (found := STEP.match(line)) and _comes_after(now, found["stage"]):
        return dataclasses.replace(now, stage=found["stage"])
    return now


def _comes_after(now: BuildProgress, stage: str) -> bool:
    # `compiled` starts in parallel with the compiler, with the packages that the result needs.
    if stage not in STAGES or (stage == "compiled" and not 0 < now.total == now.done):
        return False
    return not now.stage or ORDER.index(stage) > ORDER.index(now.stage)


def _compiled(now: BuildProgress, done: int, total: int, seconds: float) -> BuildProgress:
    began = (now.first_done, now.first_seconds) if now.total else (done, seconds)
    return BuildProgress("build", done, total, *began, seconds)


def duration(seconds: float) -> str:
    """A duration for people: `45 s`, `12 min`, `1 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"

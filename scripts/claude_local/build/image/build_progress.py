"""Reads BuildKit's plain progress, line by line: the stage, ninja's [n/m], and how long it may still take. Pure."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

STEP = re.compile(r"#(?P<step>\d+) \[(?P<stage>[\w-]+) +\d+/\d+\] \w+")
NINJA = re.compile(r"#\d+ (?P<seconds>[\d.]+) \[(?P<done>\d+)/(?P<total>\d+)\] ")

# The stages of templates/Dockerfile.j2 in the order in which they end.
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
    """How far a build is. Numbers of the compiler are zero until it runs."""

    stage: str = ""
    """A stage of the Dockerfile; empty while BuildKit prepares."""
    done: int = 0
    total: int = 0
    first_done: int = 0
    """What was done at `first_seconds`, both from the first line that the compiler printed."""
    first_seconds: float = 0.0
    seconds: float = 0.0
    """Time of the compiler's last line since its step began."""

    @property
    def fraction(self) -> float | None:
        """Share of the compilation that is done; None where nothing is compiled now."""
        return self.done / self.total if self.stage == "build" and self.total else None

    @property
    def remaining_seconds(self) -> float | None:
        """How long the compilation takes at its speed so far; None while that is not known."""
        passed, steps = self.seconds - self.first_seconds, self.done - self.first_done
        if self.fraction is None or steps <= 0 or passed <= 0:
            return None
        return passed / steps * (self.total - self.done)

    def describe(self) -> str:
        """The stage in words, with what is known of the compilation."""
        words = STAGES.get(self.stage, "preparing")
        if self.fraction is None:
            return words
        left = self.remaining_seconds
        estimate = "" if left is None else f", about {duration(left)} left"
        return f"{words} {self.fraction:.0%} ({self.done}/{self.total}){estimate}"


def advance(now: BuildProgress, line: str) -> BuildProgress:
    """The progress after one more line of output.

    Stages run side by side, and BuildKit goes back and forth between them: the one that ends last counts.
    """
    if found := NINJA.match(line):
        return _compiled(now, int(found["done"]), int(found["total"]), float(found["seconds"]))
    if (found := STEP.match(line)) and _comes_after(now, found["stage"]):
        return dataclasses.replace(now, stage=found["stage"])
    return now


def _comes_after(now: BuildProgress, stage: str) -> bool:
    # `compiled` begins at once, beside the compiler, with the packages that the result needs.
    if stage not in STAGES or (stage == "compiled" and not 0 < now.total == now.done):
        return False
    return not now.stage or ORDER.index(stage) > ORDER.index(now.stage)


def _compiled(now: BuildProgress, done: int, total: int, seconds: float) -> BuildProgress:
    began = (now.first_done, now.first_seconds) if now.total else (done, seconds)
    return BuildProgress("build", done, total, *began, seconds)


def duration(seconds: float) -> str:
    """A length of time for people: `45 s`, `12 min`, `1 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"

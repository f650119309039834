"""The time to the first token of a long prompt: cold, with the same beginning in the slot, and restored from a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from gpu.server import Served
from gpu.speed import OURS, Bench

NEW_TOKENS = 30
"""What a next turn adds."""
FILE = "slot.bin"


def measure(bench: Bench, model: str) -> Iterator[dict[str, Any]]:
    """A row for each way. What follows the long prompt is another text each time, but where it is continued."""
    arguments = [*bench.arguments(model, OURS), "--slot-save-path", str(bench.programs.work)]
    with bench.programs.serving(*arguments) as served:
        served.ask(served.words(NEW_TOKENS), 1)
        prompt = served.words(bench.sizes.prompts[-1])
        yield {"way": "cold", **_first(served, prompt)}
        known = [*prompt, *served.words(NEW_TOKENS)]
        yield {"way": "warm", **_first(served, known)}
        started = time.perf_counter()
        saved = served.post("/slots/0?action=save", {"filename": FILE})
        yield {
            "way": "save",
            "seconds": time.perf_counter() - started,
            "bytes": saved["n_written"],
            "cached_tokens": saved["n_saved"],
        }
    with bench.programs.serving(*arguments) as served:
        for way, beginning in (("restored, continued", known), ("restored, other end", prompt)):
            started = time.perf_counter()
            served.post("/slots/0?action=restore", {"filename": FILE})
            yield {"way": "restore", "seconds": time.perf_counter() - started}
            yield {"way": way, **_first(served, [*beginning, *served.words(NEW_TOKENS)])}
    (bench.programs.work / FILE).unlink()


def _first(served: Served, prompt: list[int]) -> dict[str, Any]:
    answer = served.ask(prompt, 1)
    return {
        "seconds": answer.seconds,
        "prompt_tokens": answer.prompt_tokens,
        "cached_tokens": answer.cached_tokens,
    }

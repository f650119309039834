"""Our settings and single changes of them against llama-server with its own, and the plan against what each takes."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpu.load_log import Allocation, allocations, memory_lines
from gpu.project import Device, Project
from gpu.server import Programs, Served
from gpu.shapes import Sizes

OWN = "llama-server's own"
"""The context is the same, everything else is left to it."""
OURS = "ours"
CHANGES: dict[str, dict[str, str | int]] = {
    OURS: {},
    "ours, KV f16": {"cache_type_k": "f16", "cache_type_v": "f16"},
    "ours, KV f16, flash_attn auto": {"cache_type_k": "f16", "cache_type_v": "f16", "flash_attn": "auto"},
    "ours, K q8_0, V f16": {"cache_type_k": "q8_0", "cache_type_v": "f16"},
    "ours, KV q8_0": {"cache_type_k": "q8_0", "cache_type_v": "q8_0"},
    "ours, KV f16, ubatch 2048": {"cache_type_k": "f16", "cache_type_v": "f16", "ubatch_size": 2048},
    "ours, KV q8_0, ubatch 2048": {"cache_type_k": "q8_0", "cache_type_v": "q8_0", "ubatch_size": 2048},
}
OF_EVERY_MODEL = (OWN, OURS, "ours, KV f16", "ours, KV q8_0", "ours, KV f16, ubatch 2048")
SHORT_REPEATS = 3
"""A short prompt is over in some hundredths of a second."""
WARM_TOKENS = 600
MIB = 2**20


@dataclass(frozen=True)
class Bench:
    """What all measurements share."""

    programs: Programs
    project: Project
    sizes: Sizes

    def arguments(self, model: str, setting: str) -> list[str]:
        """llama-server's arguments for a model with a setting."""
        if setting == OWN:
            file = self.programs.work / "models" / f"{model}.gguf"
            return ["--model", str(file), "--ctx-size", str(self.sizes.context_tokens)]
        return self.project.arguments(self.profile(model, setting))

    def profile(self, model: str, setting: str) -> Any:
        return self.project.profile(model, ctx_size=self.sizes.context_tokens, **CHANGES[setting])


def speeds(bench: Bench, served: Served) -> dict[str, Any]:
    """Prompt and generation tokens/s at each size of context; a short one is the median of several."""
    served.ask(served.words(WARM_TOKENS), 4)
    found: dict[str, Any] = {}
    for size in bench.sizes.prompts:
        repeats = SHORT_REPEATS if size == bench.sizes.prompts[0] else 1
        answers = [served.ask(served.words(size), bench.sizes.generated_tokens) for _ in range(repeats)]
        found[f"prompt {size}"] = statistics.median(answer.prompt_per_second for answer in answers)
        found[f"generation {size}"] = statistics.median(answer.generated_per_second for answer in answers)
    return found


def measure(
    bench: Bench, model: str, setting: str, planned: Mapping[str, Any], keep_log: Any
) -> Iterator[dict[str, Any]]:
    """One row of speeds, and what the server took of each device beside the plan."""
    with bench.programs.serving(*bench.arguments(model, setting)) as served:
        log = served.log_text()
        keep_log(f"{model}, {setting}", memory_lines(log))
        taken = allocations(log)
        yield {
            "load_seconds": served.load_seconds,
            **speeds(bench, served),
            "allocated": {name: dataclasses.asdict(held) for name, held in taken.items()},
            "planned": dict(planned),
        }


def plan(bench: Bench, model: str, setting: str) -> dict[str, Any]:
    """What the project expects on each device, by `invoke plan` from the model file, in MiB."""
    return as_mib(bench.project.plan(bench.profile(model, setting))) if setting != OWN else {}


def as_mib(devices: tuple[Device, ...]) -> dict[str, dict[str, float]]:
    """The devices of a plan as a server's log names and counts them."""
    return {
        device.name: dataclasses.asdict(
            Allocation(device.weights_bytes / MIB, device.cache_bytes / MIB, device.compute_bytes / MIB)
        )
        for device in devices
    }


def settings_of(bench: Bench, model: str) -> list[str]:
    """The settings that a model is measured with, each combination of flags once.

    A hybrid has little cache, so fewer matter.
    """
    wanted = OF_EVERY_MODEL if model == "hybrid" else (OWN, *CHANGES)
    by_flags = {frozenset(_pairs(bench.arguments(model, setting))): setting for setting in reversed(wanted)}
    return [setting for setting in wanted if setting in by_flags.values()]


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(arguments, [*arguments[1:], ""], strict=True)

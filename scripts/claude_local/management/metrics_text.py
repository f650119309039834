"""A snapshot in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from claude_local.foundation.snapshot import Snapshot, State

Sample = tuple[str, dict[str, str], float | int | None]


def metrics_text(now: Snapshot, counts: dict[str, int]) -> str:
    """Gauges of the current state, and the counters in `counts`; unknown values are left out."""
    lines: list[str] = []
    seen: set[str] = set()
    for name, labels, value in (*_gauges(now), *((n, {}, v) for n, v in counts.items())):
        if value is None:
            continue
        if name not in seen:
            seen.add(name)
            kind = "counter" if name.endswith("_total") else "gauge"
            lines.append(f"# TYPE claude_local_{name} {kind}")
        lines.append(f"claude_local_{name}{_labels(labels)} {value}")  # all digits: counts of bytes are large
    return "\n".join(lines) + "\n"


def _gauges(now: Snapshot) -> Iterator[Sample]:
    for state in get_args(State):
        yield "state", {"state": state}, int(now.state == state)
    if now.profile:
        yield "active", {"profile": now.profile, "engine": now.engine or ""}, 1
    yield "context_tokens_per_slot", {}, now.context_tokens_per_slot
    yield "slots", {}, now.slots
    yield "slots_busy", {}, now.slots_busy
    yield "requests_waiting", {}, now.requests_waiting
    yield "cache_hit_fraction", {}, now.cache_hit_fraction
    yield "prompt_tokens_per_second", {}, now.prompt_tokens_per_second
    yield "generation_tokens_per_second", {}, now.generation_tokens_per_second
    yield "uptime_seconds", {}, now.uptime_seconds
    for number, slot in enumerate(now.slot_uses):
        yield "slot_context_used_tokens", {"slot": str(number)}, slot.used_tokens
    if now.last_switch:
        labels = {"outcome": str(now.last_switch.outcome)}
        yield "last_switch_seconds", labels, now.last_switch.seconds
    yield from _hardware(now)


def _hardware(now: Snapshot) -> Iterator[Sample]:
    for gpu in now.cards.gpus if now.cards else ():
        labels = {"gpu": str(gpu.index), "uuid": gpu.uuid or ""}
        yield "gpu_memory_used_bytes", labels, gpu.memory_used_bytes
        yield "gpu_memory_total_bytes", labels, gpu.memory_total_bytes
        yield "gpu_utilization_percent", labels, gpu.utilization_percent
        yield "gpu_power_watts", labels, gpu.power_watts
        yield "gpu_temperature_celsius", labels, gpu.temperature_celsius
    if now.system:
        yield "system_memory_used_bytes", {}, now.system.memory_used_bytes
        yield "system_cpu_percent", {}, now.system.cpu_percent


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    escaped = (
        f'{name}="{value.translate({92: chr(92) * 2, 34: chr(92) + chr(34), 10: " "})}"'
        for name, value in labels.items()
    )
    return "{" + ",".join(escaped) + "}"

"""The project's reading of the card beside nvidia-smi's, while a model works."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from gpu.project import cards
from gpu.server import Served
from gpu.speed import OURS, Bench

SAMPLES = 8
PAUSE_SECONDS = 0.5
FIELDS = {
    "memory_used_mib": "memory.used",
    "memory_total_mib": "memory.total",
    "utilization_percent": "utilization.gpu",
    "power_watts": "power.draw",
    "power_limit_watts": "enforced.power.limit",
    "temperature_celsius": "temperature.gpu",
    "graphics_clock_mhz": "clocks.gr",
    "memory_clock_mhz": "clocks.mem",
}
ARGV = ["nvidia-smi", f"--query-gpu={','.join(FIELDS.values())}", "--format=csv,noheader,nounits"]
MIB = 2**20


def measure(bench: Bench, model: str) -> Iterator[dict[str, Any]]:
    """A row for each pair of readings: idle, then some under load."""
    yield {"load": "idle", **_pair()}
    with bench.programs.serving(*bench.arguments(model, OURS)) as served:
        stop = threading.Event()
        work = threading.Thread(target=_work, args=(bench, served, stop))
        work.start()
        try:
            for _ in range(SAMPLES):
                time.sleep(PAUSE_SECONDS)
                yield {"load": "busy", **_pair()}
        finally:
            stop.set()
            work.join()


def parse(line: str) -> dict[str, float | None]:
    """The values of one card as nvidia-smi prints them; None where it has none."""
    values = [value.strip() for value in line.split(",")]
    return {
        name: float(value) if value.replace(".", "", 1).isdigit() else None
        for name, value in zip(FIELDS, values, strict=True)
    }


def _pair() -> dict[str, Any]:
    reading = cards()
    said = subprocess.run(ARGV, capture_output=True, text=True, timeout=20, check=True).stdout
    if not reading.gpus:
        raise LookupError(f"the project reads no card: {reading.problem}")
    ours = {name: getattr(reading.gpus[0], name, None) for name in FIELDS}
    for name in ("memory_used", "memory_total"):
        size = getattr(reading.gpus[0], f"{name}_bytes")
        ours[f"{name}_mib"] = size / MIB if size is not None else None
    return {"ours": ours, "nvidia_smi": parse(said.splitlines()[0])}


def _work(bench: Bench, served: Served, stop: threading.Event) -> None:
    while not stop.is_set():
        served.ask(served.words(bench.sizes.prompts[1]), bench.sizes.generated_tokens)

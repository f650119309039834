"""A switch from one model to another in llama-server's router mode, beside a plain load of the same files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from gpu.server import Served
from gpu.speed import OURS, Bench

POLL_SECONDS = 0.01
WAIT_SECONDS = 60


def measure(bench: Bench, models: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """A row for each plain load, then one for each switch: A, B, A, B."""
    for model in models:
        with bench.programs.serving(*bench.arguments(model, OURS)) as served:
            loaded = served.load_seconds
            yield {
                "way": "plain load", "model": model, "load_seconds": loaded, "seconds": loaded + _token(served),
            }  # fmt: skip
    presets = bench.programs.work / "presets.ini"
    profiles = [bench.profile(model, OURS) for model in models]
    presets.write_text(bench.project.presets(profiles), encoding="utf-8")
    with bench.programs.serving("--models-preset", str(presets), "--models-max", "1") as served:
        for number, profile in enumerate([*profiles, *profiles]):
            unloaded, loaded = _switch(served, profile.name)
            yield {
                "way": "switch" if number else "first load",
                "model": models[number % 2],
                "unload_seconds": unloaded,
                "load_seconds": loaded,
                "seconds": unloaded + loaded + _token(served, model=profile.name),
            }


def _switch(served: Served, name: str) -> tuple[float, float]:
    """Seconds to unload what is loaded, and to load this model."""
    started = time.perf_counter()
    for other, state in _states(served).items():
        if state != "unloaded":
            served.post("/models/unload", {"model": other})
            _wait(served, other, "unloaded")
    unloaded = time.perf_counter()
    served.post("/models/load", {"model": name})
    _wait(served, name, "loaded")
    return unloaded - started, time.perf_counter() - unloaded


def _states(served: Served) -> dict[str, str]:
    return {model["id"]: model["status"]["value"] for model in served.get("/models")["data"]}


def _wait(served: Served, name: str, wanted: str) -> None:
    deadline = time.perf_counter() + WAIT_SECONDS
    while (state := _states(served)[name]) != wanted:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"`{name}` is {state}, not {wanted}, after {WAIT_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _token(served: Served, **more: Any) -> float:
    return served.ask(served.words(32), 1, **more).seconds

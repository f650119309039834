"""The session, step by step: `tests/gpu/session` starts it."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from gpu import first_token, placement, router, sensors, speed
from gpu.project import Project, cards
from gpu.record import Record
from gpu.server import Programs
from gpu.shapes import REAL, TINY, Sizes
from gpu.speed import Bench
from support.runnable_models import write_model

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 500
AGAIN_SECONDS = 40
"""No model is measured again with less left."""
CHUNK_BYTES = 16 * 2**20
PROGRAMS = ("llama-server", "llama-fit-params", "ggml-rpc-server")


def main() -> int:
    """Runs every step; a step that fails is a row of the result. Returns 1 if one did."""
    wanted = _arguments()
    missing = [name for name in PROGRAMS if not (wanted.bin_dir / name).is_file()]
    if missing:
        sys.exit(f"session: {wanted.bin_dir} has no {', '.join(missing)}")
    sizes = TINY if wanted.rehearse else REAL
    wanted.out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="claude-local-gpu-") as folder:
        work = Path(folder)
        models = work / "models"
        models.mkdir()
        extra = ("--threads", "1") if wanted.rehearse else ()
        programs = Programs(wanted.bin_dir.resolve(), work, extra)
        record = Record(wanted.out_dir, _machine(programs, sizes, wanted.rehearse), wanted.seconds)
        record.step({"step": "models"}, 120, partial(_models, models, sizes))
        _measure(record, Bench(programs, Project(ROOT, work, models), sizes))
    failed = [row for row in record.rows if "error" in row]
    record.say(f"done: {len(record.rows)} rows, {len(failed)} of them failures")
    return 1 if failed else 0


def _measure(record: Record, bench: Bench) -> None:
    """What matters most comes first; the second round repeats the speeds backwards while there is time."""
    settings = {model: speed.settings_of(bench, model) for model in bench.sizes.models}
    for model in settings:
        _speeds(record, bench, model, settings[model], 1)
    record.step({"step": "sensors", "model": "dense"}, 30, partial(sensors.measure, bench, "dense"))
    for model in settings:
        step = {"step": "first token", "model": model}
        record.step(step, 60, partial(first_token.measure, bench, model))
    _placements(record, bench)
    record.step({"step": "router"}, 80, partial(router.measure, bench, ("dense", "moe")))
    for model in settings:
        if record.seconds_left() > AGAIN_SECONDS:
            _speeds(record, bench, model, settings[model][::-1], 2)


def _speeds(record: Record, bench: Bench, model: str, settings: list[str], number: int) -> None:
    for setting in settings:
        planned: dict[str, Any] = {}

        def measure(setting: str = setting, planned: dict[str, Any] = planned) -> Iterator[dict[str, Any]]:
            planned |= speed.plan(bench, model, setting)
            yield from speed.measure(bench, model, setting, planned, record.keep_log)

        record.step({"step": "speed", "round": number, "model": model, "setting": setting}, 60, measure)


def _placements(record: Record, bench: Bench) -> None:
    cases = (
        ("two CUDA devices of one card", placement.two_cuda_devices, "moe"),
        ("two RPC workers", placement.two_workers, "dense"),
    )
    for title, open_devices, model in cases:
        for room in placement.SHARES:

            def measure(
                open_devices: Any = open_devices, model: str = model, room: str = room
            ) -> Iterator[dict[str, Any]]:
                with open_devices(bench.programs) as devices:
                    yield from placement.measure(bench, model, devices, room, record.keep_log)

            facts = {"step": "placement", "devices": title, "model": model, "room": room}
            record.step(facts, 60, measure)


def _models(folder: Path, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Writes the models and reads them once, so that every load comes from the page cache."""
    files = {name: write_model(folder / f"{name}.gguf", shape) for name, shape in sizes.models.items()}
    with ThreadPoolExecutor() as readers:
        list(readers.map(_read, files.values()))
    for name, file in files.items():
        architecture = sizes.models[name].architecture
        yield {"model": name, "architecture": architecture, "bytes": file.stat().st_size}


def _read(file: Path) -> None:
    with file.open("rb", buffering=0) as model:
        while model.read(CHUNK_BYTES):
            pass


def _machine(programs: Programs, sizes: Sizes, rehearse: bool) -> dict[str, Any]:
    reading = cards()
    return {
        "rehearsal": rehearse,
        "card": reading.gpus[0].name if reading.gpus else reading.problem,
        "memory_bytes": reading.gpus[0].memory_total_bytes if reading.gpus else None,
        "compute_capability": reading.gpus[0].compute_capability if reading.gpus else None,
        "driver": reading.driver_version,
        "cuda": reading.cuda_version,
        "llama_server": programs.output("llama-server", "--version").strip().splitlines()[-2:],
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "context_tokens": sizes.context_tokens,
        "prompts": list(sizes.prompts),
        "generated_tokens": sizes.generated_tokens,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/gpu/session")
    parser.add_argument("bin_dir", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

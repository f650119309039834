"""The session's figures from what an H200's llama-server said, and how a step that fails is kept."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu import speed, tables
from gpu.load_log import Allocation, ListedDevice, allocations, listed_devices, memory_lines
from gpu.project import Project
from gpu.record import Record
from gpu.sensors import parse
from gpu.server import Programs
from gpu.shapes import REAL, TINY
from gpu.speed import CHANGES, OWN, Bench
from support.runnable_models import write_model

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECORDED = json.loads((HERE / "recorded" / "h200.json").read_text(encoding="utf-8"))
SPEEDS = {
    (row["model"], row["setting"]): row
    for row in RECORDED["rows"]
    if row["step"] == "speed" and "error" not in row
}


def log(name: str) -> str:
    return (HERE / "recorded" / f"{name}.log").read_text(encoding="utf-8")


def bench(folder: Path, sizes: Any = TINY) -> Bench:
    return Bench(Programs(folder, folder), Project(ROOT, folder, folder / "models"), sizes)


def test_weights_cache_with_states_and_compute_of_each_device_are_read() -> None:
    assert allocations(log("cuda")) == {
        "CPU": Allocation(272.81, 0, 80.29 + 0.95),
        "CUDA0": Allocation(18393.41, 680.0 + 62.81, 248.29),
    }


def test_workers_have_the_names_of_their_devices() -> None:
    names = {"RPC0[127.0.0.1:44581]": "RPC0", "RPC0[127.0.0.1:45477]": "RPC1"}

    assert allocations(log("rpc"), names) == {
        "CPU": Allocation(1851.02 + 1404.0, 1632.0, 188.1 + 0.49),
        "RPC0": Allocation(1638.44, 1904.0, 352.09),
        "RPC1": Allocation(984.02, 816.0, 352.09),
    }


def test_of_several_loads_the_last_one_counts() -> None:
    assert allocations(log("rpc") + log("cuda")) == allocations(log("cuda"))


def test_a_buffer_that_is_reserved_anew_counts_once() -> None:
    reserved = [line for line in memory_lines(log("cuda")) if "compute buffer" in line]

    assert len(reserved) == 2
    assert allocations("\n".join([log("cuda"), *reserved])) == allocations(log("cuda"))


def test_devices_are_listed_with_their_memory() -> None:
    text = (
        "Available devices:\n"
        "  CUDA0: NVIDIA H200 (143155 MiB, 142629 MiB free)\n"
        "  RPC0: 127.0.0.1:50052 (24105 MiB, 24100 MiB free)\n"
    )

    assert listed_devices(text) == [ListedDevice("CUDA0", 143155, 142629), ListedDevice("RPC0", 24105, 24100)]


def test_a_sensor_that_nvidia_smi_does_not_know_is_unknown() -> None:
    found = parse("9349, 143771, 99, 346.42, [N/A], 50, 1980, 3201")

    assert found["memory_used_mib"] == 9349
    assert (found["power_watts"], found["power_limit_watts"]) == (346.42, None)


@pytest.mark.parametrize("model", REAL.models)
def test_the_plan_of_weights_and_cache_is_what_the_card_held(tmp_path: Path, model: str) -> None:
    (tmp_path / "models").mkdir()
    write_model(tmp_path / "models" / f"{model}.gguf", dataclasses.replace(REAL.models[model], merges=False))
    real = bench(tmp_path, REAL)
    recorded = {
        setting: row for (name, setting), row in SPEEDS.items() if name == model and "KV f16" in setting
    }

    planned = {s: speed.as_mib(real.project.plan(real.profile(model, s))).values() for s in recorded}

    assert len(recorded) >= 2
    for setting, row in recorded.items():
        taken = row["allocated"].values()
        for kind in ("weights_mib", "cache_mib"):
            held = sum(device[kind] for device in taken)
            assert sum(device[kind] for device in planned[setting]) == pytest.approx(held, abs=0.1)


@pytest.mark.parametrize("model", TINY.models)
def test_each_combination_of_flags_is_measured_once(tmp_path: Path, model: str) -> None:
    tiny = bench(tmp_path)

    settings = speed.settings_of(tiny, model)

    flags = [tiny.project.arguments(tiny.profile(model, setting)) for setting in settings if setting != OWN]
    assert settings[:2] == [OWN, speed.OURS]
    assert len({tuple(each) for each in flags}) == len(flags)
    wanted = {
        tuple(tiny.project.arguments(tiny.profile(model, s))) for s in CHANGES if s in speed.OF_EVERY_MODEL
    }
    assert wanted <= {tuple(each) for each in flags}


def test_the_page_shows_the_recorded_figures() -> None:
    page = (ROOT / "docs" / "measurements.md").read_text(encoding="utf-8")

    sections = tables.markdown(RECORDED["machine"], RECORDED["rows"]).split("\n## ")[1:]

    shown = [section for section in sections if not section.startswith("What failed")]
    assert [title for title, _, body in (s.partition("\n") for s in shown) if body.strip() not in page] == []


def test_a_step_that_fails_keeps_what_it_found(tmp_path: Path) -> None:
    def measure() -> Iterator[dict[str, Any]]:
        yield {"value": 1}
        raise OSError("the\nserver | ended")

    record = Record(tmp_path, {"prompts": []}, 60)
    record.step({"step": "one"}, 60, measure)

    assert record.rows == [
        {"step": "one", "value": 1},
        {"step": "one", "error": "OSError: the server | ended"},
    ]
    assert json.loads((tmp_path / "result.json").read_text())["rows"] == record.rows
    assert "| one |  | OSError: the server / ended |" in (tmp_path / "tables.md").read_text()


def test_a_step_that_hangs_is_stopped_and_the_next_one_runs(tmp_path: Path) -> None:
    def hang() -> Iterator[dict[str, Any]]:
        signal.pause()
        yield {}

    record = Record(tmp_path, {"prompts": []}, 60)
    record.step({"step": "hangs"}, 0.01, hang)
    record.step({"step": "next"}, 60, lambda: [{"value": 2}])

    assert record.rows == [
        {"step": "hangs", "error": "TookTooLong: stopped after 0.01 s"},
        {"step": "next", "value": 2},
    ]


def test_no_step_begins_without_time(tmp_path: Path) -> None:
    record = Record(tmp_path, {"prompts": []}, 0)
    record.step({"step": "late"}, 60, lambda: [{"value": 1}])

    assert record.rows == [{"step": "late", "error": "no time left"}]


def test_a_folder_without_the_programs_is_refused(tmp_path: Path) -> None:
    argv = [str(HERE / "session"), str(tmp_path), str(tmp_path / "out"), "--rehearse"]
    with_python = {**os.environ, "PYTHON": sys.executable}
    found = subprocess.run(argv, env=with_python, capture_output=True, text=True, check=False)

    assert found.returncode == 1
    assert found.stderr.endswith("has no llama-server, llama-fit-params, ggml-rpc-server\n")
    assert not (tmp_path / "out").exists()

"""While the product runs, no function calls one of a higher layer, except for callbacks that are on a list.

The imports are proven in test_architecture.py; a callback passes such a proof, so this test records real calls.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.api_client import Api
from support.layers import LAYERS
from support.machine import ROOT, Machine

RECORDER = ROOT / "tests" / "support" / "call_edges" / "sitecustomize.py"
RANK = {package: rank for rank, row in enumerate(LAYERS) for package in row}

CALLBACKS = {
    ("lifecycle.steps:RecoverySteps.write", "cli.loading:Loading.begin"),
    ("lifecycle.steps:RecoverySteps.write", "management.operations:Job.begin"),
    ("lifecycle.steps:_wait_until_ready", "cli.loading:watch_loading.<locals>.progress"),
}
"""A transaction reports its phases and its progress."""

WAYPOINTS = {
    "a profile's key on its way to llama-server": ("build.render:", "server.flags:preset_lines"),
    "a switch through the API": ("management.", "lifecycle.up_down:switch"),
    "a sample of the cards": ("lifecycle.status:snapshot", "machine.gpus:GpuReader.read"),
    "the API key": ("lifecycle.steps:", "machine.state:prepare"),
}


@pytest.mark.embedded
def test_calls_go_down_through_the_layers(machine: Machine, tmp_path: Path) -> None:
    record = tmp_path / "calls"
    shutil.copy(RECORDER, machine.checkout / "scripts")
    machine.extra |= {"PYTHONPATH": str(machine.checkout / "scripts"), "CALL_EDGES": str(record)}
    machine.add_demo("first", seed=1)
    machine.add_demo("second", seed=2)

    machine.invoke_ok("up", "--detach", "--model", "first", "--engine", "embedded")
    api = Api(machine.management_port)
    assert api.post("/switch", {"model": "second"}).json()["outcome"] == "switched"
    assert api.get("/status").json()["profile"] == "second"
    assert api.get("/metrics").status == 200
    machine.invoke_ok("down")

    lines = record.read_text().splitlines()
    calls = {(caller, callee) for caller, callee in map(str.split, lines)}
    for way, (caller, callee) in WAYPOINTS.items():
        assert any(a.startswith(caller) and b == callee for a, b in calls), way
    assert {call for call in calls if climbs(*call)} == CALLBACKS


def climbs(caller: str, callee: str) -> bool:
    """Whether the call goes to a higher layer. `__main__` is above all."""
    highest = len(LAYERS)
    return RANK.get(package(callee), highest) > RANK.get(package(caller), highest)


def package(function: str) -> str:
    return function.partition(":")[0].partition(".")[0]

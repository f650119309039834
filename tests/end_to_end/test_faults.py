"""Faults in the middle of a switch: afterwards a model serves, or a clear state says why not."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_local.foundation.errors import UserError
from claude_local.foundation.snapshot import Snapshot
from claude_local.lifecycle import journal, status, up_down
from claude_local.lifecycle.request import Request
from claude_local.machine.settings import Settings, load_settings
from claude_local.profiles.load import load_profiles
from claude_local.server.engines import registry
from claude_local.server.llama_http import LlamaHttp
from support.api_client import Api
from support.machine import ROOT, Machine

PHASES = ("waiting", "stopping", "starting", "verifying", "end")
BEFORE_AND_AFTER = [f"{when} {phase}" for phase in PHASES for when in ("before", "after")]
AFTER = [f"after {phase}" for phase in PHASES]
WRITES = [*(f"before {phase}" for phase in PHASES), "after starting"]
"""Before each record of the journal, and after the record of the start, which writes llama-server's presets."""

MOMENTS = {
    "die": BEFORE_AND_AFTER,
    "kill server": AFTER,
    "kill model": AFTER,
    "remove container": AFTER[:-1],  # after the last phase this equals a normal stop
    "lose docker": AFTER,
    "disk full": WRITES,
    "disk broken": WRITES,
}
BY_ENGINE = {"docker": MOMENTS, "embedded": ("die", "kill server", "disk full", "disk broken")}
CASES = [
    pytest.param(engine, fault, marks=getattr(pytest.mark, engine), id=f"{engine}: {fault}")
    for engine, faults in BY_ENGINE.items()
    for fault in faults
]


def settings_of(machine: Machine) -> Settings:
    return load_settings(machine.environment, machine.checkout, user_id=os.getuid(), group_id=os.getgid())


def play(machine: Machine, profile: str, moment: str, fault: str) -> str | None:
    """Switches during a fault; returns the error, or None if it succeeded or was killed."""
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tests" / "support" / "dying_switch.py"),
            str(machine.checkout),
            profile,
            moment,
            fault,
        ],
        env={**machine.environment, "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    if fault == "die":
        assert done.returncode == -9, done.stdout + done.stderr
        return None
    assert done.returncode == 0, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    return None if error is None else str(error)


def files_that_are_torn(folder: Path) -> list[str]:
    """Broken JSON files, and leftover temporary files."""
    torn = []
    for file in folder.rglob("*"):
        if file.name.endswith(".tmp"):
            torn.append(file.name)
        elif file.suffix == ".json" and file.is_file():
            try:
                json.loads(file.read_text())
            except ValueError:
                torn.append(file.name)
    return torn


def check_that_the_lock_is_free(settings: Settings) -> None:
    with (settings.state_dir / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if the lock is still held


class Patient:
    """A machine that serves in every case; faults are repaired with the commands of a user."""

    def __init__(self, machine: Machine, engine: str) -> None:
        self.machine, self.engine = machine, engine
        machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"
        machine.invoke_ok("demo-model")
        machine.add_demo("second", seed=2)
        machine.invoke_ok("up", "--model", "demo", "--engine", engine)
        self.settings = settings_of(machine)
        self.profiles = load_profiles(self.settings.profiles_dir)

    def suffer(self, moment: str, fault: str) -> None:
        now = status.snapshot(self.settings)
        assert now.state == "ready"
        old = str(now.profile)
        new = "second" if old == "demo" else "demo"
        error = play(self.machine, new, moment, fault)
        self._check_aftermath(old, new, error)

    def _check_aftermath(self, old: str, new: str, error: str | None) -> None:
        """Runs the recovery that precedes every command, and checks the state afterwards."""
        try:
            up_down.recover(self.settings, self.profiles)
        except UserError as failure:
            error = error or failure.message
        record, now = journal.read(self.settings), self._settled()
        assert record.attempt is None
        check_that_the_lock_is_free(self.settings)
        assert files_that_are_torn(self.settings.state_dir) == []
        if now.state == "ready" and now.profile == now.loaded_profile:
            assert now.profile in (old, new)
            assert self._answer() == now.profile
            return
        # A clear state: the reason was reported, and starting again works.
        assert now.state in ("stopped", "failed")
        assert error or now.reason or (record.last and record.last.reason)
        engine = registry.named(self.settings, self.engine)
        assert engine
        up_down.up(self.settings, engine, Request(self.profiles[old], self.profiles))
        assert self._answer() == old

    def _settled(self) -> Snapshot:
        """The settled state: a killed process takes a moment to disappear."""
        deadline = time.monotonic() + 60
        while (now := status.snapshot(self.settings)).state in ("starting", "loading"):
            assert time.monotonic() < deadline, now
            time.sleep(0.05)
        return now

    def _answer(self) -> str:
        body = {"model": "local-llama", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
        http = LlamaHttp(self.machine.url, self.machine.key)
        return str(http.post("/v1/messages", body)["model"])


@pytest.mark.parametrize(("engine", "fault"), CASES)
def test_a_fault_at_any_moment_ends_with_a_serving_model_or_a_clear_state(
    machine: Machine, engine: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONFIG"):
        if value := machine.environment.get(name):
            monkeypatch.setenv(name, value)
    patient = Patient(machine, engine)

    for moment in MOMENTS[fault]:
        try:
            patient.suffer(moment, fault)
        except BaseException as error:
            error.add_note(f"moment: {moment}")
            raise

    machine.invoke_ok("down")
    assert machine.left_in_docker() == []
    assert machine.our_processes() == []


@pytest.fixture
def dying_server(machine: Machine) -> Iterator[Machine]:
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("up", "--model", "demo", "--engine", "embedded")
    yield machine


@pytest.mark.embedded
def test_a_management_api_killed_during_a_switch_finishes_or_undoes_it_at_its_next_start(
    dying_server: Machine,
) -> None:
    machine = dying_server
    api, settings = Api(machine.management_port), settings_of(machine)
    for _ in range(5):
        pid = json.loads((machine.state_dir / "management" / "process.json").read_text())["pid"]
        old = api.get("/status").json()["profile"]
        new = "second" if old == "demo" else "demo"
        api.post("/switch", {"model": new, "wait": False})
        os.kill(pid, 9)

        machine.invoke_ok("up", "--model", old, "--engine", "embedded")

        status = api.get("/status").json()
        assert (status["state"], status["profile"], status["work"]) == ("ready", old, None)
        assert journal.read(settings).attempt is None
        assert time.time() > status["last_switch"]["ended_at"]

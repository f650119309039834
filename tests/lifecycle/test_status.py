"""look: `invoke status --json` and `GET /status` fill the same fields, and a pulse costs no sensor."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from claude_local.foundation.samples import GpuReading
from claude_local.foundation.snapshot import Snapshot
from claude_local.lifecycle import status
from claude_local.machine.gpus import GpuReader
from claude_local.machine.settings import Settings, load_settings
from claude_local.server.llama_http import LlamaHttp
from support.api_client import Api
from support.machine import Machine
from support.nvml_replay import NvmlReplay

SHARES = {"cpu_percent", "container_cpu_percent"}
"""Measured between two snapshots, so a single one has no value."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without a running engine."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    return load_settings({"HOME": str(tmp_path)}, tmp_path, user_id=0, group_id=0)


def filled(now: Snapshot) -> set[str]:
    return {field.name for field in fields(now) if getattr(now, field.name) not in (None, ())}


def test_a_pulse_reads_no_sensor(settings: Settings) -> None:
    assert filled(status.pulse(settings)) == {"state", "api_key_file", "command"}


def test_a_snapshot_is_a_pulse_with_the_sensors(settings: Settings) -> None:
    assert filled(status.snapshot(settings)) == filled(status.pulse(settings)) | {"cards", "system"}


def test_kept_readers_measure_shares_of_time(settings: Settings) -> None:
    readers = status.Readers(GpuReader(NvmlReplay("rtx-4090-and-rtx-5070-ti")))

    looks = [status.snapshot(settings, readers) for _ in range(2)]

    assert [len((now.cards or GpuReading()).gpus) for now in looks] == [2, 2]
    assert looks[0].system
    assert looks[0].system.cpu_percent is None


def test_the_key_file_is_the_one_that_clients_need(settings: Settings) -> None:
    external = load_settings(
        {"HOME": str(settings.home), "CLAUDE_LOCAL_EXTERNAL_URL": "http://127.0.0.1:1"},
        settings.root,
        user_id=0,
        group_id=0,
    )

    assert status.pulse(settings).api_key_file == str(settings.api_key_file)
    assert status.pulse(external).api_key_file is None


def known(status: dict[str, Any]) -> dict[str, Any]:
    """Which fields have a value, including those of the sensors."""
    return {
        name: {key for key, part in value.items() if part not in (None, [])} - SHARES
        if isinstance(value, dict)
        else value not in (None, [], ())
        for name, value in status.items()
    }


@pytest.mark.embedded
def test_the_command_and_the_api_report_the_same_fields(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "embedded")
    body = {"max_tokens": 4, "messages": [{"role": "user", "content": "Say something."}]}
    LlamaHttp(machine.url, machine.key).post("/v1/messages", {"model": "local-llama", **body})

    by_api = Api(machine.management_port).get("/status").json()
    by_command = machine.status()

    assert known(by_command) == known(by_api)
    assert {name: by_command[name] for name in ("command", "api_key_file", "turns", "cards")} == {
        name: by_api[name] for name in ("command", "api_key_file", "turns", "cards")
    }
    for name in ("cards", "system", "turns", "command", "api_key_file"):
        assert by_command[name]

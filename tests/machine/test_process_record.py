"""process_record: a reused pid is another process."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from claude_local.machine.process_record import NAME, running_process

OWN = psutil.Process()


def test_the_process_of_a_record_is_found_while_it_runs(tmp_path: Path) -> None:
    file = tmp_path / NAME
    file.write_text(json.dumps({"pid": OWN.pid, "create_time": OWN.create_time()}))

    assert running_process(file) == OWN


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"pid": OWN.pid, "create_time": OWN.create_time() - 1}),
        json.dumps({"pid": 2**22 + 1, "create_time": 1.0}),
        json.dumps({"pid": OWN.pid}),
        "[]",
        "{",
    ],
    ids=["another start", "no such process", "no start time", "a list", "half a record"],
)
def test_a_record_of_an_ended_process_or_a_broken_record_gives_no_process(tmp_path: Path, text: str) -> None:
    file = tmp_path / NAME
    file.write_text(text)

    assert running_process(file) is None
    assert running_process(tmp_path / "missing") is None

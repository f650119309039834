"""Claude Code waits for a slow prompt and does not send it again."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from claude_local.checks.verify.recorder import Recorded, Recorder
from support.machine import Machine

# Claude Code's own limits are 300 s, including the one that no documented setting changes.
SILENT_SECONDS = 330


@pytest.mark.real_cli
@pytest.mark.timeout(500)
def test_a_server_that_is_silent_for_330_seconds_gets_only_one_request(machine: Machine) -> None:
    def think_long(_request: Recorded) -> list[dict[str, Any]]:
        time.sleep(SILENT_SECONDS)
        return [{"type": "text", "text": "here I am"}]

    with Recorder(think_long) as recorder:
        machine.extra["CLAUDE_LOCAL_EXTERNAL_URL"] = recorder.url
        machine.invoke_ok("render")
        done = machine.claude_local(
            "-p", "hi", "--output-format", "json", timeout_seconds=SILENT_SECONDS + 90
        )

    result = json.loads(done.stdout)
    assert (result["is_error"], result["result"]) == (False, "here I am")
    assert len(recorder.messages()) == 1

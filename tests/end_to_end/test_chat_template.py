"""Models whose chat template allows a system message only at the beginning."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_local.checks.verify.recorder import Recorded, Recorder
from claude_local.server.llama_http import LlamaHttp
from support.machine import ROOT, Machine

STRICT = (ROOT / "tests" / "data" / "strict-template.jinja").read_text()
BOTH_ENGINES = pytest.mark.parametrize(
    "engine",
    [
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ],
)


@BOTH_ENGINES
def test_up_names_the_profile_line_that_a_strict_template_needs(machine: Machine, engine: str) -> None:
    machine.add_demo("strict", seed=5, chat_template=STRICT)

    done = machine.invoke("up", "--model", "strict", "--engine", engine)

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "warning: this model's chat template refuses the system messages that Claude Code sends; "
        "set `chat_template: tolerant` in profiles/strict.yaml and start it again"
    )


@pytest.mark.real_cli
@pytest.mark.parametrize("client", ["new", "old"])
@BOTH_ENGINES
def test_with_that_line_a_session_with_tools_works(machine: Machine, engine: str, client: str) -> None:
    machine.add_demo("strict", seed=5, chat_template=STRICT, top="chat_template: tolerant\n")
    up = machine.invoke("up", "--model", "strict", "--engine", engine)
    server = LlamaHttp(machine.url, machine.key)
    file = machine.home / "workspace" / "note.txt"
    file.parent.mkdir()
    file.write_text("what the file says")

    def answer(request: Recorded) -> list[dict[str, Any]]:
        """A scripted answer, after the real server has accepted the same request."""
        server.post("/v1/messages", {**request.json(), "stream": False, "max_tokens": 1}, timeout_seconds=240)
        if "what the file says" in request.raw:
            return [{"type": "text", "text": "read it"}]
        use = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": str(file)}}
        return [use]

    with Recorder(answer) as recorder:
        user = Machine(machine.checkout, machine.home, machine.port, machine.project)
        user.extra["CLAUDE_LOCAL_EXTERNAL_URL"] = recorder.url
        user.invoke_ok("render")
        done = user.claude_local("-p", "Read note.txt", "--output-format", "json", client=client)
        user.invoke_ok("render")

    assert "warning" not in up.stderr
    result = json.loads(done.stdout)
    assert (result["is_error"], result["result"], result["num_turns"]) == (False, "read it", 2)
    assert len(recorder.messages()) == 2


@pytest.mark.embedded
def test_a_model_without_its_own_chat_template_is_an_error(machine: Machine) -> None:
    machine.add_demo("bare", seed=6, chat_template="", top="chat_template: tolerant\n")

    done = machine.invoke("up", "--model", "bare", "--engine", "embedded")

    assert done.returncode == 1
    assert "error: the model of profile `bare` has no chat template of its own" in done.stderr

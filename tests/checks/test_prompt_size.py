"""The pure functions of prompt_size and bench: a request in parts, and the prompt tokens of a turn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_local.checks.bench import Figures, PromptCost, turn_of
from claude_local.checks.prompt_size import find_claude, split
from claude_local.foundation.errors import EngineFailed, UserError

TOOL = {"name": "Read", "description": "Reads a »file«", "input_schema": {"type": "object"}}
REQUEST: dict[str, Any] = {
    "model": "local-llama",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "system", "content": "The date changed."},
        {"role": "user", "content": "again"},
    ],
    "system": [{"type": "text", "text": "You are\nhelpful."}, {"type": "text", "text": "Be brief."}],
    "tools": [TOOL, {"name": "Bash", "description": "Runs a command. " * 50, "input_schema": {}}],
    "max_tokens": 8192,
    "stream": True,
}


def body_of(request: dict[str, Any]) -> bytes:
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()


def test_the_parts_add_up_to_the_body_and_the_largest_is_first() -> None:
    body = body_of(REQUEST)

    parts = split(body)

    assert sum(part.size_bytes for part in parts) == len(body)
    assert parts[0].name == "tool Bash"
    assert [part.size_bytes for part in parts] == sorted((p.size_bytes for p in parts), reverse=True)
    assert {part.name for part in parts} == {
        *("tool Read", "tool Bash", "system", "messages: user", "messages: system", "other fields"),
    }


def test_a_part_has_the_bytes_of_its_json_and_the_text_that_the_model_reads() -> None:
    parts = {part.name: part for part in split(body_of(REQUEST))}

    assert parts["tool Read"].size_bytes == len(body_of(TOOL))
    assert parts["system"].text == "You are\nhelpful.\nBe brief."
    assert parts["messages: user"].text == "hi\nagain"
    assert parts["other fields"].text == ""


def test_a_request_without_tools_and_system_prompt_has_only_messages() -> None:
    parts = split(body_of({"model": "m", "messages": [{"role": "user", "content": "hi"}]}))

    assert [part.name for part in parts] == ["messages: user", "other fields"]


def test_a_block_that_is_not_text_counts_as_its_json() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}
    parts = split(body_of({"messages": [{"role": "assistant", "content": [call]}]}))

    assert json.loads({part.name: part for part in parts}["messages: assistant"].text) == call


def test_a_missing_claude_is_an_error_with_the_command_that_installs_it() -> None:
    with pytest.raises(UserError) as error:
        find_claude("/nowhere")

    assert error.value.message == "claude is not on the PATH"
    assert error.value.hint == "install Claude Code: npm install --global @anthropic-ai/claude-code"


def test_a_turn_is_read_from_the_result_after_warnings() -> None:
    usage = {"input_tokens": 25, "cache_read_input_tokens": 75, "output_tokens": 3}
    output = "a warning\n" + json.dumps({"type": "result", "is_error": False, "usage": usage}) + "\n"

    turn = turn_of("second turn", output)

    assert turn == PromptCost("second turn", 25, 75)
    assert turn.share == 0.25


@pytest.mark.parametrize("output", ["", "boom", '{"is_error": true, "result": "API Error"}'])
def test_a_failed_turn_is_an_error_with_its_output(output: str) -> None:
    with pytest.raises(EngineFailed, match="Claude Code failed at `second turn`") as error:
        turn_of("second turn", output)

    assert error.value.details == output


def test_the_figures_name_the_version_model_and_cpu_cores() -> None:
    figures = Figures("2.1.329", 2, {"ours": [PromptCost("second turn", 1, 3)]}, {"lean": 10}, 12.5)

    data = figures.to_dict()

    assert (data["claude"], data["model"], data["cpu_cores"]) == ("2.1.329", "demo model, random weights", 2)
    assert data["turns"]["ours"] == [
        {"step": "second turn", "read_tokens": 1, "cached_tokens": 3, "share": 0.25}
    ]

"""The shapes of conversation that Claude Code sends: recorded for every pinned version, and still true."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from claude_local.client.claude_code import TESTED_CLAUDE
from claude_local.machine.settings import Settings, load_settings
from claude_local.server.message_shapes import ALL_TURNS, RECORDED, Shape, few_for_all, recorded_shapes
from claude_local.server.openai_form import openai_messages
from support.machine import CLIENT_FOLDERS, ROOT
from support.refresh_message_shapes import record, shape_of
from support.refresh_tool_sets import version_of
from support.situations import SITUATIONS

RECORDINGS: dict[str, dict[str, list[list[str]]]] = json.loads(RECORDED.read_text())


def test_every_pinned_version_is_recorded_in_every_situation() -> None:
    pinned = {version_of(client) for client in CLIENT_FOLDERS}

    assert set(RECORDINGS) == pinned == set(TESTED_CLAUDE)
    assert [set(found) for found in RECORDINGS.values()] == [{*SITUATIONS, "claude -p"}] * len(pinned)


@pytest.mark.real_cli
@pytest.mark.parametrize("client", CLIENT_FOLDERS)
def test_a_version_still_sends_what_was_recorded(client: str, tmp_path: Path) -> None:
    settings: Settings = load_settings(
        {"HOME": str(tmp_path), "CLAUDE_LOCAL_STATE_DIR": str(tmp_path / "state")},
        ROOT,
        user_id=os.getuid(),
        group_id=os.getgid(),
    )

    sent = record(settings, tmp_path / "stage", client, ["Esc at a question"], with_headless=False)

    known = [shape for found in RECORDINGS[version_of(client)].values() for shape in found]
    assert [shape for shape in sent["Esc at a question"] if shape not in known] == []
    assert any(message.endswith("tool_result!:string text text*") for shape in known for message in shape)
    assert any(shape[-1].endswith("tool_result!:string text text*") for shape in sent["Esc at a question"])


def test_a_request_made_from_a_shape_has_that_shape_and_no_text_twice() -> None:
    for shape in recorded_shapes():
        request = shape.request()

        assert shape_of(request) == list(shape.messages)
        texts = [word for word in json.dumps(request).split('"') if word.startswith("text ")]
        assert len(texts) == len(set(texts))


def test_a_few_shapes_have_each_pair_of_turns_each_beginning_and_each_end() -> None:
    shapes = recorded_shapes()

    *few, last = few_for_all(shapes)

    def plain(shape: Shape) -> list[str]:
        return [message.replace("*", "") for message in shape.messages]

    pairs = {pair for shape in shapes for pair in zip(plain(shape), plain(shape)[1:], strict=False)}
    assert last.situation == ALL_TURNS
    assert pairs <= set(zip(last.messages, last.messages[1:], strict=False))
    assert {plain(shape)[0] for shape in shapes} == {plain(shape)[0] for shape in few}
    assert {plain(shape)[-1] for shape in shapes} == {plain(shape)[-1] for shape in few}
    assert len(few) < len(shapes) / 3


def test_the_users_text_comes_before_the_results_as_llama_server_has_it() -> None:
    messages = (
        "user text",
        "assistant thinking tool_use tool_use",
        "user tool_result!:string tool_result:text+image text text",
    )

    made: list[dict[str, Any]] = openai_messages(Shape("", messages).request())

    assert [(m["role"], m["content"]) for m in made] == [
        ("system", "text 001"),
        ("user", "text 002"),
        ("assistant", ""),
        ("user", "text 006\ntext 007"),
        ("tool", "text 004"),
        ("tool", "text 005<__media__>"),
    ]
    assert made[2]["reasoning_content"] == "text 003"
    assert [call["id"] for call in made[2]["tool_calls"]] == [m["tool_call_id"] for m in made[4:]]

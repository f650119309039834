"""Tolerant chat templates: what they make of a conversation, and when their file is written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from claude_local.machine.settings import Settings, load_settings
from claude_local.profiles.load import load_profiles
from claude_local.profiles.profile import Profile
from claude_local.server import chat_templates
from claude_local.server.chat_render import render_chat
from claude_local.server.flags import chat_template_file
from claude_local.server.openai_form import Message
from claude_local.server.template_check import Verdict, check, prelude
from support.gguf_files import SHAPES, write_header_only
from support.machine import ROOT

FAMILIES = ROOT / "tests" / "data" / "families"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    known = load_settings({"HOME": str(tmp_path)}, ROOT, user_id=1000, group_id=1000)
    templates = tmp_path / "templates"
    shutil.copytree(ROOT / "templates" / "_chat", templates / "_chat")
    (tmp_path / "profiles").mkdir()
    shutil.copy2(ROOT / "profiles" / "_defaults.yaml", tmp_path / "profiles")
    return replace(
        known,
        root=tmp_path,
        models_dir=tmp_path / "models",
        profiles_dir=tmp_path / "profiles",
        state_dir=tmp_path / "state",
    )


def tolerant_profile(settings: Settings, family: str) -> Profile:
    settings.models_dir.mkdir(exist_ok=True)
    template = (FAMILIES / f"{family}.jinja").read_text()
    write_header_only(settings.models_dir / "m.gguf", SHAPES[-1], chat_template=template)
    (settings.profiles_dir / "mine.yaml").write_text(
        "title: t\ndescription: d\nchat_template: tolerant\nmodel: {file: m.gguf}\n"
    )
    return load_profiles(settings.profiles_dir)["mine"]


def written(settings: Settings, profile: Profile) -> str:
    chat_templates.prepare(settings, profile)
    return Path(chat_template_file(profile, str(settings.runtime_dir))).read_text()


@pytest.mark.parametrize(
    ("family", "parts"),
    [
        ("devstral-2", ("turns",)),
        ("llama-3", ("turns", "one_call")),
        ("mistral-nemo", ("turns", "short_ids")),
        ("gemma-3", ("turns", "tools_as_text")),
        ("qwen2.5", ("turns",)),  # needs none, but the profile says tolerant
    ],
)
def test_a_template_gets_the_lines_that_it_needs(
    settings: Settings, family: str, parts: tuple[str, ...]
) -> None:
    text = written(settings, tolerant_profile(settings, family))

    origin, rest = text.split("\n", 1)
    assert origin.startswith("{#- with tools, from m.gguf, ")
    assert rest == prelude(settings, parts) + (FAMILIES / f"{family}.jinja").read_text()


def test_it_is_written_again_after_an_update_of_our_lines(settings: Settings) -> None:
    profile = tolerant_profile(settings, "devstral-2")
    before = written(settings, profile)
    file = settings.templates_dir / "_chat" / "turns.jinja"
    file.write_text(file.read_text().replace("I was stopped here.", "Stopped."))

    after = written(settings, profile)

    assert "Stopped." in after
    assert "Stopped." not in before


def test_after_esc_the_question_follows_the_result_and_an_answer(settings: Settings) -> None:
    """`user` and `tool` in this order are what llama-server makes of `[tool_result, text, text]`."""
    call = {"id": "a", "type": "function", "function": {"name": "Read", "arguments": {}}}
    other = {**call, "id": "b"}
    messages: list[Message] = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "", "tool_calls": [call, other]},
        {"role": "user", "content": "[interrupted]\n2"},
        {"role": "tool", "tool_call_id": "b", "content": "result of b"},
        {"role": "tool", "tool_call_id": "a", "content": "result of a"},
        {"role": "system", "content": "later"},
    ]
    shown = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"

    assert render_chat(prelude(settings) + shown, messages).splitlines() == [
        "system: S",
        "user: 1",
        "assistant: ",
        "tool: result of a",
        "tool: result of b",
        "assistant: I was stopped here.",
        "user: [interrupted]",
        "2",
        "<system-reminder>",
        "later",
        "</system-reminder>",
    ]


def test_an_ordinary_conversation_is_not_changed(settings: Settings) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "Read", "arguments": {}}}
    messages: list[Message] = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "", "tool_calls": [call], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "a", "content": "2"},
        {"role": "assistant", "content": "3"},
        {"role": "user", "content": "4"},
    ]

    assert render_chat(prelude(settings) + "{{ messages | tojson }}", messages) == render_chat(
        "{{ messages | tojson }}", messages
    )


def test_a_template_that_no_lines_help_is_left_with_its_reason(settings: Settings) -> None:
    never = (
        "{% for m in messages %}{{ m.content }}{% endfor %}"
        "{% if messages | length > 2 %}{{ raise_exception('No.') }}{% endif %}"
    )

    assert check(settings, never) == Verdict(
        "unknown",
        "with a later system message it refuses: No.; made tolerant, with answers with thinking it refuses: No.",
    )

"""Checks that a new llama-server must pass before it replaces the old one, on a model of random weights.

The answers are nonsense, but the checks are meaningful: the server loads a model and answers, it turns the
tools of Claude Code into grammars, a grammar forces a valid tool call, and a prompt is not read twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_local.foundation.errors import EngineFailed
from claude_local.models.demo_model import write_demo_model
from claude_local.profiles.profile import ACTIVE_ALIAS, Profile
from claude_local.server.llama_http import LlamaHttp

TOOL_SETS = Path(__file__).with_name("tool_sets.json")
ANSWER_TOKENS = 200

# A template that can write tool calls: llama-server builds grammars from tools only for such a template.
CHAT_TEMPLATE = (
    "{%- if tools -%}<|im_start|>system\n<tools>"
    "{%- for tool in tools %}\n{{ tool | tojson }}{% endfor -%}"
    '\n</tools>\n<tool_call>{"name": "a tool", "arguments": {}}</tool_call><|im_end|>\n'
    "{%- endif -%}"
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n"
    "{%- if message.content %}{{ message.content }}{% endif -%}"
    "{%- for call in message.tool_calls or [] %}"
    '<tool_call>{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "</tool_call>{% endfor -%}<|im_end|>\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)

CITIES = ["Lima", "Oslo"]
WEATHER = {
    "name": "weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"enum": CITIES}, "days": {"type": "integer", "enum": [1, 2]}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
ANSWER_SECONDS = 120
"""How long one answer may take: a slow CPU needs some of it for the forced tool call."""


@dataclass(frozen=True)
class Check:
    """One check: its name, whether it passed, and the result in words."""

    name: str
    passed: bool
    result: str


def probe_profile() -> Profile:
    """The profile of the model that serves the checks."""
    facts = {"title": "Probe", "description": "Random weights, for the checks of a new image."}
    sampling = {"temp": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    server = {"ctx_size": 65536, "parallel": 1, **sampling}
    return Profile.model_validate(
        {"name": "probe", **facts, "model": {"file": "probe.gguf"}, "server": server}
    )


def write_probe_model(path: Path) -> None:
    """Writes a demo model that starts a tool call with every fifth token, where the grammar allows it."""
    write_demo_model(path, chat_template=CHAT_TEMPLATE, said_often="<tool_call>")


def recorded_tool_sets() -> dict[str, list[dict[str, Any]]]:
    """The tools that each recorded version of Claude Code sends, without their descriptions."""
    return dict(json.loads(TOOL_SETS.read_text(encoding="utf-8")))


def checks(http: LlamaHttp, tool_sets: Mapping[str, list[dict[str, Any]]]) -> Iterator[Check]:
    """Runs all checks on a server whose active model is the probe; yields each result."""
    for version, tools in tool_sets.items():
        yield _tool_set(http, version, tools)
    for name, check in (("forced tool call", _tool_call), ("prompt read once", _cache)):
        try:
            yield Check(name, *check(http))
        except EngineFailed as error:
            yield Check(name, False, error.message)


def _tool_set(http: LlamaHttp, version: str, tools: list[dict[str, Any]]) -> Check:
    name = f"tools of Claude Code {version}"
    try:
        _ask(http, "hi", max_tokens=1, tools=tools)
    except EngineFailed as error:
        return Check(name, False, f"{_refused(http, tools)}: {error.message}")
    return Check(name, True, f"built a grammar from {len(tools)} tools")


def _refused(http: LlamaHttp, tools: list[dict[str, Any]]) -> str:
    """Names of the tools that are refused one by one; if each is accepted alone, all of them together."""
    names = []
    for tool in tools:
        try:
            _ask(http, "hi", max_tokens=1, tools=[tool])
        except EngineFailed:
            names.append(tool["name"])
    return ", ".join(names) or f"all {len(tools)} tools together"


def _tool_call(http: LlamaHttp) -> tuple[bool, str]:
    answer = _ask(
        http, "hi", max_tokens=ANSWER_TOKENS, tools=[WEATHER], tool_choice={"type": "tool", "name": "weather"}
    )
    calls = [block for block in answer["content"] if block["type"] == "tool_use"]
    if not calls:
        return False, f"no tool call in {answer['usage']['output_tokens']} tokens"
    call = calls[0]
    fits = call["name"] == "weather" and call["input"].get("city") in CITIES
    return fits and call["input"].get("days") in (1, 2), f"{call['name']}({json.dumps(call['input'])})"


def _cache(http: LlamaHttp) -> tuple[bool, str]:
    prompt = " ".join(f"word{number}" for number in range(500))
    _ask(http, prompt, max_tokens=1)
    usage = _ask(http, prompt, max_tokens=1)["usage"]
    reused, read = usage.get("cache_read_input_tokens", 0), usage["input_tokens"]
    return reused > read, f"{reused:,} of {reused + read:,} tokens were reused the second time"


def _ask(http: LlamaHttp, prompt: str, **fields: Any) -> Any:
    body = {"model": ACTIVE_ALIAS, "messages": [{"role": "user", "content": prompt}], **fields}
    return http.post("/v1/messages", body, timeout_seconds=ANSWER_SECONDS)

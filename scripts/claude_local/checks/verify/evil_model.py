"""A hostile model: answers each request of a session with the next attacks, as tool calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from claude_local.checks.verify.attacks import ATTACKS, SUBAGENT, Attack
from claude_local.checks.verify.recorder import Recorded

AGENT_TOOLS = ("Agent", "Task")
ORDER = "look into the matter of the lighthouse"
DELEGATED = "delegated"
DONE = {"type": "text", "text": "done"}
AT_ONCE = 10


class EvilModel:
    """The script of a Recorder. `words` are the values of the @ words, per attack."""

    def __init__(self, words: Mapping[str, Mapping[str, str]]) -> None:
        self.words = words

    def __call__(self, request: Recorded) -> list[dict[str, Any]]:
        """The content of the answer: tool calls until all attacks were made, then a text."""
        data = request.json()
        messages = data.get("messages") or []
        tools = [tool.get("name", "") for tool in data.get("tools") or []]
        asked = json.dumps(messages)
        if not tools:
            return [{"type": "text", "text": "ok"}]
        if ORDER in json.dumps(messages[:1]):
            return [DONE] if f'"{_id(SUBAGENT.name)}"' in asked else [self._use(SUBAGENT)]
        if pending := [attack for attack in ATTACKS if f'"{_id(attack.name)}"' not in asked]:
            return [self._use(attack) for attack in pending[:AT_ONCE]]
        if f'"{_id(DELEGATED)}"' not in asked and (agent := _first(AGENT_TOOLS, tools)):
            order = {"description": "look", "prompt": ORDER, "subagent_type": "general-purpose"}
            return [_tool_use(agent, order, DELEGATED)]
        return [DONE]

    def _use(self, attack: Attack) -> dict[str, Any]:
        return _tool_use(attack.tool, filled(attack.arguments, self.words[attack.name]), attack.name)


def filled(texts: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    """The texts with their @ words replaced by values."""
    result = json.dumps(dict(texts))
    for word, value in words.items():
        result = result.replace(f"@{word}@", json.dumps(value)[1:-1])
    return dict(json.loads(result))


def _tool_use(tool: str, arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": _id(name), "name": tool, "input": dict(arguments)}


def _id(name: str) -> str:
    return f"toolu_{name}"


def _first(wanted: Sequence[str], there: Sequence[str]) -> str:
    return next((name for name in wanted if name in there), "")

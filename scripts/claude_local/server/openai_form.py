"""The messages that llama-server gives to a chat template for a request of the Messages API.

Read in llama.cpp's `server_chat_convert_anthropic_to_oai` (build 11434): texts of a user's turn come before the
results of tools in it, `is_error` and documents are dropped.
"""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]


def openai_messages(request: dict[str, Any]) -> list[Message]:
    """The messages with texts joined to one string, as for a template that takes no lists."""
    system = "".join(block["text"] for block in request["system"])
    messages = [{"role": "system", "content": system}]
    for message in request["messages"]:
        messages += _converted(message["role"], message["content"])
    return messages


def without_system_role(messages: list[Message]) -> list[Message]:
    """The same for a template that refuses a system message: llama-server puts it before the first question."""
    system, first, *rest = messages
    return [{**first, "content": f"{system['content']}\n{first['content']}"}, *rest]


def as_lists(messages: list[Message]) -> list[Message]:
    """The same for a template that takes no texts as content, only lists of blocks."""
    return [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in messages]


def _converted(role: str, content: str | list[Message]) -> list[Message]:
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    of = {kind: [block for block in content if block["type"] == kind] for kind in ("tool_use", "tool_result")}
    texts = [text for block in content if (text := _text(block))]
    thoughts = "".join(block["thinking"] for block in content if block["type"] == "thinking")
    own: Message = {"role": role, "content": "\n".join(texts)}
    if of["tool_use"]:
        own["tool_calls"] = [_call(block) for block in of["tool_use"]]
    if thoughts:
        own["reasoning_content"] = thoughts
    results = [_result(block) for block in of["tool_result"]]
    return [own, *results] if texts or of["tool_use"] or thoughts else results


def _text(block: Message) -> str:
    if block["type"] == "image":
        return "<__media__>"
    return str(block["text"]) if block["type"] == "text" else ""


def _call(block: Message) -> Message:
    function = {"name": block["name"], "arguments": block["input"]}
    return {"id": block["id"], "type": "function", "function": function}


def _result(block: Message) -> Message:
    content = block["content"]
    text = content if isinstance(content, str) else "".join(_text(part) for part in content)
    return {"role": "tool", "tool_call_id": block["tool_use_id"], "content": text}

"""Every shape of conversation that Claude Code sends, as requests with short texts.

`message_shapes.json` is recorded from real sessions of the pinned versions by
`python tests/support/refresh_message_shapes.py`. It holds, per version, what a person did and the messages that
came of it. A message is its role and its blocks, for example `user tool_result!:string text*`:

- `string`: the content is a plain text, not a list of blocks
- `!`: is_error; `:string`, `:text+image`: the content of a tool's result; `*`: cache_control
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_name("message_shapes.json")

# One red pixel (PNG), and no page (PDF).
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
PAGES = "JVBERi0xLjQK"

TOOL = {"name": "Read", "description": "Reads a file", "input_schema": {"type": "object"}}


ALL_TURNS = "all turns in a row"


@dataclass(frozen=True)
class Shape:
    """One request: what a person did before it, and its messages in the notation above."""

    situation: str
    messages: tuple[str, ...]

    @property
    def has_picture(self) -> bool:
        return any("image" in message for message in self.messages)

    def request(self) -> dict[str, Any]:
        """The request, without a model's name. Each text is different, so that a lost one can be missed."""
        made = _Made()
        return {
            "max_tokens": 1,
            "system": [{"type": "text", "text": made.text()}],
            "messages": [made.message(message) for message in self.messages],
            "tools": [TOOL],
        }


def recorded_shapes() -> list[Shape]:
    """The shapes of all recorded versions, each once."""
    versions = json.loads(RECORDED.read_text(encoding="utf-8"))
    found: dict[tuple[str, ...], Shape] = {}
    for situations in versions.values():
        for situation, conversations in situations.items():
            for messages in conversations:
                found.setdefault(tuple(messages), Shape(situation, tuple(messages)))
    return list(found.values())


def few_for_all(shapes: Sequence[Shape]) -> list[Shape]:
    """A few shapes in place of all: each beginning and end, and last one conversation with all turns.

    A template that takes these takes them all: it may treat the first and the last turn differently, but no others.
    """
    turns: list[str] = []
    pairs: set[tuple[str, str]] = set()
    ends: dict[tuple[str, ...], Shape] = {}
    for shape in sorted(shapes, key=lambda shape: len(shape.messages)):
        plain = [message.replace("*", "") for message in shape.messages]
        answers = [i for i, message in enumerate(plain) if message.startswith("assistant")]
        first, last = (answers[0], answers[-1]) if answers else (len(plain), -1)
        ends.setdefault(("begins", *plain[:first]), shape)
        ends.setdefault(("ends", *plain[last + 1 :]), shape)
        if new := set(pairwise(plain)) - pairs:
            pairs |= new
            turns += [*plain, "assistant text"]
    return [*dict.fromkeys(ends.values()), Shape(ALL_TURNS, (*turns, "user text"))]


class _Made:
    """Counts texts and calls while a request is made."""

    def __init__(self) -> None:
        self.texts = 0
        self.calls: list[str] = []
        self.results = 0

    def text(self) -> str:
        self.texts += 1
        return f"text {self.texts:03}"

    def message(self, notation: str) -> dict[str, Any]:
        role, *blocks = notation.split()
        if blocks == ["string"]:
            return {"role": role, "content": self.text()}
        return {"role": role, "content": [self._block(block) for block in blocks]}

    def _block(self, notation: str) -> dict[str, Any]:
        kind, _, content = notation.rstrip("*").partition(":")
        made = getattr(self, f"_{kind.rstrip('!')}")(content)
        error = {"is_error": True} if kind.endswith("!") else {}
        cache = {"cache_control": {"type": "ephemeral"}} if notation.endswith("*") else {}
        return {**made, **error, **cache}

    def _text(self, _: str) -> dict[str, Any]:
        return {"type": "text", "text": self.text()}

    def _thinking(self, _: str) -> dict[str, Any]:
        return {"type": "thinking", "thinking": self.text(), "signature": ""}

    def _image(self, _: str) -> dict[str, Any]:
        return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}

    def _document(self, _: str) -> dict[str, Any]:
        return {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PAGES},
        }

    def _tool_use(self, _: str) -> dict[str, Any]:
        self.calls.append(f"toolu_{len(self.calls) + 1:028}")
        return {"type": "tool_use", "id": self.calls[-1], "name": "Read", "input": {"file_path": "a"}}

    def _tool_result(self, content: str) -> dict[str, Any]:
        self.results += 1
        blocks = [] if content == "string" else [self._block(block) for block in content.split("+") if block]
        return {
            "type": "tool_result",
            "tool_use_id": self.calls[self.results - 1],
            "content": self.text() if content == "string" else blocks,
        }

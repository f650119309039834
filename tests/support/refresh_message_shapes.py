"""The content of scripts/claude_local/server/message_shapes.json: every shape of conversation that is really sent.

After a change of the pinned Claude Code versions, update it with `python tests/support/refresh_message_shapes.py`
(minutes; needs tmux). Only shapes are kept: roles, kinds of blocks and their order, no texts.
"""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from claude_local.machine.settings import Settings  # noqa: E402  the path comes first
from claude_local.server.message_shapes import RECORDED  # noqa: E402
from support.conversations import stage  # noqa: E402
from support.machine import CLIENT_FOLDERS  # noqa: E402
from support.person import Person  # noqa: E402
from support.refresh_tool_sets import settings_in, version_of  # noqa: E402
from support.situations import SITUATIONS, headless, play  # noqa: E402
from support.terminal import Terminal  # noqa: E402

Shapes = dict[str, list[list[str]]]

TEXTS = 2
"""Of texts in a row only so many are kept: no template counts further."""


def record(
    settings: Settings, folder: Path, client: str, situations: list[str], *, with_headless: bool = True
) -> Shapes:
    """The shapes of each situation that no earlier one had, in the order in which they were sent."""
    shapes: Shapes = {}
    known: list[list[str]] = []
    with stage(settings, folder, client) as at:

        def keep(situation: str, since: int) -> None:
            new = [shape_of(body) for body in at.recorder.messages()[since:]]
            shapes[situation] = [shape for i, shape in enumerate(new) if shape not in known + new[:i]]
            known.extend(new)

        with Terminal(columns=120, rows=50) as terminal:
            person = Person(at, terminal)
            person.start()
            for situation in situations:
                before = at.requests()
                play(situation, person)
                keep(situation, before)
            person.leave()
        if with_headless:
            before = at.requests()
            headless(at)
            keep("claude -p", before)
    return shapes


def shape_of(body: dict[str, Any]) -> list[str]:
    """The messages of a request in the notation of message_shapes.py."""
    return [_message(message) for message in body["messages"]]


def _message(message: dict[str, Any]) -> str:
    content = message["content"]
    blocks = ["string"] if isinstance(content, str) else [_block(block) for block in content]
    few = [block for name, run in groupby(blocks) for block in list(run)[: TEXTS if name == "text" else None]]
    return " ".join([message["role"], *few])


def _block(block: dict[str, Any]) -> str:
    kind = str(block["type"]) + ("!" if block.get("is_error") else "")
    if block["type"] == "tool_result":
        inner = block.get("content") or []
        kind += ":" + ("string" if isinstance(inner, str) else "+".join(part["type"] for part in inner))
    return kind + ("*" if "cache_control" in block else "")


def main() -> None:
    """Replaces the recorded shapes with those that the pinned versions send."""
    found: dict[str, Shapes] = {}
    for client in CLIENT_FOLDERS:
        with tempfile.TemporaryDirectory(prefix="cl-") as folder:
            home = Path(folder).resolve()
            found[version_of(client)] = record(settings_in(home), home / "stage", client, list(SITUATIONS))
    RECORDED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""A stage for real Claude Code sessions: a recording server, a workspace and scripted answers.

Each prompt names the answer that it gets: `do:ask` is answered by the blocks `ask` of ANSWERS.
"""

from __future__ import annotations

import dataclasses
import os
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude_local.checks import prompt_size
from claude_local.checks.verify.recorder import Recorded, Recorder
from claude_local.machine.settings import Settings
from support.machine import CLIENT_FOLDERS
from support.terminal import WAIT_SECONDS

DIRECTIVE = re.compile(r"do:([a-z]+)")


def _use(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": name, "input": arguments}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


THINKING = {"type": "thinking", "thinking": "hm", "signature": ""}
AGENT = {"description": "look", "subagent_type": "general-purpose"}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", b"\0\0\0\2\0\0\0\2\x08\x02\0\0\0")
    + _chunk(b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * 2) * 2))
    + _chunk(b"IEND", b"")
)
"""A red picture of 2 by 2 pixels."""

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R/Size 4>>\n%%EOF\n"
)

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "ok": [_text("ok")],
    "think": [THINKING, _text("ok")],
    "read": [THINKING, _text("I read it."), _use("Read", file_path="note.txt")],
    "many": [_use("Read", file_path=name) for name in ("note.txt", "missing.txt", "p.png")],
    "pdf": [_use("Read", file_path="p.pdf")],
    "ask": [_use("Bash", command="touch asked", description="touch")],
    "asktwo": [_use("Bash", command=f"touch {name}", description=name) for name in "ab"],
    "invalid": [_use("Read", nonsense=1), _use("NoSuchTool", nonsense=1)],
    "agent": [_use("Agent", prompt="do:read", **AGENT)],
    "later": [_use("Agent", prompt="do:read", run_in_background=True, **AGENT)],
    "shell": [_use("Bash", command="true", description="true", run_in_background=True)],
    "endless": [_use("Bash", command="tail -f note.txt", description="tail")],
    "hold": [THINKING, _text("I begin")],
    "thought": [THINKING],
    "holdtool": [_text("I begin"), _use("Read", file_path="note.txt")],
}


@dataclass
class Stage:
    """A folder, a recording server and the wrapper that leads to it."""

    folder: Path
    client: str
    settings: Settings
    recorder: Recorder
    argv: list[str]
    held: threading.Event = field(default_factory=threading.Event)
    """Set while an answer to `do:hold…` stands still before its end."""
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def workspace(self) -> Path:
        return self.folder / "work"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{CLIENT_FOLDERS[self.client]}:{os.defpath}",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
        }

    def answer(self, request: Recorded) -> list[dict[str, Any]]:
        """The blocks that the newest prompt asks for. The text `ok` becomes `reply N.` with the request's number."""
        count = self.requests()
        blocks = []
        for number, block in enumerate(ANSWERS.get(self._newest(request), ANSWERS["ok"])):
            is_ok = block == _text("ok")
            more = {"id": f"toolu_{count}_{number}"} if block["type"] == "tool_use" else {}
            blocks.append(_text(f"reply {count}.") if is_ok else {**block, **more})
        return blocks

    def _newest(self, request: Recorded) -> str:
        """The answer that the last user's message names; `ok` if it brings only the results of tools."""
        *_, last = [message for message in request.json()["messages"] if message["role"] == "user"]
        content = last["content"]
        texts = [content] if isinstance(content, str) else [b["text"] for b in content if b["type"] == "text"]
        if texts and "no visible output" in texts[-1]:  # Claude Code asks again by itself
            return "ok"
        return next(iter(reversed(DIRECTIVE.findall("\n".join(texts)))), "ok")

    def bodies(self) -> list[dict[str, Any]]:
        """Every request to the model so far."""
        return self.recorder.messages()

    def requests(self) -> int:
        return len(self.bodies())

    def hold(self, request: Recorded) -> None:
        """Stops an answer to `do:hold…` before its end, until `go_on`."""
        if self._newest(request).startswith("hold"):
            self.held.set()
            self.go_on.wait(WAIT_SECONDS)
            self.held.clear()
            self.go_on.clear()


@contextmanager
def stage(settings: Settings, folder: Path, client: str) -> Iterator[Stage]:
    """A fresh home, a workspace with a few files, and a recorder."""
    for name in ("home", "tmp", "work"):
        (folder / name).mkdir(parents=True)
    (folder / "work" / "note.txt").write_text("what the note says\n")
    (folder / "work" / "p.png").write_bytes(PNG)
    (folder / "work" / "p.pdf").write_bytes(PDF)
    with Recorder() as recorder:
        asked = dataclasses.replace(
            settings,
            home=folder / "home",
            build_dir=folder / "build",
            state_dir=folder / "state",
            client_dir=folder / "home" / ".claude-local",
            engine="external",
            external_url=recorder.url,
            external_key_file=None,
        )
        argv = [str(word) for word in prompt_size.unconfined_wrapper(asked)]
        new = Stage(folder, client, asked, recorder, argv)
        recorder.script, recorder.pause = new.answer, new.hold
        try:
            yield new
        finally:
            new.go_on.set()

"""The chat template setting that a model needs: by our own reader, else by llama-server itself.

llama-server's Jinja engine knows constructs that ours does not. If ours cannot judge, the embedded engine renders the
same conversations with the demo model, which takes a second.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.foundation.plain_text import one_line
from claude_local.machine.processes import ask
from claude_local.machine.settings import Settings
from claude_local.models.demo_model import write_demo_model
from claude_local.server.chat_templates import prelude
from claude_local.server.template_check import CONVERSATION, FIRST, LATER, Verdict, check

SECONDS = 60
TOOL = "Read"


def verdict_on(settings: Settings, header: GgufHeader) -> Verdict:
    """The verdict on the template that llama-server uses for requests with tools."""
    template = header.tool_template
    found = check(settings, template)
    if found.wants != "unknown" or not template:
        return found
    if not importlib.util.find_spec("xllamacpp"):
        reason = f"our own reader cannot judge it ({found.reason}); `invoke up` asks llama-server"
        return Verdict("unknown", reason)
    return _by_server(settings, template) or found


def _by_server(settings: Settings, template: str) -> Verdict | None:
    """The verdict of llama-server; None if it gave no answer."""
    answers = _render(template, prelude(settings) + template)
    if answers is None:
        return None
    (plain, own), (_, tolerant) = answers
    if problem := _problem(plain, "Say ok."):
        return Verdict("unknown", f"with a plain conversation {problem}")
    if not (seen := _problem(own, LATER)):
        return Verdict("own", "llama-server renders a later system message with it")
    if left := _problem(tolerant, LATER):
        return Verdict("unknown", f"with a later system message {seen}; made tolerant, {left}")
    if TOOL in own.get("prompt", plain["prompt"]) and TOOL not in tolerant["prompt"]:
        return Verdict("unknown", f"with a later system message {seen}; made tolerant, it loses the tools")
    return Verdict("tolerant", f"with a later system message {seen}")


def _render(*templates: str) -> list[list[dict[str, str]]] | None:
    scripts = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        write_demo_model(Path(folder) / "model.gguf")
        trial = {"templates": templates, "conversations": [FIRST, CONVERSATION]}
        (Path(folder) / "trial.json").write_text(json.dumps(trial), encoding="utf-8")
        argv = [sys.executable, "-m", "claude_local.server.engines.template_trial", folder]
        answer = ask(argv, environment={"PYTHONPATH": str(scripts)}, timeout_seconds=SECONDS)
    try:
        found: list[list[dict[str, str]]] = json.loads(answer.output)
    except ValueError:
        return None
    return found


def _problem(answer: dict[str, str], expected: str) -> str:
    if "error" in answer:
        return f"it refuses: {one_line(answer['error'])[:120]}"
    return "" if expected in answer["prompt"] else "it drops the message"

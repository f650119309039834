"""Tests whether a model's chat template accepts the system messages that Claude Code sends.

A template is an untrusted program. Its text does not show what it refuses, so it is rendered, but in a
separate process with little time and memory: `python -m claude_local.server.template_check FOLDER`.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from claude_local.machine.processes import ask
from claude_local.machine.settings import Settings
from claude_local.server.chat_templates import prelude

SECONDS = 10
MEMORY_BYTES = 2**31

FIRST = [{"role": "system", "content": "You are a test."}, {"role": "user", "content": "Say ok."}]
LATER = "Be brief: 7345"
CONVERSATION = [*FIRST, {"role": "system", "content": LATER}]
"""As Claude Code sends it: a system message after the user's (see `probe.py`)."""


@dataclass(frozen=True)
class Verdict:
    """The `chat_template` that a profile needs, and the reason; `unknown` if rendering failed."""

    wants: Literal["own", "tolerant", "unknown"]
    reason: str


def check(settings: Settings, template: str | None) -> Verdict:
    """The verdict from rendering the template with a later system message, in a separate process."""
    if not template:
        return Verdict("unknown", "the file has no chat template")
    scripts = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "own.jinja").write_text(template, encoding="utf-8", errors="replace")
        (Path(folder) / "prelude.jinja").write_text(prelude(settings), encoding="utf-8")
        argv = [sys.executable, "-m", "claude_local.server.template_check", folder]
        answer = ask(argv, environment={"PYTHONPATH": str(scripts)}, timeout_seconds=SECONDS)
    with contextlib.suppress(ValueError, TypeError, KeyError):
        verdict = json.loads(answer.output)
        return Verdict(verdict["wants"], verdict["reason"])
    return Verdict("unknown", answer.problem or "rendering failed or took too much time or memory")


def judge(own: str, before: str) -> Verdict:
    """The verdict, made in this process. Only for trusted templates."""
    from claude_local.server.chat_render import render_chat

    def problem(template: str, messages: list[dict[str, str]]) -> str:
        try:
            text = render_chat(template, messages)
        except (ValueError, RecursionError) as error:
            return f"it refuses: {error}"
        return "" if messages[-1]["content"] in text else "it drops the message"

    if plain := problem(own, FIRST):
        return Verdict("unknown", f"with a plain conversation {plain}")
    if not (seen := problem(own, CONVERSATION)):
        return Verdict("own", "it accepts a later system message")
    if left := problem(before + own, CONVERSATION):
        return Verdict("unknown", f"with a later system message {seen}; made tolerant, {left}")
    return Verdict("tolerant", f"with a later system message {seen}")


def main(folder: Path) -> None:
    """Reads both texts and prints the verdict as JSON."""
    from claude_local.server import chat_render  # noqa: F401  before memory is limited

    own, before = ((folder / name).read_text(encoding="utf-8") for name in ("own.jinja", "prelude.jinja"))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    verdict = judge(own, before)
    reason = "".join(c if c.isprintable() else " " for c in verdict.reason)[:200]
    sys.stdout.write(json.dumps({"wants": verdict.wants, "reason": reason}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

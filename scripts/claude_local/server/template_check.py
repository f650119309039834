"""Tests whether a model's chat template accepts every shape of conversation that Claude Code sends.

A template is an untrusted program. Its text does not show what it refuses, so it is rendered, but in a
separate process with little time and memory: `python -m claude_local.server.template_check FOLDER`.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from claude_local.machine.processes import ask
from claude_local.machine.settings import Settings
from claude_local.server.message_shapes import few_for_all, recorded_shapes
from claude_local.server.openai_form import as_lists, openai_messages, without_system_role

CPU_SECONDS = 10
SECONDS = 60
MEMORY_BYTES = 2**31

FIRST = [{"role": "system", "content": "You are a test."}, {"role": "user", "content": "Say ok."}]
LATER = "Be brief: 7345"
CONVERSATION = [*FIRST, {"role": "system", "content": LATER}]
"""As Claude Code sends it: a system message after the user's (see `probe.py`)."""

FOLDER = "_chat"
TURNS = "turns"
CHOICES: tuple[tuple[str, ...], ...] = (
    *((TURNS,), (TURNS, "one_call"), (TURNS, "short_ids"), (TURNS, "one_call", "short_ids")),
    (TURNS, "tools_as_text"),
)
"""The files of templates/_chat that can stand before a template, from the smallest change to the largest."""

FORMS: tuple[Callable[[list[dict[str, Any]]], list[dict[str, Any]]], ...] = (
    list,
    without_system_role,
    as_lists,
    lambda messages: as_lists(without_system_role(messages)),
)
"""What llama-server makes of messages for a template that refuses them as they are."""

Conversation = tuple[str, list[dict[str, Any]]]
"""The situation in which it is sent, and its messages."""


@dataclass(frozen=True)
class Verdict:
    """The `chat_template` that a profile needs, and the reason; `unknown` if rendering failed."""

    wants: Literal["own", "tolerant", "unknown"]
    reason: str
    parts: tuple[str, ...] = field(default=(TURNS,), compare=False)
    """What makes the template tolerant."""


def prelude(settings: Settings, parts: Iterable[str] = (TURNS,)) -> str:
    """The lines that make the template after them tolerant."""
    folder = settings.templates_dir / FOLDER
    return "".join((folder / f"{part}.jinja").read_text(encoding="utf-8").rstrip("\n") for part in parts)


def check(settings: Settings, template: str | None) -> Verdict:
    """The verdict from rendering the template with every shape, in a separate process."""
    if not template:
        return Verdict("unknown", "the file has no chat template")
    scripts = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "own.jinja").write_text(template, encoding="utf-8", errors="replace")
        for number, parts in enumerate(CHOICES):
            (Path(folder) / f"{number}.jinja").write_text(prelude(settings, parts), encoding="utf-8")
        argv = [sys.executable, "-m", "claude_local.server.template_check", folder]
        answer = ask(argv, environment={"PYTHONPATH": str(scripts)}, timeout_seconds=SECONDS)
    with contextlib.suppress(ValueError, TypeError, KeyError):
        verdict = json.loads(answer.output)
        return Verdict(verdict["wants"], verdict["reason"], tuple(verdict["parts"]))
    return Verdict("unknown", answer.problem or "rendering failed or took too much time or memory")


def judge(own: str, befores: Iterable[str]) -> Verdict:
    """The verdict, made in this process. Only for trusted templates. `befores` belong to CHOICES."""
    plain = ""
    for form in FORMS:
        if not (problem := _problem(own, form(FIRST))):
            break
        plain = plain or problem
    else:
        return Verdict("unknown", f"with a plain conversation {plain}")
    conversations = [(situation, form(messages)) for situation, messages in _conversations()]
    if not (seen := _first_problem(own, conversations)):
        return Verdict("own", "it accepts a later system message")
    left = ""
    for parts, before in zip(CHOICES, befores, strict=True):
        if not (problem := _first_problem(before + own, conversations)):
            return Verdict("tolerant", seen, parts)
        left = left or problem
    return Verdict("unknown", f"{seen}; made tolerant, {left}")


def _conversations() -> Iterator[Conversation]:
    yield "a later system message", CONVERSATION
    for shape in few_for_all(recorded_shapes()):
        yield shape.situation, openai_messages(shape.request())


def _first_problem(template: str, conversations: Iterable[Conversation]) -> str:
    problems = (f"with {name} {problem}" for name, m in conversations if (problem := _problem(template, m)))
    return next(problems, "")


def _problem(template: str, messages: list[dict[str, Any]]) -> str:
    from claude_local.server.chat_render import render_chat

    try:
        text = render_chat(template, messages)
    except (ValueError, RecursionError) as error:
        return f"it refuses: {error}"
    asked = messages[1:] if messages[0]["role"] == "system" else messages
    heard = [line for m in asked if m["role"] != "assistant" for line in _lines(m["content"])]
    return "" if all(line in text for line in heard) else "it drops the message"


def _lines(content: str | list[dict[str, str]]) -> list[str]:
    return (content if isinstance(content, str) else content[0]["text"]).splitlines()


def main(folder: Path) -> None:
    """Reads the texts and prints the verdict as JSON."""
    from claude_local.server import chat_render  # noqa: F401  before memory is limited

    own, *befores = (
        (folder / f"{name}.jinja").read_text(encoding="utf-8") for name in ("own", *range(len(CHOICES)))
    )
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    verdict = judge(own, befores)
    reason = "".join(c if c.isprintable() else " " for c in verdict.reason)[:200]
    sys.stdout.write(json.dumps({"wants": verdict.wants, "reason": reason, "parts": verdict.parts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The size of Claude Code's first request, part by part.

A Recorder takes the place of the model server, so no model answers; a running model is used only to count
tokens. The session has an empty home folder and an empty workspace: your own CLAUDE.md adds to the figures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from claude_local.build import build_folder
from claude_local.checks.verify.recorder import Recorder
from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.foundation.plain_text import harmless
from claude_local.lifecycle import status
from claude_local.machine import processes, terminal
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import ACTIVE_ALIAS
from claude_local.server.llama_http import LlamaHttp, server_of_clients

SESSION_TIMEOUT_SECONDS = 90


@dataclass(frozen=True)
class Part:
    """One part of a request: its bytes in the body, and the text that the model reads."""

    name: str
    size_bytes: int
    text: str
    tokens: int | None = None


@dataclass(frozen=True)
class Report:
    """A request in parts, the largest first. None means not known: no server is running to count tokens."""

    parts: list[Part]
    size_bytes: int
    tokens: int | None
    prefill_seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "bytes": self.size_bytes,
            "tokens": self.tokens,
            "prefill_seconds": self.prefill_seconds,
            "parts": [{"name": p.name, "bytes": p.size_bytes, "tokens": p.tokens} for p in self.parts],
        }


def split(body: bytes) -> list[Part]:
    """The parts of a `/v1/messages` body, the largest first. Their sizes add up to that of the body.

    The rest, including the commas between parts, is `other fields`, which the model does not read.
    """
    request = json.loads(body)
    parts = [_part(f"tool {tool['name']}", [tool], _compact(tool)) for tool in request.get("tools", [])]
    if request.get("system"):
        parts.append(_part("system", [request["system"]], _text(request["system"])))
    messages = request.get("messages", [])
    for role in dict.fromkeys(message["role"] for message in messages):
        own = [message for message in messages if message["role"] == role]
        text = "\n".join(_text(message["content"]) for message in own)
        parts.append(_part(f"messages: {role}", own, text))
    rest = len(body) - sum(part.size_bytes for part in parts)
    return sorted([*parts, Part("other fields", rest, "")], key=lambda part: -part.size_bytes)


def _part(name: str, values: Sequence[Any], text: str) -> Part:
    return Part(name, sum(len(_compact(value).encode(errors="surrogatepass")) for value in values), text)


def _compact(value: Any) -> str:
    """JSON as Claude Code writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] if block["type"] == "text" else _compact(block) for block in content)


def measure(settings: Settings, environment: Mapping[str, str], *, full: bool = False) -> Report:
    """Measures the first request of `claude-local -p hi`. `environment` is used for PATH only."""
    body = first_request(settings, environment.get("PATH", ""), "--full" if full else "--lean")
    now = status.snapshot(settings)
    if now.state != "ready":  # a request would load a model
        return Report(split(body), len(body), None, None)
    http = server_of_clients(settings)
    parts = [dataclasses.replace(part, tokens=_tokens(http, part.text)) for part in split(body)]
    tokens = _answer(http, "/v1/messages/count_tokens", json.loads(body)).get("input_tokens")
    speed = now.prompt_tokens_per_second
    return Report(parts, len(body), tokens, round(tokens / speed, 1) if tokens and speed else None)


def _tokens(http: LlamaHttp, text: str) -> int | None:
    if not text:
        return 0
    tokens = _answer(http, "/tokenize", {"model": ACTIVE_ALIAS, "content": text}).get("tokens")
    return None if tokens is None else len(tokens)


def _answer(http: LlamaHttp, path: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(http.post(path, body))
    except EngineFailed:  # an external server may lack these routes
        return {}


def first_request(settings: Settings, path: str, tools: str) -> bytes:
    """The body of the first request with `--lean` or `--full`; with "", that of a plain launcher."""
    claude = find_claude(path)
    with throw_away_folder() as folder, Recorder() as recorder:
        argv: list[str | Path] = [claude, "-p", "hi"]
        variables = plain_environment(folder, recorder.url, "local")
        if tools:
            asked = dataclasses.replace(
                settings,
                build_dir=folder / "build",
                state_dir=folder / "state",
                client_dir=folder / "config",
                engine="external",
                external_url=recorder.url,
                external_key_file=None,
            )
            argv, variables = [*unconfined_wrapper(asked), tools, "-p", "hi"], {}
        run_alone(argv, folder / "work", path, variables)
    bodies = [r.body for r in recorder.requests if r.path.partition("?")[0] == "/v1/messages"]
    if not bodies:
        raise UserError("Claude Code sent no request", hint="start it by hand to see why: claude -p hi")
    return next((body for body in bodies if b'"tools":[{' in body), bodies[0])


def find_claude(path: str) -> str:
    """The `claude` on the given PATH. Raises UserError with the command that installs it."""
    if found := shutil.which("claude", path=path):
        return found
    raise UserError(
        "claude is not on the PATH",
        hint="install Claude Code: npm install --global @anthropic-ai/claude-code",
    )


@contextlib.contextmanager
def throw_away_folder() -> Iterator[Path]:
    """A temporary folder, removed with everything in it."""
    with tempfile.TemporaryDirectory(prefix="cl-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def unconfined_wrapper(settings: Settings) -> list[str | Path]:
    """Writes the wrapper for these settings and returns its command. Requests are the same with the jail on."""
    build_folder.refresh(settings, {})
    return [settings.build_dir / "bin" / "claude-local", "--sandbox", "off"]


def plain_environment(folder: Path, url: str, key: str) -> dict[str, str]:
    """The environment that a simple launcher sets, for comparison."""
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": key,
        "ANTHROPIC_API_KEY": "",
        "ANTHROPIC_MODEL": ACTIVE_ALIAS,
        "ANTHROPIC_SMALL_FAST_MODEL": ACTIVE_ALIAS,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CONFIG_DIR": str(folder / "config"),
        "DISABLE_AUTOUPDATER": "1",  # an update would replace the program being measured
    }


def run_alone(
    argv: Sequence[str | Path], workspace: Path, path: str, variables: Mapping[str, str] | None = None
) -> str:
    """Runs a program with nothing of the user's environment but PATH; its home is beside `workspace`."""
    home, temporary = workspace.parent / "home", workspace.parent / "tmp"
    for folder in (home, temporary, workspace):
        folder.mkdir(exist_ok=True)
    own = {"PATH": path, "HOME": str(home), "TMPDIR": str(temporary), "LANG": "C.UTF-8", **(variables or {})}
    bare = ["env", "-i", f"--chdir={workspace}", *(f"{name}={value}" for name, value in own.items())]
    limit = ["timeout", "--kill-after=2", str(SESSION_TIMEOUT_SECONDS)]
    return processes.run([*bare, *limit, *argv], failure=f"{Path(argv[0]).name} failed")


def show(report: Report, *, as_json: bool = False) -> None:
    """A table for people or JSON for programs."""
    if as_json:
        sys.stdout.write(json.dumps(report.to_dict(), indent=2) + "\n")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("part")
    for title in ("bytes", "tokens"):
        table.add_column(title, justify="right")
    for part in report.parts:
        table.add_row(escape(harmless(part.name)), f"{part.size_bytes:,}", _number(part.tokens))
    table.add_row("[bold]total[/bold]", f"{report.size_bytes:,}", _number(report.tokens))
    terminal.data.print(table)
    for line in _notes(report):
        terminal.data.print(line)


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _notes(report: Report) -> Iterator[str]:
    if report.tokens is None:
        yield "\nno model is running, so tokens are not counted; start one: invoke up"
    if report.prefill_seconds is not None:
        yield f"\nwithout a cache, this model reads it in about {report.prefill_seconds:,.1f} s (measured speed)"

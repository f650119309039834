"""Measures what claude-local changes for Claude Code: prompt tokens read again, request size, start time.

It runs the real Claude Code against a separate embedded server with the demo model. Random weights say
nothing about answers or speed, but the share of a prompt that the server finds in its cache is real. The
user's server, home folder and files are not touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from claude_local.checks import prompt_size
from claude_local.checks.prompt_size import find_claude, plain_environment, run_alone, unconfined_wrapper
from claude_local.foundation.errors import EngineFailed
from claude_local.lifecycle import up_down
from claude_local.lifecycle.request import Request
from claude_local.machine import state, terminal
from claude_local.machine.settings import Settings
from claude_local.models.demo_model import write_demo_model
from claude_local.profiles.load import load_profiles
from claude_local.server.engines.embedded import EmbeddedEngine

MODEL = "demo model, random weights"
OVERHEAD_RUNS = 15
WAYS = ("ours", "plain")
STEPS = (  # name, folder, option, prompt
    ("first session", "one", (), "What does the main module do?"),
    ("same session, second turn", "one", ("--continue",), "And who calls it?"),
    ("new session, other prompt", "one", (), "List the tests that read files."),
    ("new session, other directory", "two", (), "Which settings are there?"),
)


@dataclass(frozen=True)
class PromptCost:
    """The prompt of one turn: the tokens that the server read, and those it found in its cache."""

    step: str
    read_tokens: int
    cached_tokens: int

    @property
    def share(self) -> float:
        """The share of the prompt that was read again, from 0 to 1."""
        return self.read_tokens / max(1, self.read_tokens + self.cached_tokens)


@dataclass(frozen=True)
class Figures:
    """All measurements with one version of Claude Code."""

    claude: str
    cpu_cores: int
    turns: dict[str, list[PromptCost]]
    request_bytes: dict[str, int]
    overhead_ms: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "claude": self.claude,
            "model": MODEL,
            "cpu_cores": self.cpu_cores,
            "turns": {
                way: [{**dataclasses.asdict(turn), "share": round(turn.share, 4)} for turn in turns]
                for way, turns in self.turns.items()
            },
            "request_bytes": self.request_bytes,
            "wrapper_overhead_ms": self.overhead_ms,
        }


def turn_of(step: str, output: str) -> PromptCost:
    """The prompt tokens reported by `claude --output-format json`. Raises EngineFailed if the turn failed."""
    line = next((line for line in output.splitlines() if line.startswith("{")), "{}")  # after warnings
    result = json.loads(line)
    if result.get("is_error", True):
        raise EngineFailed(f"Claude Code failed at `{step}`", details=output[-500:])
    usage = result["usage"]
    return PromptCost(step, usage["input_tokens"], usage.get("cache_read_input_tokens") or 0)


def run(settings: Settings, environment: Mapping[str, str]) -> Figures:
    """Measures the `claude` on the PATH. `environment` is used for PATH only."""
    path = environment.get("PATH", "")
    claude = find_claude(path)
    turns: dict[str, list[PromptCost]] = {}
    with prompt_size.throw_away_folder() as folder:
        version = run_alone([claude, "--version"], folder / "work", path).split()[0]
        models = folder / "models"
        write_demo_model(models / "demo.gguf")
        for way in WAYS:  # each with a fresh server, whose cache is empty
            terminal.say(f"Claude Code {version}, {way}: {len(STEPS)} turns")
            with _server(settings, folder / way, models) as served:
                turns[way] = list(_turns(served, way, claude, path))
                if way == "ours":
                    overhead_ms = _overhead_ms(served, folder / "overhead", path)
    sizes = {
        "lean": prompt_size.first_request(settings, path, "--lean"),
        "full": prompt_size.first_request(settings, path, "--full"),
        "plain": prompt_size.first_request(settings, path, ""),
    }
    request_bytes = {name: len(body) for name, body in sizes.items()}
    return Figures(version, os.cpu_count() or 1, turns, request_bytes, overhead_ms)


@contextlib.contextmanager
def _server(settings: Settings, folder: Path, models: Path) -> Iterator[Settings]:
    """Runs an embedded server with the demo model on a free port; yields the settings for it."""
    folder.mkdir()
    profiles = load_profiles(settings.root / "profiles")
    own = dataclasses.replace(
        settings,
        state_dir=folder / "state",
        build_dir=folder / "build",
        client_dir=folder / "config",
        models_dir=models,
        engine="embedded",
        external_url="",
        llama_port=_free_port(),
        compose_project="claude-local-bench",  # does not match a container of the user
    )
    engine = EmbeddedEngine(own)
    try:
        up_down.up(own, engine, Request(profiles["demo"], profiles))
        yield own
    finally:
        engine.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _turns(settings: Settings, way: str, claude: str, path: str) -> Iterator[PromptCost]:
    folder = settings.build_dir.parent
    argv: list[str | Path] = [claude]
    variables = plain_environment(folder, settings.base_url, state.api_key(settings))
    if way == "ours":
        argv, variables = unconfined_wrapper(settings), {}
    for step, workspace, options, prompt in STEPS:
        asked = [*argv, "-p", *options, prompt, "--output-format", "json"]
        yield turn_of(step, run_alone(asked, folder / workspace, path, variables))


def _overhead_ms(settings: Settings, folder: Path, path: str) -> float:
    """How much longer a `claude` that does nothing takes when the wrapper starts it, in milliseconds."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    nothing = programs / "claude"
    nothing.write_text("#!/bin/sh\necho 999.0.0\n")  # the wrapper asks for the version, once
    nothing.chmod(0o755)
    path = f"{programs}:{path}"
    wrapper = unconfined_wrapper(dataclasses.replace(settings, client_dir=folder / "config"))
    with_wrapper = _median_seconds([*wrapper, "-p", "hi"], folder / "work", path)
    alone = _median_seconds([nothing, "-p", "hi"], folder / "work", path)
    return round((with_wrapper - alone) * 1000, 1)


def _median_seconds(argv: Sequence[str | Path], workspace: Path, path: str) -> float:
    run_alone(argv, workspace, path)  # warm up, so that all measured runs find the same files
    return statistics.median(_seconds(argv, workspace, path) for _ in range(OVERHEAD_RUNS))


def _seconds(argv: Sequence[str | Path], workspace: Path, path: str) -> float:
    started = time.perf_counter()
    run_alone(argv, workspace, path)
    return time.perf_counter() - started


def show(figures: Figures, *, as_json: bool = False) -> None:
    """Tables for people or JSON for programs."""
    if as_json:
        sys.stdout.write(json.dumps(figures.to_dict(), indent=2) + "\n")
        return
    say = terminal.data.print
    say(f"Claude Code {figures.claude}, {MODEL}, {figures.cpu_cores} CPU cores\n")
    say(_table(("prompt read again", "claude-local", "plain launcher"), _turn_rows(figures)))
    sizes = figures.request_bytes
    say(f"\nfirst request: {sizes['lean']:,} bytes lean, {sizes['full']:,} full, {sizes['plain']:,} plain")
    say(
        f"the wrapper adds {figures.overhead_ms:.0f} ms to a start without the jail (median of {OVERHEAD_RUNS})"
    )


def _turn_rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    for turns in zip(*(figures.turns[way] for way in WAYS), strict=True):
        yield turns[0].step, *(f"{turn.share:.1%} ({turn.read_tokens:,} tokens)" for turn in turns)


def _table(titles: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(titles):
        table.add_column(title, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table

"""The first minute: demo model, embedded engine, one real answer on the screen, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from claude_local.cli import small_model
from claude_local.cli.loading import watch_loading
from claude_local.foundation.errors import EngineFailed
from claude_local.foundation.plain_text import harmless
from claude_local.lifecycle import status, up_down
from claude_local.lifecycle.request import Request
from claude_local.machine import terminal
from claude_local.machine.settings import Settings
from claude_local.management import server_process
from claude_local.models.demo_model import write_demo_model
from claude_local.profiles.profile import Profile
from claude_local.server.engines.embedded import EmbeddedEngine
from claude_local.server.llama_http import own_server

DEMO = "demo"
PROMPT = "Say something."
MAX_TOKENS = 120


def run(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """Starts the demo model, streams an answer, and prints what runs and what to do next.

    Raises UserError with the cause and the next step.
    """
    demo = profiles[DEMO]
    written = write_demo_model(settings.models_dir / demo.model.file)
    terminal.say(f"1/3  demo model: {'written' if written else 'already there'} (random weights)")
    _start(settings, profiles)
    terminal.say(
        "3/3  its answer, streamed from /v1/messages. Random weights write nonsense; that is expected:"
    )
    _show_answer(settings)
    serving = small_model.offer(settings, profiles, lambda small: _switch(settings, profiles, small))
    terminal.data.print(_next_steps(settings, serving or DEMO))


def _start(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    with watch_loading(DEMO) as loading:
        server_process.check(settings)
        request = Request(profiles[DEMO], profiles)
        up_down.up(settings, EmbeddedEngine(settings), request, loading.observer)
    server_process.start(settings)
    now = status.snapshot(settings)  # one that died meanwhile has no context; its answer tells the cause
    terminal.say(f"2/3  llama-server: {now.state}, {now.context_tokens_per_slot or 0:,} tokens of context")


def _switch(settings: Settings, profiles: Mapping[str, Profile], profile: Profile) -> None:
    with watch_loading(profile.name) as loading:
        up_down.switch(settings, Request(profile, profiles), loading.observer)


def _show_answer(settings: Settings) -> None:
    http = own_server(settings)
    pieces = 0
    terminal.data.print()
    for piece in http.answer(PROMPT, max_tokens=MAX_TOKENS):
        terminal.data.print(escape(harmless(piece)), end="", style="cyan", soft_wrap=True)
        pieces += bool(piece)
    terminal.data.print("\n")
    if not pieces:
        raise EngineFailed("the model answered nothing", hint="see the log: .venv/bin/invoke logs")


def _next_steps(settings: Settings, model: str) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows = {
        "running": f"llama-server with the {model} model on {settings.base_url}",
        "where": f"{settings.root} (.venv, build, models, .state); nothing outside it was touched",
        "Claude Code on it": f"in the folder of a project: {settings.build_dir / 'bin' / 'claude-local'}",
        "status": ".venv/bin/invoke status",
        "stop": ".venv/bin/invoke down",
        "a real model": f".venv/bin/invoke pull {small_model.SMALL}    (a small one, for any CPU)",
        "all models": ".venv/bin/invoke profiles",
        "": ".venv/bin/invoke pull NAME && .venv/bin/invoke switch --model NAME",
    }
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/bold]", escape(value))
    return table

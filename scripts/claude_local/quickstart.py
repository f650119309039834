"""The first minute: demo model, embedded engine, one real answer on the screen, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from claude_local import console, lifecycle, management, small_model
from claude_local.demo_model import write_demo_model
from claude_local.engines.embedded import EmbeddedEngine
from claude_local.engines.http import own_server
from claude_local.errors import EngineFailed
from claude_local.profiles import Profile
from claude_local.settings import Settings

DEMO = "demo"
PROMPT = "Say something."
MAX_TOKENS = 120


def run(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """Starts the demo model, streams an answer, and prints what runs and what to do next.

    Raises UserError with the cause and the next step.
    """
    demo = profiles[DEMO]
    written = write_demo_model(settings.models_dir / demo.model.file)
    console.say(f"1/3  demo model: {'written' if written else 'already there'} (random weights)")
    _start(settings, profiles)
    console.say("3/3  its answer, streamed from /v1/messages. It is nonsense, and that is right:")
    _show_answer(settings)
    serving = small_model.offer(settings, profiles, lambda small: _switch(settings, profiles, small))
    console.data.print(_next_steps(settings, serving or DEMO))


def _start(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    with console.loading(DEMO) as loading:
        request = lifecycle.Request(profiles[DEMO], profiles, loading.progress, on_begin=loading.begin)
        management.check(settings)
        lifecycle.up(settings, EmbeddedEngine(settings), request)
    management.start(settings)
    now = lifecycle.snapshot(settings)  # one that died meanwhile has no context; its answer tells the cause
    console.say(f"2/3  llama-server: {now.state}, {now.context_tokens_per_slot or 0:,} tokens of context")


def _switch(settings: Settings, profiles: Mapping[str, Profile], profile: Profile) -> None:
    with console.loading(profile.name) as loading:
        request = lifecycle.Request(profile, profiles, loading.progress, on_begin=loading.begin)
        lifecycle.switch(settings, request)


def _show_answer(settings: Settings) -> None:
    http = own_server(settings)
    pieces = 0
    console.data.print()
    for piece in http.answer(PROMPT, max_tokens=MAX_TOKENS):
        console.data.print(escape(console.harmless(piece)), end="", style="cyan", soft_wrap=True)
        pieces += bool(piece)
    console.data.print("\n")
    if not pieces:
        raise EngineFailed("the model answered nothing", hint="see the log: .venv/bin/invoke logs")


def _next_steps(settings: Settings, model: str) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows = {
        "running": f"llama-server with the {model} model on {settings.base_url}",
        "where": f"{settings.root} (.venv, build, models, .state); nothing outside it was touched",
        "Claude Code on it": f"in the folder of a project: {settings.build_dir / 'bin' / 'claude-local'}",
        "look, stop": ".venv/bin/invoke status    .venv/bin/invoke down",
        "a real model": f".venv/bin/invoke pull {small_model.SMALL}    (a small one, for any CPU)",
        "": ".venv/bin/invoke profiles shows all; then: invoke down, pull NAME, up --model NAME",
    }
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/bold]", escape(value))
    return table

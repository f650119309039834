"""Tasks about the model that runs: up, switch, down, status, logs, the dashboard and the API."""

from __future__ import annotations

import os

from invoke import Context

from claude_local.cli.task import FORCE, JSON, MODEL, read_profiles, read_settings, rendered, verb


@verb(
    help={
        "model": MODEL,
        "engine": "docker, embedded, external or auto",
        "force": FORCE,
        "detach": "return when the model answers, without opening the dashboard",
    }
)
def up(
    c: Context, model: str | None = None, engine: str | None = None, detach: bool = False, force: bool = False
) -> None:
    """Start a model, wait until it answers, open the dashboard."""
    from claude_local.cli import foreground
    from claude_local.cli.pick_profile import pick_profile
    from claude_local.machine import terminal
    from claude_local.profiles.load import find_profile

    settings = read_settings(engine)
    profiles = read_profiles(settings)
    profile = find_profile(profiles, model) if model else pick_profile(settings, profiles)
    foreground.up(settings, profiles, profile, force=force)
    if not detach and settings.management_port and terminal.is_interactive(os.environ):
        foreground.dashboard(settings, os.environ)


@verb(
    help={
        "once": "print the dashboard once and exit",
        "json": "print the answer of /status and exit",
        "layout": "auto, compact or full",
    }
)
def dashboard(c: Context, once: bool = False, json: bool = False, layout: str = "auto") -> None:
    """Watch the model and switch it: log, cards, context, speed, cache. The model keeps running when you leave."""
    from claude_local.cli import foreground
    from claude_local.dashboard import session

    settings = read_settings()
    if json:
        session.as_json(session.client_of(settings))
    elif once:
        session.once(session.client_of(settings), session.look_of(os.environ, layout))
    else:
        foreground.dashboard(settings, os.environ, layout)


@verb()
def down(c: Context) -> None:
    """Stop the model and everything that was started for it."""
    from claude_local.cli import foreground

    foreground.down(read_settings())


@verb()
def serve(c: Context) -> None:
    """Run the management API in the foreground; `up` starts it in the background."""
    from claude_local.management import server_process

    server_process.serve(read_settings())


@verb(help={"remove": "remove the unit"})
def install_service(c: Context, remove: bool = False) -> None:
    """Put a systemd unit for the management API into your home folder."""
    from claude_local.management import service

    settings, _ = rendered()
    for line in service.remove(settings) if remove else service.install(settings):
        print(line)


@verb(
    help={
        "model": MODEL,
        "now": "cut replies that are being written",
        "force": FORCE,
    }
)
def switch(c: Context, model: str, now: bool = False, force: bool = False) -> None:
    """Make another model the active one; on failure the old one comes back."""
    from claude_local.cli import foreground
    from claude_local.profiles.load import find_profile

    settings = read_settings()
    profiles = read_profiles(settings)
    foreground.switch(settings, profiles, find_profile(profiles, model), cut_replies=now, force=force)


@verb(help={"json": JSON})
def status(c: Context, json: bool = False) -> None:
    """Say what is loaded, its real context and speed, and how to connect."""
    from claude_local.cli.show_status import show_snapshot
    from claude_local.lifecycle.status import snapshot
    from claude_local.models.fit import speeds

    settings = read_settings()
    now = snapshot(settings)
    speeds.record(settings, now)
    show_snapshot(now, settings, as_json=json)


@verb(help={"follow": "keep printing new lines", "tail": "how many of the last lines to print first"})
def logs(c: Context, follow: bool = False, tail: int = 100) -> None:
    """Show the server's log."""
    from claude_local.foundation.plain_text import harmless
    from claude_local.server.engines import registry

    engine = registry.with_log(read_settings())
    for line in engine.log_lines(tail=int(tail), follow=follow):
        print(harmless(line), flush=True)

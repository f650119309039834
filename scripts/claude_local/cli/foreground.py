"""Up, switch, down and the dashboard in the foreground: what a person at the terminal sees of each."""

from __future__ import annotations

from collections.abc import Mapping

from claude_local.build import build_folder
from claude_local.cli.loading import waiting, watch_loading
from claude_local.cli.show_status import show_result
from claude_local.dashboard import session
from claude_local.foundation.snapshot import Snapshot
from claude_local.lifecycle import status, up_down
from claude_local.lifecycle.request import Request
from claude_local.machine import terminal
from claude_local.machine.settings import Settings
from claude_local.management import server_process
from claude_local.profiles.profile import Profile
from claude_local.server.engines import registry


def up(settings: Settings, profiles: Mapping[str, Profile], profile: Profile, *, force: bool) -> None:
    """Writes build/, starts the model, waits until it answers and says what is true then."""
    build_folder.refresh(settings, profiles)
    engine, why = registry.choose(settings)
    terminal.say(f"engine: {engine.describe()}; chosen because {why}")
    server_process.check(settings)
    with watch_loading(profile.name) as loading:
        up_down.up(settings, engine, Request(profile, profiles, force=force), loading.observer)
    server_process.start(settings)
    _show_result(settings, profiles)


def switch(
    settings: Settings, profiles: Mapping[str, Profile], profile: Profile, *, cut_replies: bool, force: bool
) -> None:
    """Writes build/, makes the model the active one and says what is true then."""
    build_folder.refresh(settings, profiles)
    request = Request(profile, profiles, cut_replies=cut_replies, force=force)
    with watch_loading(profile.name) as loading:
        up_down.switch(settings, request, loading.observer)
    if not loading.has_begun:
        terminal.say(f"`{profile.name}` is active already; nothing was changed")
    _show_result(settings, profiles)


def _show_result(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    now = status.snapshot(settings)
    show_result(now, status.warnings_of(settings, now, profiles), settings)


def down(settings: Settings) -> None:
    """Stops the model and the management API, and says what was stopped."""
    names = up_down.down(settings, waiting())
    names += ["management API"] if server_process.stop(settings) else []
    terminal.say(f"stopped: {', '.join(names)}" if names else "nothing was running")


def dashboard(settings: Settings, environment: Mapping[str, str], layout: str = "auto") -> None:
    """Shows the dashboard until the person leaves it; stops everything if they choose that."""
    drawing, client = (
        session.look_of(environment, layout),
        session.client_of(settings),
    )  # a wrong layout starts nothing
    server_process.start(settings)
    if session.run(client, drawing).stop_model:
        down(settings)
    else:
        terminal.say(farewell(status.pulse(settings)))


def farewell(now: Snapshot) -> str:
    """What keeps running after the dashboard was closed, and the next commands."""
    if now.work:
        return f"`{now.work.purpose}` continues. Status: invoke status; dashboard: invoke dashboard"
    if now.state == "stopped":
        return "no model is running. Start one: invoke up; dashboard: invoke dashboard"
    if now.state == "failed":
        return "the model has failed. Reason: invoke status; clean up: invoke down"
    return "the model keeps running. Dashboard: invoke dashboard; stop: invoke down"

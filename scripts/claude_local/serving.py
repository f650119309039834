"""Up, switch, down and the dashboard, as a person at a terminal sees them from beginning to end."""

from __future__ import annotations

from collections.abc import Mapping

from claude_local import build, console, lifecycle, management
from claude_local.dashboard import session
from claude_local.profiles import Profile
from claude_local.settings import Settings
from claude_local.snapshot import Snapshot


def up(settings: Settings, profiles: Mapping[str, Profile], profile: Profile, *, force: bool) -> None:
    """Writes build/, starts the model, waits until it answers and says what is true then."""
    build.refresh(settings, profiles)
    engine, why = lifecycle.choose_engine(settings)
    console.say(f"engine: {engine.describe()} ({why})")
    management.check(settings)
    with console.loading(profile.name) as loading:
        request = lifecycle.Request(profile, profiles, loading.progress, force=force, on_begin=loading.begin)
        lifecycle.up(settings, engine, request)
    management.start(settings)
    _show_result(settings)


def switch(
    settings: Settings, profiles: Mapping[str, Profile], profile: Profile, *, cut_replies: bool, force: bool
) -> None:
    """Writes build/, makes the model the active one and says what is true then."""
    build.refresh(settings, profiles)
    with console.loading(profile.name) as loading:
        request = lifecycle.Request(
            *(profile, profiles, loading.progress),
            cut_replies=cut_replies,
            force=force,
            on_begin=loading.begin,
        )
        lifecycle.switch(settings, request)
    if not loading.has_begun:
        console.say(f"`{profile.name}` is active already; nothing was changed")
    _show_result(settings)


def _show_result(settings: Settings) -> None:
    now = lifecycle.snapshot(settings)
    console.show_result(now, lifecycle.warnings_of(settings, now), settings)


def down(settings: Settings) -> None:
    """Stops the model and the management API, and says what was stopped."""
    names = lifecycle.down(settings, console.waiting())
    names += ["management API"] if management.stop(settings) else []
    console.say(f"stopped: {', '.join(names)}" if names else "nothing was running")


def dashboard(settings: Settings, environment: Mapping[str, str], layout: str = "auto") -> None:
    """Shows the dashboard until somebody leaves; stops everything if they want that."""
    look, client = session.look_of(environment, layout), session.client_of(settings)
    management.start(settings)
    if session.run(client, look).stop_model:
        down(settings)
    else:
        console.say(farewell(lifecycle.snapshot(settings)))


def farewell(now: Snapshot) -> str:
    """What goes on when somebody has left the dashboard, and what they can do."""
    if now.work:
        return f"`{now.work.purpose}` goes on. See: invoke status; again: invoke dashboard"
    if now.state == "stopped":
        return "no model runs. Start one: invoke up; again: invoke dashboard"
    if now.state == "failed":
        return "the model has failed. See: invoke status; take it away: invoke down"
    return "the model goes on. Again: invoke dashboard; stop: invoke down"

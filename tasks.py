"""What you can ask for: `invoke --list`. Each task composes steps from scripts/claude_local/."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Collection, Exit, task

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "scripts"))

from claude_local.errors import UserError  # noqa: E402  the path comes first
from claude_local.settings import Settings, load_settings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claude_local.profiles import Profile

# Imports inside the tasks keep `invoke --list` quick.


def verb(**options: Any) -> Callable[[Callable[..., None]], Any]:
    """A task whose expected errors end as one line and a hint; a bug keeps its traceback."""

    def decorate(body: Callable[..., None]) -> Any:
        @functools.wraps(body)
        def run(*arguments: Any, **named: Any) -> None:
            try:
                body(*arguments, **named)
            except UserError as error:
                raise Exit(_error_text(error), code=1) from None
            except KeyboardInterrupt:
                raise Exit("interrupted", code=130) from None

        return task(**options)(run)

    return decorate


def _error_text(error: UserError) -> str:
    details = "".join(f"\n  | {line}" for line in error.details.splitlines())
    hints = "".join(f"\n  hint: {line}" for line in error.hint.splitlines())
    return f"error: {error.message}{details}{hints}"


def _settings(engine: str | None = None) -> Settings:
    environment = {
        "CLAUDE_LOCAL_PYTHON": sys.executable,
        **os.environ,
        **({"CLAUDE_LOCAL_ENGINE": engine} if engine else {}),
    }
    return load_settings(environment, ROOT, user_id=os.getuid(), group_id=os.getgid())


def _profiles(settings: Settings) -> Mapping[str, Profile]:
    from claude_local.profiles import load_profiles

    return load_profiles(settings.profiles_dir)


def _render(settings: Settings, profiles: Mapping[str, Profile]) -> int:
    from claude_local import build
    from claude_local.render import render

    changes = build.plan(render(settings, profiles), settings.build_dir)
    build.apply(changes, settings.build_dir)
    return len(changes)


def _stop_everything(settings: Settings) -> None:
    from claude_local import console, lifecycle, management

    names = lifecycle.down(settings)
    names += ["management API"] if management.stop(settings) else []
    console.say(f"stopped: {', '.join(names)}" if names else "nothing was running")


def _open_dashboard(settings: Settings, layout: str = "auto") -> None:
    """Shows the dashboard until somebody leaves; stops everything if they want that."""
    from claude_local import console, management
    from claude_local.dashboard import session

    look, client = session.look_of(os.environ, layout), session.client_of(settings)
    management.start(settings)
    if session.run(client, look).stop_model:
        _stop_everything(settings)
    else:
        console.say("the model goes on. Again: invoke dashboard; stop: invoke down")


@verb(
    help={
        "model": "profile name, alias or beginning",
        "engine": "docker, embedded, external or auto",
        "detach": "return when the model answers; else the dashboard opens, where there is a terminal",
    }
)
def up(c, model=None, engine=None, detach=False):
    """Start a model, wait until it answers, open the dashboard."""
    from claude_local import console, lifecycle, management
    from claude_local.profiles import find_profile

    settings = _settings(engine)
    profiles = _profiles(settings)
    profile = find_profile(profiles, model) if model else console.pick_profile(settings, profiles)
    _render(settings, profiles)
    chosen, why = lifecycle.choose_engine(settings)
    console.say(f"engine: {chosen.describe()} ({why})")
    management.check(settings)
    with console.loading(profile.name) as progress:
        now = lifecycle.up(settings, chosen, lifecycle.Request(profile, profiles, progress))
    management.start(settings)
    console.show_result(now, lifecycle.warnings_of(settings, now), settings)
    if not detach and settings.management_port and console.is_interactive(os.environ):
        _open_dashboard(settings)


@verb(
    help={
        "once": "print one picture and end",
        "json": "print what /status says and end",
        "layout": "auto, compact or full",
    }
)
def dashboard(c, once=False, json=False, layout="auto"):
    """Watch the model and switch it: log, cards, context, speed, cache. It goes on when you leave."""
    from claude_local.dashboard import session

    settings = _settings()
    if json:
        session.as_json(session.client_of(settings))
    elif once:
        session.once(session.client_of(settings), session.look_of(os.environ, layout))
    else:
        _open_dashboard(settings, layout)


@verb()
def down(c):
    """Stop the model and everything that was started for it."""
    _stop_everything(_settings())


@verb()
def serve(c):
    """Run the management API in the foreground; `up` starts it by itself."""
    from claude_local import management

    management.serve(_settings())


@verb(help={"remove": "take the unit away again"})
def install_service(c, remove=False):
    """Put a systemd unit for the management API into your home folder."""
    from claude_local import service

    settings = _settings()
    _render(settings, _profiles(settings))
    for line in service.remove(settings) if remove else service.install(settings):
        print(line)


@verb(help={"model": "profile name, alias or beginning", "now": "cut replies that are being written"})
def switch(c, model, now=False):
    """Make another model the active one; on failure the old one comes back."""
    from claude_local import console, lifecycle
    from claude_local.profiles import find_profile

    settings = _settings()
    profiles = _profiles(settings)
    profile = find_profile(profiles, model)
    _render(settings, profiles)
    with console.loading(profile.name) as progress:
        begun: list[bool] = []
        request = lifecycle.Request(
            profile, profiles, progress, cut_replies=now, on_begin=lambda: begun.append(True)
        )
        result = lifecycle.switch(settings, request)
    if not begun:
        console.say(f"`{profile.name}` is active already; nothing was changed")
    console.show_result(result, lifecycle.warnings_of(settings, result), settings)


@verb(help={"json": "print JSON"})
def status(c, json=False):
    """Say what is loaded, its real context and speed, and how to connect."""
    from claude_local import console, lifecycle

    settings = _settings()
    console.show_snapshot(lifecycle.snapshot(settings), settings, as_json=json)


@verb(help={"follow": "go on as lines come", "tail": "how many lines to begin with"})
def logs(c, follow=False, tail=100):
    """Show the server's log."""
    from claude_local import console, lifecycle

    engine = lifecycle.log_engine(_settings())
    for line in engine.log_lines(tail=int(tail), follow=follow):
        print(console.harmless(line), flush=True)


@verb()
def profiles(c):
    """List the model profiles."""
    from claude_local import console

    settings = _settings()
    console.show_profiles(settings, _profiles(settings))


@verb(help={"check": "change nothing, fail if something would change", "diff": "show what would change"})
def render(c, check=False, diff=False):
    """Write build/ from profiles and templates."""
    from claude_local import build
    from claude_local.render import render as render_files

    settings = _settings()
    changes = build.plan(render_files(settings, _profiles(settings)), settings.build_dir)
    if diff:
        print(build.diff(changes), end="")
    if check and changes:
        raise UserError(f"build/ is not up to date: {len(changes)} file(s)", hint="write it: invoke render")
    if not (check or diff):
        build.apply(changes, settings.build_dir)
        print(f"build/: {len(changes)} file(s) changed")


@verb()
def demo_model(c):
    """Write the demo model: a few MB of random weights that answer nonsense."""
    from claude_local.demo_model import write_demo_model

    path = _settings().models_dir / "demo.gguf"
    print(f"{'wrote' if write_demo_model(path) else 'is already there:'} {path}")


@verb()
def quickstart(c):
    """Prove the whole path with the demo model and the embedded engine (scripts/quickstart calls this)."""
    from claude_local import quickstart

    settings = _settings("embedded")
    profiles = _profiles(settings)
    _render(settings, profiles)
    quickstart.run(settings, profiles)


@verb()
def verify(c):
    """Try to divert a local session in every known way, in a throw-away home folder, and show what held."""
    from claude_local import verify

    results = verify.run(_settings(), os.environ)
    verify.show(results)
    verify.check(results)


@verb(help={"full": "all of Claude Code's tools instead of the lean set", "json": "print JSON"})
def prompt_size(c, full=False, json=False):
    """Show what Claude Code's first request is made of, in bytes and the running model's tokens."""
    from claude_local import prompt_size

    prompt_size.show(prompt_size.measure(_settings(), os.environ, full=full), as_json=json)


@verb(help={"client": "what claude-local changes for Claude Code", "json": "print JSON"})
def bench(c, client=False, json=False):
    """Measure how much of each prompt is read again, with claude-local and with a plain launcher."""
    from claude_local import bench

    if not client:
        raise UserError("what shall be measured?", hint="there is one benchmark: invoke bench --client")
    bench.show(bench.run(_settings(), os.environ), as_json=json)


@verb()
def schema(c):
    """Write profiles/schema.json, which editors use to check profiles."""
    from claude_local.profile_schema import write_schema

    print(f"wrote {write_schema(ROOT / 'profiles')}")


@verb(
    help={
        "bin_dir": "folder for the command; default: ~/bin or ~/.local/bin, rather one on your PATH",
        "link": "link into build/ instead of copying, so that every render applies at once",
        "dry_run": "say what would be done and do nothing",
        "force": "replace files that are not as we wrote them; yours are kept as NAME.bak",
    }
)
def install_claude_local(c, bin_dir=None, link=False, dry_run=False, force=False):
    """Put the command claude-local on your PATH and its texts into its own folder."""
    from claude_local import install

    settings = _settings()
    _render(settings, _profiles(settings))
    folder = Path(bin_dir).expanduser().absolute() if bin_dir else None
    choices = install.Choices(folder, link=link, dry_run=dry_run, force=force)
    for line in install.install(settings, choices, os.environ):
        print(line)


@verb(
    help={
        "purge": "remove sessions, history and the API key as well",
        "dry_run": "say what would be done and do nothing",
    }
)
def uninstall_claude_local(c, purge=False, dry_run=False):
    """Remove what install-claude-local wrote, and nothing that was changed since."""
    from claude_local import lifecycle, uninstall

    settings = _settings()
    engine = lifecycle.running_engine(settings) if purge else None
    if engine and engine.name != "external":
        raise UserError(f"the {engine.name} engine is running", hint="stop it first: invoke down")
    for line in uninstall.uninstall(settings, os.environ, purge=purge, dry_run=dry_run):
        print(line)


@verb(help={"dry_run": "print the command and do nothing"})
def build_image(c, dry_run=False):
    """Build the llama-server image for your NVIDIA cards from pinned source."""
    from claude_local import image

    settings = _settings()
    _render(settings, _profiles(settings))
    image.build(settings, dry_run=dry_run, say=print)


@verb(help={"unit": "only tests that need no Docker and no Claude Code"})
def test(c, unit=False):
    """Run the tests as scripts/test does."""
    from claude_local.processes import run_visibly

    raise Exit(code=run_visibly([ROOT / "scripts" / "test", *(["--unit"] if unit else [])]))


@verb()
def lint(c):
    """Check style and types of everything."""
    from claude_local.processes import run_visibly

    python = sys.executable
    checks = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    codes = [run_visibly([python, "-m", *check]) for check in checks]
    raise Exit(code=max(codes))


namespace = Collection.from_module(sys.modules[__name__])
namespace.configure({"run": {"echo": False}})

"""What you can ask for: `invoke --list`. Each task composes steps from scripts/claude_local/.

The file is long because there are some thirty tasks, whose names, options, defaults and help are read from
these signatures; what a task does beyond reading its options belongs into the module that it calls.
"""

from __future__ import annotations

import functools
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Collection, Exit, task

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "scripts"))

from claude_local.foundation.errors import UserError  # noqa: E402  the path comes first
from claude_local.machine.settings import Settings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claude_local.profiles.profile import Profile

# Imports inside the tasks keep `invoke --list` quick.

MODEL = "profile name, alias or beginning"
FORCE = "try a model that does not fit by its plan"
JSON = "print JSON"


def verb(**options: Any) -> Callable[[Callable[..., None]], Any]:
    """A task whose expected errors end as one line and a hint; a bug keeps its traceback."""

    def decorate(body: Callable[..., None]) -> Any:
        @functools.wraps(body)
        def run(*arguments: Any, **named: Any) -> None:
            if {"--help", "-h"} & set(map(str, (*arguments[1:], *named.values()))):
                _show_help(body.__name__.replace("_", "-"))
                return
            try:
                body(*arguments, **named)
            except UserError as error:
                from claude_local.machine import hints

                raise Exit(hints.failure(error, ROOT), code=1) from None
            except KeyboardInterrupt as interrupt:
                raise Exit(str(interrupt) or "interrupted", code=130) from None

        return task(**options)(run)

    return decorate


def _show_help(name: str) -> None:
    """The help of a task that cannot do without a value: `--help` is taken for that."""
    from invoke import Program

    Program(namespace=namespace, name="invoke", binary="invoke").run(["invoke", "--help", name], exit=False)


def _settings(engine: str | None = None) -> Settings:
    from claude_local.machine import settings_file

    return settings_file.load(
        ROOT,
        os.environ,
        defaults={"CLAUDE_LOCAL_PYTHON": sys.executable, "CLAUDE_LOCAL_FIT_TARGET": _fit_target()},
        engine=engine,
        user_id=os.getuid(),
        group_id=os.getgid(),
    )


def _fit_target() -> str:
    """What llama-server leaves free on each card of this machine."""
    from claude_local.machine.gpus import read_gpus
    from claude_local.models.fit.verdicts import fit_targets

    return fit_targets(read_gpus())


def _profiles(settings: Settings) -> Mapping[str, Profile]:
    from claude_local.profiles.profile import load_profiles

    return load_profiles(settings.profiles_dir)


def _rendered(settings: Settings | None = None) -> tuple[Settings, Mapping[str, Profile]]:
    """Settings and profiles, with build/ as they want it."""
    from claude_local.build import build_folder

    settings = settings or _settings()
    profiles = _profiles(settings)
    build_folder.refresh(settings, profiles)
    return settings, profiles


@verb(
    help={
        "model": MODEL,
        "engine": "docker, embedded, external or auto",
        "force": FORCE,
        "detach": "return when the model answers; else the dashboard opens, where there is a terminal",
    }
)
def up(c, model=None, engine=None, detach=False, force=False):
    """Start a model, wait until it answers, open the dashboard."""
    from claude_local.cli import foreground
    from claude_local.cli.pick_profile import pick_profile
    from claude_local.machine import terminal
    from claude_local.profiles.profile import find_profile

    settings = _settings(engine)
    profiles = _profiles(settings)
    profile = find_profile(profiles, model) if model else pick_profile(settings, profiles)
    foreground.up(settings, profiles, profile, force=force)
    if not detach and settings.management_port and terminal.is_interactive(os.environ):
        foreground.dashboard(settings, os.environ)


@verb(
    help={
        "once": "print one picture and end",
        "json": "print what /status says and end",
        "layout": "auto, compact or full",
    }
)
def dashboard(c, once=False, json=False, layout="auto"):
    """Watch the model and switch it: log, cards, context, speed, cache. It goes on when you leave."""
    from claude_local.cli import foreground
    from claude_local.dashboard import session

    settings = _settings()
    if json:
        session.as_json(session.client_of(settings))
    elif once:
        session.once(session.client_of(settings), session.look_of(os.environ, layout))
    else:
        foreground.dashboard(settings, os.environ, layout)


@verb()
def down(c):
    """Stop the model and everything that was started for it."""
    from claude_local.cli import foreground

    foreground.down(_settings())


@verb()
def serve(c):
    """Run the management API in the foreground; `up` starts it by itself."""
    from claude_local.management import server_process

    server_process.serve(_settings())


@verb(help={"remove": "take the unit away again"})
def install_service(c, remove=False):
    """Put a systemd unit for the management API into your home folder."""
    from claude_local.management import service

    settings, _ = _rendered()
    for line in service.remove(settings) if remove else service.install(settings):
        print(line)


@verb(
    help={
        "model": MODEL,
        "now": "cut replies that are being written",
        "force": FORCE,
    }
)
def switch(c, model, now=False, force=False):
    """Make another model the active one; on failure the old one comes back."""
    from claude_local.cli import foreground
    from claude_local.profiles.profile import find_profile

    settings = _settings()
    profiles = _profiles(settings)
    foreground.switch(settings, profiles, find_profile(profiles, model), cut_replies=now, force=force)


@verb(help={"json": JSON})
def status(c, json=False):
    """Say what is loaded, its real context and speed, and how to connect."""
    from claude_local.cli.show_status import show_snapshot
    from claude_local.lifecycle import look
    from claude_local.models.fit import speeds

    settings = _settings()
    now = look.snapshot(settings)
    speeds.record(settings, now)
    show_snapshot(now, settings, as_json=json)


@verb(help={"follow": "go on as lines come", "tail": "how many lines to begin with"})
def logs(c, follow=False, tail=100):
    """Show the server's log."""
    from claude_local.foundation.plain_text import harmless
    from claude_local.server.engines import registry

    engine = registry.with_log(_settings())
    for line in engine.log_lines(tail=int(tail), follow=follow):
        print(harmless(line), flush=True)


@verb()
def profiles(c):
    """List the model profiles."""
    from claude_local.cli.profile_list import show_profiles

    settings = _settings()
    show_profiles(settings, _profiles(settings))


@verb(
    help={
        "model": MODEL,
        "record": "write checksum and size into a profile that has none",
        "force": "download again what is there",
    }
)
def pull(c, model, record=False, force=False):
    """Download a model's files, go on where an earlier try stopped, and check them."""
    from claude_local.machine import progress, terminal
    from claude_local.models import model_report
    from claude_local.models.pull import pull
    from claude_local.models.record import record as write_into_profile
    from claude_local.profiles.profile import find_profile

    settings = _settings()
    profile = find_profile(_profiles(settings), model)
    try:
        pulled = pull(settings, profile, progress.transfer, force=force)
    except KeyboardInterrupt:
        terminal.say(f"what came so far is kept; go on: invoke pull {profile.name}")
        raise
    if record:
        print(write_into_profile(settings, profile, pulled), end="")
    model_report.show_pulled(settings, profile, pulled)


@verb(
    help={
        "prune": "delete what belongs to no profile, after asking",
        "yes": "do not ask",
        "json": JSON,
    }
)
def models(c, prune=False, yes=False, json=False):
    """List model files: what is on disk, what a profile lacks, what belongs to none."""
    from claude_local.models import inventory, model_report

    settings = _settings()
    seen = inventory.inventory(settings, _profiles(settings))
    model_report.show_inventory(seen, as_json=json)
    if prune and seen.deletable:
        model_report.prune(settings, seen, ask=not yes)


@verb(
    help={
        "source": "owner/name, owner/name:QUANT or owner/name:FILE on a hub, or the path of a GGUF file",
        "name": "the profile's name; default: made from the file's",
        "yes": "write it without asking",
    }
)
def add_profile(c, source, name=None, yes=False):
    """Write a commented profile for a model on a hub or on this disk."""
    from claude_local.machine import terminal
    from claude_local.models import add_profile

    settings = _settings()
    proposal = add_profile.propose(settings, _profiles(settings), source, name)
    print(proposal.diff, end="")
    accept = f"write it: invoke add-profile {shlex.quote(source)} --name {proposal.name} --yes"
    if yes or terminal.confirm(f"write {proposal.file}?", hint=accept):
        add_profile.write(proposal)
        name = proposal.name
        terminal.say(f"wrote {proposal.file}; next: invoke pull {name}, invoke plan --model {name}")


@verb(help={"check": "change nothing, fail if something would change", "diff": "show what would change"})
def render(c, check=False, diff=False):
    """Write build/ from profiles and templates."""
    from claude_local.build import build_folder
    from claude_local.build.render import render

    settings = _settings()
    changes = build_folder.plan(render(settings, _profiles(settings)), settings.build_dir)
    if diff:
        print(build_folder.diff(changes), end="")
    if check and changes:
        raise UserError(f"build/ is not up to date: {len(changes)} file(s)", hint="write it: invoke render")
    if not (check or diff):
        build_folder.apply(changes, settings.build_dir)
        print(f"build/: {len(changes)} file(s) changed")


@verb()
def demo_model(c):
    """Write the demo model: a few MB of random weights that answer nonsense."""
    from claude_local.models.demo_model import write_demo_model

    path = _settings().models_dir / "demo.gguf"
    print(f"{'wrote' if write_demo_model(path) else 'is already there:'} {path}")


@verb()
def quickstart(c):
    """Prove the whole path with the demo model and the embedded engine (scripts/quickstart calls this)."""
    from claude_local.cli import quickstart

    quickstart.run(*_rendered(_settings("embedded")))


@verb(help={"sandbox": "let a hostile model try to get out, in every mode"})
def verify(c, sandbox=False):
    """Try to divert a local session in every known way, in a throw-away home folder, and show what held."""
    from claude_local.checks.verify import sandbox as escapes
    from claude_local.checks.verify import verify as diversions

    proof = escapes if sandbox else diversions
    results = proof.run(_settings(), os.environ)
    proof.show(results)
    proof.check(results)


@verb(help={"full": "all of Claude Code's tools instead of the lean set", "json": JSON})
def prompt_size(c, full=False, json=False):
    """Show what Claude Code's first request is made of, in bytes and the running model's tokens."""
    from claude_local.checks import prompt_size

    prompt_size.show(prompt_size.measure(_settings(), os.environ, full=full), as_json=json)


@verb(help={"client": "what claude-local changes for Claude Code", "json": JSON})
def bench(c, client=False, json=False):
    """Measure how much of each prompt is read again, with claude-local and with a plain launcher."""
    from claude_local.checks import bench

    if not client:
        raise UserError("what shall be measured?", hint="there is one benchmark: invoke bench --client")
    bench.show(bench.run(_settings(), os.environ), as_json=json)


@verb(
    help={
        "model": MODEL,
        "all": "every profile, which is the default",
        "ctx": "with another context, in tokens",
        "json": JSON,
    },
)
def plan(c, model=None, all=False, ctx=None, json=False):
    """Say whether a model fits, here, before anything is loaded; exit code 1 if the one asked for does not."""
    from claude_local.lifecycle import look
    from claude_local.models.fit import plan, plan_table
    from claude_local.profiles.profile import find_profile

    settings = _settings()
    profiles = _profiles(settings)
    chosen = [find_profile(profiles, model)] if model else list(profiles.values())
    is_loaded = look.pulse(settings).state == "ready"
    verdicts = plan.verdicts(settings, chosen, context_tokens=plan.tokens_of(ctx), is_loaded=is_loaded)
    plan_table.show(verdicts, as_json=json)
    raise Exit(code=int(bool(model) and verdicts[0].outcome == "does not fit"))


@verb(help={"json": JSON, "fix": "take away what earlier runs left behind"})
def doctor(c, json=False, fix=False):
    """Look at everything that a start depends on, and say what helps; exit code 1 for an error."""
    from claude_local.checks.doctor import doctor
    from claude_local.checks.doctor.host import Host

    raise Exit(code=doctor.run(Host(_settings(), os.environ), fix_first=fix, as_json=json))


@verb()
def schema(c):
    """Write profiles/schema.json, which editors use to check profiles."""
    from claude_local.profiles.schema import write_schema

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
    from claude_local.client import install

    settings, _ = _rendered()
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
    from claude_local.client import uninstall
    from claude_local.server.engines import registry

    settings = _settings()
    engine = registry.running(settings) if purge and not dry_run else None
    if engine and engine.is_ours:
        raise UserError(f"the {engine.name} engine is running", hint="stop it first: invoke down")
    for line in uninstall.uninstall(settings, os.environ, purge=purge, dry_run=dry_run):
        print(line)


IMAGE_OPTIONS = {
    "source": "folder of a llama.cpp checkout to build instead of the pinned commit",
    "variant": "cuda, vulkan or cpu",
    "prebuilt": "take the official image, pinned by digest, instead of compiling",
    "architectures": 'CUDA architectures, for instance "89-real;120a-real"; default: those of your cards',
    "jobs": "compilers at once; default: as many as fit into the memory",
    "build_base": "image to compile in",
    "runtime_base": "image that the result is put on",
    "force": "build again what is there already, from the beginning",
    "dry_run": "print the command and do nothing",
}


@verb(help=dict(IMAGE_OPTIONS))
def build_image(
    c,
    variant="cuda",
    source="",
    prebuilt=False,
    architectures="",
    jobs=0,
    build_base="",
    runtime_base="",
    force=False,
    dry_run=False,
):
    """Build the llama-server image for your cards from pinned source."""
    from claude_local.build.image import image
    from claude_local.cli import image_console

    options = {"architectures": architectures, "build_base": build_base, "runtime_base": runtime_base}
    spec = image.wanted(variant, source=source, prebuilt=prebuilt, jobs=jobs, **options)
    image_console.build_and_use(_rendered()[0], spec, force=force, dry_run=dry_run)


@verb(help={"to": "full id of a llama.cpp commit; default: the pinned one", **IMAGE_OPTIONS})
def upgrade_image(
    c,
    to="",
    variant="cuda",
    source="",
    prebuilt=False,
    architectures="",
    jobs=0,
    build_base="",
    runtime_base="",
    force=False,
    dry_run=False,
):
    """Build a new image beside the old one, try it, and use it only if all is well."""
    from claude_local.build.image import image
    from claude_local.cli import image_console

    options = {"architectures": architectures, "build_base": build_base, "runtime_base": runtime_base}
    spec = image.wanted(variant, commit=to, source=source, prebuilt=prebuilt, jobs=jobs, **options)
    image_console.upgrade_to(*_rendered(), spec, force=force, dry_run=dry_run)


@verb()
def rollback_image(c):
    """Go back to the image before the present one."""
    from claude_local.build.image import image

    print(image.rollback(_settings()))


@verb(
    help={
        "base": "another Debian image with Node.js and npm",
        "packages": "Debian packages instead of our list of tools",
        "more_packages": "Debian packages besides, for instance 'golang-go cargo'",
        "certificates": "PEM file that the download of Claude Code shall trust as well",
        "dry_run": "print the command and do nothing",
    }
)
def build_client_image(c, base="", packages="", more_packages="", certificates="", dry_run=False):
    """Build the image with Claude Code for `claude-local --sandbox container`."""
    from claude_local.client import claude_image

    trusted = Path(certificates).expanduser().absolute() if certificates else None
    choices = claude_image.Choices(base, packages, more_packages, trusted)
    claude_image.build(_rendered()[0], choices, dry_run=dry_run, say=print)


@verb(help={"unit": "only tests that need no Docker and no Claude Code"})
def test(c, unit=False):
    """Run the tests as scripts/test does."""
    from claude_local.machine.processes import run_visibly

    raise Exit(code=run_visibly([ROOT / "scripts" / "test", *(["--unit"] if unit else [])]))


@verb()
def lint(c):
    """Check style and types of everything."""
    from claude_local.machine.processes import run_visibly

    python = sys.executable
    checks = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    codes = [run_visibly([python, "-m", *check]) for check in checks]
    raise Exit(code=max(codes))


namespace = Collection.from_module(sys.modules[__name__])
namespace.configure({"run": {"echo": False}})

"""Tasks about profiles and build/: list, plan, add, render, schema."""

from __future__ import annotations

import shlex

from invoke import Context, Exit

from claude_local.cli.task import JSON, MODEL, ROOT, read_profiles, read_settings, verb
from claude_local.foundation.errors import UserError


@verb()
def profiles(c: Context) -> None:
    """List the model profiles."""
    from claude_local.cli.profile_list import show_profiles

    settings = read_settings()
    show_profiles(settings, read_profiles(settings))


@verb(
    help={
        "model": MODEL,
        "all": "every profile, which is the default",
        "ctx": "with another context, in tokens",
        "json": JSON,
    },
)
def plan(
    c: Context, model: str | None = None, all: bool = False, ctx: str | None = None, json: bool = False
) -> None:
    """Say whether a model fits, here, before anything is loaded; exit code 1 if the one asked for does not."""
    from claude_local.lifecycle import status
    from claude_local.models.fit import plan, plan_table
    from claude_local.profiles.load import find_profile

    settings = read_settings()
    profiles = read_profiles(settings)
    chosen = [find_profile(profiles, model)] if model else list(profiles.values())
    is_loaded = status.pulse(settings).state == "ready"
    verdicts = plan.verdicts(settings, chosen, context_tokens=plan.tokens_of(ctx), is_loaded=is_loaded)
    plan_table.show(verdicts, as_json=json)
    raise Exit(code=int(bool(model) and verdicts[0].outcome == "does not fit"))


@verb(
    help={
        "source": "owner/name, owner/name:QUANT or owner/name:FILE on a hub, or the path of a GGUF file",
        "name": "the profile's name; default: made from the file's",
        "yes": "write it without asking",
    }
)
def add_profile(c: Context, source: str, name: str | None = None, yes: bool = False) -> None:
    """Write a commented profile for a model on a hub or on this disk."""
    from claude_local.machine import terminal
    from claude_local.models import add_profile

    settings = read_settings()
    proposal = add_profile.propose(settings, read_profiles(settings), source, name)
    print(proposal.diff, end="")
    accept = f"write it: invoke add-profile {shlex.quote(source)} --name {proposal.name} --yes"
    if yes or terminal.confirm(f"write {proposal.file}?", hint=accept):
        add_profile.write(proposal)
        terminal.say(f"wrote {proposal.file}; next: {proposal.next_steps}")


@verb(help={"check": "change nothing, fail if something would change", "diff": "show what would change"})
def render(c: Context, check: bool = False, diff: bool = False) -> None:
    """Write build/ from profiles and templates."""
    from claude_local.build import build_folder

    settings = read_settings()
    changes = build_folder.plan(build_folder.wanted(settings, read_profiles(settings)), settings.build_dir)
    if diff:
        print(build_folder.diff(changes), end="")
    if check and changes:
        raise UserError(f"build/ is not up to date: {len(changes)} file(s)", hint="write it: invoke render")
    if not (check or diff):
        build_folder.apply(changes, settings.build_dir)
        print(f"build/: {len(changes)} file(s) changed")


@verb()
def schema(c: Context) -> None:
    """Write profiles/schema.json, which editors use to check profiles."""
    from claude_local.profiles.editor_schema import write_schema

    print(f"wrote {write_schema(ROOT / 'profiles')}")

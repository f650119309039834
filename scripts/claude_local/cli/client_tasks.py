"""Tasks about Claude Code: install the command, prove and measure what it does, build its image."""

from __future__ import annotations

import os
from pathlib import Path

from invoke import Context

from claude_local.cli.task import JSON, read_settings, rendered, verb
from claude_local.foundation.errors import UserError


@verb(
    help={
        "bin_dir": "folder for the command; default: ~/bin or ~/.local/bin, preferably the one on your PATH",
        "link": "link into build/ instead of copying, so that every render applies immediately",
        "dry_run": "say what would be done and do nothing",
        "force": "replace files that are not as we wrote them; yours are kept as NAME.bak",
    }
)
def install_claude_local(
    c: Context, bin_dir: str | None = None, link: bool = False, dry_run: bool = False, force: bool = False
) -> None:
    """Put the command claude-local on your PATH and its prompt and skills into its own folder."""
    from claude_local.client import install

    settings, _ = rendered()
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
def uninstall_claude_local(c: Context, purge: bool = False, dry_run: bool = False) -> None:
    """Remove what install-claude-local wrote, and nothing that was changed since."""
    from claude_local.client import uninstall
    from claude_local.server.engines import registry

    settings = read_settings()
    engine = registry.running(settings) if purge and not dry_run else None
    if engine and engine.is_ours:
        raise UserError(
            f"a model is running with the engine `{engine.name}`", hint="stop that model first: invoke down"
        )
    for line in uninstall.uninstall(settings, os.environ, purge=purge, dry_run=dry_run):
        print(line)


@verb(help={"sandbox": "let a hostile model try to get out, in every mode"})
def verify(c: Context, sandbox: bool = False) -> None:
    """Try all known ways to send a session's requests to another server, in a throw-away home; show what held."""
    from claude_local.checks.verify import sandbox as escapes
    from claude_local.checks.verify import verify as diversions

    proof = escapes if sandbox else diversions
    results = proof.run(read_settings(), os.environ)
    proof.show(results)
    proof.check(results)


@verb(help={"full": "all of Claude Code's tools instead of the lean set", "json": JSON})
def prompt_size(c: Context, full: bool = False, json: bool = False) -> None:
    """Show what Claude Code's first request is made of, in bytes and the running model's tokens."""
    from claude_local.checks import prompt_size

    prompt_size.show(prompt_size.measure(read_settings(), os.environ, full=full), as_json=json)


@verb(help={"client": "what claude-local changes for Claude Code", "json": JSON})
def bench(c: Context, client: bool = False, json: bool = False) -> None:
    """Measure how much of each prompt is read again, with claude-local and with plain claude on the same server."""
    from claude_local.checks import bench

    if not client:
        raise UserError("nothing to measure", hint="there is one benchmark: invoke bench --client")
    bench.show(bench.run(read_settings(), os.environ), as_json=json)


@verb(
    help={
        "base": "another Debian image with Node.js and npm",
        "packages": "Debian packages instead of our list of tools",
        "more_packages": "more Debian packages, for instance 'golang-go cargo'",
        "certificates": "PEM file with more certificates to trust when Claude Code is downloaded",
        "dry_run": "print the command and do nothing",
    }
)
def build_client_image(
    c: Context,
    base: str = "",
    packages: str = "",
    more_packages: str = "",
    certificates: str = "",
    dry_run: bool = False,
) -> None:
    """Build the image with Claude Code for `claude-local --sandbox container`."""
    from claude_local.client import claude_image

    trusted = Path(certificates).expanduser().absolute() if certificates else None
    choices = claude_image.Choices(base, packages, more_packages, trusted)
    claude_image.build(rendered()[0], choices, dry_run=dry_run, say=print)

"""Tasks about this checkout: quickstart, doctor, version, tests, linters."""

from __future__ import annotations

import os
import sys

from invoke import Context, Exit

from claude_local.cli.task import JSON, ROOT, read_settings, rendered, verb


@verb()
def quickstart(c: Context) -> None:
    """Prove the whole path with the demo model and the embedded engine (scripts/quickstart calls this)."""
    from claude_local.cli import quickstart

    quickstart.run(*rendered(read_settings("embedded")))


@verb(help={"json": JSON, "fix": "take away what earlier runs left behind"})
def doctor(c: Context, json: bool = False, fix: bool = False) -> None:
    """Look at everything that a start depends on, and say what helps; exit code 1 for an error."""
    from claude_local.checks.doctor import doctor
    from claude_local.checks.doctor.host import Host

    raise Exit(code=doctor.run(Host(read_settings(), os.environ), fix_first=fix, as_json=json))


@verb()
def version(c: Context) -> None:
    """Print the version of claude-local; `invoke --version` is invoke's own."""
    from claude_local import __version__

    print(f"claude-local {__version__}")


@verb(help={"unit": "only tests that need no Docker and no Claude Code"})
def test(c: Context, unit: bool = False) -> None:
    """Run the tests as scripts/test does."""
    from claude_local.machine.processes import run_visibly

    raise Exit(code=run_visibly([ROOT / "scripts" / "test", *(["--unit"] if unit else [])]))


@verb()
def lint(c: Context) -> None:
    """Check style and types of everything."""
    from claude_local.machine.processes import run_visibly

    python = sys.executable
    checks = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    codes = [run_visibly([python, "-m", *check]) for check in checks]
    raise Exit(code=max(codes))

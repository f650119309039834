"""The proof that a local session cannot be diverted: real sessions among hostile settings, and their results."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from claude_local.checks.verify.cases import ASKED
from claude_local.checks.verify.groups import GROUPS, Group
from claude_local.checks.verify.session import UNPROVEN, Result, Session
from claude_local.foundation.errors import UserError
from claude_local.foundation.plain_text import harmless
from claude_local.machine import terminal
from claude_local.machine.settings import Settings

# Results about all sessions together; each other result is about one case.
OVERALL = ("sessions", "key", "claude-files", "home-files")


def run(settings: Settings, environment: Mapping[str, str], groups: Sequence[Group] = GROUPS) -> list[Result]:
    """One result per case, then those about all sessions together (OVERALL).

    `environment` is used for PATH only. Raises UserError if Claude Code is missing.
    """
    path = environment.get("PATH", "")
    if not shutil.which("claude", path=path):
        raise UserError(
            "claude is not on the PATH",
            hint="install Claude Code: npm install --global @anthropic-ai/claude-code",
        )
    found: list[Result] = []
    for group in groups:
        with tempfile.TemporaryDirectory(prefix="cl-", ignore_cleanup_errors=True) as folder:
            found += Session(settings, Path(folder).resolve(), path, group).results()
    return sorted(_together(found), key=lambda result: result.name in OVERALL)


def _together(results: Sequence[Result]) -> list[Result]:
    """One result per name: the first leak or limit, with the kinds of session that it applies to."""
    by_name: dict[str, list[Result]] = {}
    for result in results:
        by_name.setdefault(result.name, []).append(result)
    merged = []
    for same in by_name.values():
        leaks = [result for result in same if result.leak]
        shown = leaks or [result for result in same if result.limit] or same
        kinds = tuple(dict.fromkeys(kind for result in shown for kind in result.kinds))
        merged.append(dataclasses.replace(shown[0], kinds=kinds))
    return merged


def check(results: Sequence[Result]) -> None:
    """Raises UserError if there is a leak, and names the worst: observed diversions come first."""
    leaks = [result for result in results if result.leak]
    if leaks:
        worst = min(leaks, key=lambda result: (result.leak == UNPROVEN, result.promise != ASKED))
        raise UserError(
            f"{len(leaks)} of {len(results)} checks failed; the first: {worst.tried}",
            details=worst.leak,
            hint="do not use claude-local with private data, and report this",
        )


def show(results: Sequence[Result]) -> None:
    """Prints a table of the attempts, the kinds of session and the results."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("attempt", "sessions", "result"):
        table.add_column(heading, overflow="fold")
    for result in results:
        is_about_all = result.name in OVERALL and not (result.leak or result.limit)
        kinds = "all" if is_about_all else "; ".join(result.kinds)
        table.add_row(escape(result.tried), escape(kinds), _what_held(result))
    terminal.data.print(table)
    limits = [result for result in results if result.limit and not result.leak]
    held_count = sum(not (result.leak or result.limit) for result in results)
    known = f", known limits: {len(limits)}" if limits else ""
    terminal.data.print(f"\n{held_count} of {len(results)} held{known}")


def _what_held(result: Result) -> str:
    if result.leak:
        return f"[bold red]LEAK[/bold red] {escape(harmless(result.leak))}"
    if result.limit:
        return f"[yellow]known limit[/yellow]: {escape(result.limit)}"
    return escape(result.promise)

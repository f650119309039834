"""The proof of the jail: a hostile model drives the real Claude Code in every sandbox mode."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from claude_local.checks.verify.attacks import EVERYTHING, Attack
from claude_local.checks.verify.trial import Outcome, Trial
from claude_local.foundation.errors import UserError
from claude_local.foundation.plain_text import harmless
from claude_local.machine import terminal
from claude_local.machine.settings import Settings

MODES = ("jail", "container", "bash", "off")
MUST_HOLD = ("jail", "container")


def run(settings: Settings, environment: Mapping[str, str], modes: Sequence[str] = MODES) -> list[Outcome]:
    """One outcome per mode. `environment` is used for PATH and Docker's variables only.

    Raises UserError if Claude Code is missing.
    """
    if not shutil.which("claude", path=environment.get("PATH", "")):
        raise UserError(
            "claude is not on the PATH",
            hint="install Claude Code: npm install --global @anthropic-ai/claude-code",
        )
    outcomes = []
    for mode in modes:
        terminal.say(f"a hostile model with --sandbox {mode} …")
        with tempfile.TemporaryDirectory(prefix="cl-", ignore_cleanup_errors=True) as folder:
            outcomes.append(Trial(settings, Path(folder).resolve(), environment, mode).outcome())
    return outcomes


def check(outcomes: Sequence[Outcome]) -> None:
    """Raises UserError if an attack got through in a mode that must stop all of them."""
    for outcome in outcomes:
        if outcome.mode not in MUST_HOLD or outcome.holds or (outcome.not_here and outcome.mode != "jail"):
            continue
        names = {attack.name: attack.tried for attack in EVERYTHING}
        found = [names[name] for name in sorted(outcome.through | outcome.not_tried)]
        raise UserError(
            f"--sandbox {outcome.mode} does not hold",
            details="\n".join([*found, *(f"changed: {file}" for file in outcome.changed), outcome.not_here]),
            hint="do not let a model work unattended in this mode, and report this",
        )


def show(outcomes: Sequence[Outcome]) -> None:
    """Prints a table of the attacks and the modes in which they got through."""
    table = Table(
        "what the model tried",
        *(o.mode for o in outcomes),
        box=None,
        padding=(0, 2, 0, 0),
        header_style="bold",
    )
    for attack in EVERYTHING:
        table.add_row(escape(attack.tried), *(_cell(outcome, attack) for outcome in outcomes))
    table.add_row("any other change in the home folder", *(_other_changes(outcome) for outcome in outcomes))
    terminal.data.print(table)
    terminal.data.print()
    for outcome in outcomes:
        terminal.data.print(f"{outcome.mode}: {_sentence(outcome)}")


def _cell(outcome: Outcome, attack: Attack) -> str:
    if outcome.not_here:
        return "–"
    if attack.name in outcome.through:
        return "[bold red]got through[/bold red]"
    return "not tried" if attack.name in outcome.not_tried else "held"


def _other_changes(outcome: Outcome) -> str:
    if outcome.not_here:
        return "–"
    return f"[bold red]{len(outcome.changed)} file(s)[/bold red]" if outcome.changed else "none"


def _sentence(outcome: Outcome) -> str:
    if outcome.not_here:
        return f"not available: {escape(harmless(outcome.not_here))}"
    got = f"{len(outcome.through)} of {len(EVERYTHING)} got through"
    if outcome.mode in ("bash", "off"):
        got += ", with every question answered yes"
    return got

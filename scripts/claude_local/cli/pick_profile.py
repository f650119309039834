"""The picker: which model to start, with a search field where the terminal can draw one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.markup import escape

from claude_local.cli.profile_list import context_text, size_text_of
from claude_local.foundation.errors import UserError
from claude_local.machine.terminal import can_ask, has_cursor_keys, talk, warn
from claude_local.models.fit import plan
from claude_local.profiles.load import not_read_line

if TYPE_CHECKING:
    from claude_local.machine.settings import Settings
    from claude_local.models.fit.verdicts import Hardware
    from claude_local.profiles.profile import Profile

NOT_HERE = "↓ "


def pick_profile(settings: Settings, profiles: Mapping[str, Profile]) -> Profile:
    """The profile that the person at the terminal chooses. Raises UserError where there is no terminal."""
    names = list(profiles)
    if not can_ask():
        hints = [f"name one: --model {' | '.join(names)}", not_read_line(profiles)]
        raise UserError(
            "no model is named, and there is no terminal to choose one",
            hint="\n".join(filter(None, hints)),
        )
    if line := not_read_line(profiles):
        warn(line)
    hardware = plan.hardware_now()
    rows = [_row(settings, profile, hardware) for profile in profiles.values()]
    if has_cursor_keys(os.environ):
        with contextlib.suppress(
            ImportError, OSError, EOFError
        ):  # no questionary, or no real terminal behind it
            return profiles[_pick_with_arrows(names, rows)]
    return profiles[_pick_by_number(names, rows)]


def _pick_with_arrows(names: list[str], rows: list[str]) -> str:
    import questionary

    choices = [questionary.Choice(row, value=name) for name, row in zip(names, rows, strict=True)]
    chosen = questionary.select(
        _question(rows), choices=choices, use_search_filter=True, use_jk_keys=False
    ).ask()
    if chosen is None:
        raise KeyboardInterrupt
    return str(chosen)


def _pick_by_number(names: list[str], rows: list[str]) -> str:
    for number, row in enumerate(rows, start=1):
        talk.print(f"{number:3}  {escape(row)}", soft_wrap=True)
    answer = talk.input(f"{_question(rows)} number: ").strip()
    if not (answer.isdigit() and 1 <= int(answer) <= len(names)):
        raise UserError(f"`{answer}` is not a number from 1 to {len(names)}")
    return names[int(answer) - 1]


def _question(rows: list[str]) -> str:
    return "Which model?" + (f" ({NOT_HERE.strip()} not downloaded yet)" if NOT_HERE in "".join(rows) else "")


def _row(settings: Settings, profile: Profile, hardware: Hardware) -> str:
    here = "  " if (settings.models_dir / profile.model.file).is_file() else NOT_HERE
    found = plan.verdict(settings, profile, hardware=hardware, quick=True)
    fits = "" if found.outcome == "unknown" else f"({found.text.partition(': ')[0]}) "  # without figures
    facts = f"{profile.name:20} {size_text_of(settings, profile):>8} {context_text(profile):>6}"
    return f"{here}{facts}  {fits}{profile.description}"

"""The list of profiles, and what one line says of each: size, context, downloaded or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from claude_local.foundation import figures
from claude_local.machine.terminal import data, warn
from claude_local.models import file_check
from claude_local.profiles.load import not_read_line

if TYPE_CHECKING:
    from claude_local.machine.settings import Settings
    from claude_local.profiles.profile import Profile


def show_profiles(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """All profiles, two lines each where they are wide enough."""
    table = Table(show_header=False, box=None, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style="bold", min_width=20)
    for profile in profiles.values():
        on_disk = (settings.models_dir / profile.model.file).is_file()
        facts = [
            size_text_of(settings, profile),
            f"{context_text(profile)} context",
            "on disk" if on_disk else "not downloaded",
            "" if profile.tested_on else "not yet tested",
            f"also: {', '.join(profile.aliases)}" if profile.aliases else "",
        ]
        table.add_row(profile.name, escape("  ".join(filter(None, facts))))
        table.add_row("", f"[dim]{escape(profile.description)}[/dim]")
    data.print(table)
    if line := not_read_line(profiles):
        warn(line)


def size_text_of(settings: Settings, profile: Profile) -> str:
    """The size of the model file, on disk or as the profile states it; `?` where neither says."""
    return figures.size(file_check.model_size_bytes(settings, profile))


def context_text(profile: Profile) -> str:
    """The context in thousands of tokens; `auto` where llama-server chooses it."""
    tokens = profile.server.ctx_size
    if not tokens:
        return "auto"
    return f"{tokens // 1000}k" if tokens % 1000 == 0 else f"{tokens // 1024}k"

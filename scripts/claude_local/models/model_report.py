"""Printed reports on model files: downloads, files on disk, deletable files."""

from __future__ import annotations

import json
import sys

from rich.markup import escape
from rich.table import Table

from claude_local.foundation import figures
from claude_local.foundation.gguf_header import GgufHeader, read_model
from claude_local.foundation.plain_text import harmless
from claude_local.machine.settings import Settings
from claude_local.machine.terminal import confirm, data, say
from claude_local.models import disk_inventory
from claude_local.models.disk_inventory import Inventory
from claude_local.models.pull import Pulled
from claude_local.profiles.profile import Profile


def show_pulled(settings: Settings, profile: Profile, pulled: list[Pulled]) -> None:
    """Prints one line per file, a description of the model, and the next step."""
    for file in pulled:
        how = "downloaded" if file.downloaded else "already there"
        checked = f"sha256 as {file.checked} says" if file.checked else f"sha256 {file.sha256}, not compared"
        say(f"{file.target.name}: {how}, {figures.size(file.size_bytes)}, {checked}")
    say(f"{profile.name}: {describe(read_model(settings.models_dir / profile.model.file))}")
    if profile.model.sha256 is None:
        say(f"its checksum is not in the profile yet: invoke pull {profile.name} --record")
    say(f"next: invoke plan --model {profile.name} (will it fit here), invoke up --model {profile.name}")


def describe(header: GgufHeader) -> str:
    """A model in one line: `qwen3moe, Q4_K_M, 48 layers, 262,144 tokens of context, 128 experts`."""
    parts = [
        header.architecture,
        header.file_type,
        f"{header.n_layers} layer{'s' * (header.n_layers > 1)}" if header.n_layers else "",
        f"{header.context_length:,} tokens of context" if header.context_length else "",
        f"{header.expert_count} experts" if header.expert_count else "",
    ]
    return ", ".join(filter(None, parts))


def show_inventory(seen: Inventory, *, as_json: bool) -> None:
    """Prints the profiles with their files on disk, then the files that no profile names."""
    if as_json:
        sys.stdout.write(json.dumps(seen.to_dict(), indent=2) + "\n")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("profile", "on disk", "of", "state"):
        table.add_column(title, justify="right" if title in ("on disk", "of") else "left")
    for row in seen.profiles:
        size = figures.size(row.size_bytes)
        here = figures.size(row.on_disk_bytes) if row.on_disk_bytes else ""
        table.add_row(f"[bold]{escape(row.name)}[/bold]", here, size, escape(row.state))
    data.print(table)
    for extra in seen.extras:
        data.print(
            f"{escape(harmless(extra.path))}  {figures.size(extra.size_bytes)}  [yellow]{extra.why}[/yellow]"
        )
    if seen.deletable:
        total = sum(extra.size_bytes for extra in seen.deletable)
        say(
            f"{figures.size(total)} in unused files and partial downloads; delete them: invoke models --prune"
        )
    say(f"{figures.size(seen.free_bytes)} free in {seen.models_dir}")


def prune(settings: Settings, seen: Inventory, *, ask: bool) -> None:
    """Deletes the files that no profile names; with `ask` only if the user confirms."""
    question = f"delete these {len(seen.deletable)} file(s)?"
    if not ask or confirm(question, hint="delete them without asking: invoke models --prune --yes"):
        say(f"freed: {figures.size(disk_inventory.prune(settings, seen.deletable))}")

"""The printed form of a plan: a table per model, and a bar per card."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from claude_local.foundation import figures
from claude_local.machine import terminal
from claude_local.models.fit.verdicts import Device, FitVerdict

BAR_CELLS = 10
STYLES = {"fits": "green", "offloads": "yellow", "does not fit": "bold red", "unknown": "dim"}


def show(verdicts: Sequence[FitVerdict], *, as_json: bool = False) -> None:
    """Prints all verdicts to standard output."""
    if as_json:
        sys.stdout.write(json.dumps([verdict.to_dict() for verdict in verdicts], indent=2) + "\n")
        return
    for verdict in verdicts:
        style = STYLES[verdict.outcome]
        terminal.data.print(
            f"[bold]{escape(verdict.profile)}[/bold]  [{style}]{escape(verdict.text)}[/{style}]",
            soft_wrap=True,
        )
        if verdict.devices:
            terminal.data.print(_table(verdict.devices))
        for line in facts(verdict):
            terminal.data.print(f"  [dim]{escape(line)}[/dim]", soft_wrap=True)
        terminal.data.print()


def facts(verdict: FitVerdict) -> Iterator[str]:
    """Context, layers, speed and source of the figures, one line each."""
    if verdict.context_tokens:
        most = verdict.largest_context_tokens
        yield f"context {verdict.context_tokens:,} tokens" + (f", at most {most:,} would fit" if most else "")
    on_cpu = [
        f"{verdict.layers_on_cpu} of {verdict.layers} layers" if verdict.layers_on_cpu else "",
        f"the experts of {verdict.expert_layers_on_cpu} layers" if verdict.expert_layers_on_cpu else "",
    ]
    if any(on_cpu):
        yield f"on the CPU: {', '.join(filter(None, on_cpu))}"
    if verdict.tokens_per_second:
        yield f"{verdict.tokens_per_second:.1f} tokens/s when it last ran here"
    if verdict.source:
        yield f"by {verdict.source}"
    yield from (f"note: {note}" for note in verdict.notes)


def bar(device: Device) -> str:
    """Used and free memory of a device as a bar; `!` marks the missing part."""
    if not device.free_bytes:
        return ""
    share = device.used_bytes / device.free_bytes
    if share > 1:
        return "█" * BAR_CELLS + "!"
    used = round(share * BAR_CELLS)
    return "█" * used + "░" * (BAR_CELLS - used)


def _table(devices: Sequence[Device]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 2), header_style="dim")
    table.add_column("device", no_wrap=True)
    for name in ("weights", "KV cache", "compute", "free", "margin"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for device in devices:
        numbers = (
            *(device.weights_bytes, device.cache_bytes, device.compute_bytes),
            *(device.free_bytes, device.margin_bytes),
        )
        table.add_row(device.name, *map(figures.size, numbers), bar(device))
    return table

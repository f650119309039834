"""What is true now, as a table for people or JSON for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from claude_local.foundation.plain_text import harmless
from claude_local.machine.hints import invoke_from_here
from claude_local.machine.terminal import data, warn

if TYPE_CHECKING:
    from claude_local.foundation.snapshot import Snapshot
    from claude_local.machine.settings import Settings


def show_snapshot(now: Snapshot, settings: Settings, *, as_json: bool = False) -> None:
    """What is true now: a table for people or JSON for programs."""
    if as_json:
        sys.stdout.write(json.dumps(now.to_dict(), indent=2) + "\n")
        return
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _status_rows(now, settings):
        if value:
            table.add_row(f"[bold]{name}[/bold]", escape(harmless(value)))
    data.print(table)


def show_result(now: Snapshot, warnings: list[str], settings: Settings) -> None:
    """What is true after a start or a switch, and what will not work with it."""
    show_snapshot(now, settings)
    for warning in warnings:
        warn(warning)


def _status_rows(now: Snapshot, settings: Settings) -> Iterator[tuple[str, str]]:
    yield "state", now.state
    yield "reason", now.reason or ""
    yield "engine", now.engine_and_build
    yield "profile", f"{now.profile} ({now.model_file})" if now.profile else ""
    if now.context_tokens_per_slot:
        yield (
            "context",
            f"{now.context_tokens_per_slot:,} tokens in {now.slots_in_words}, {now.slots_busy} busy",
        )
    if now.uptime_seconds is not None:
        yield "uptime", f"{now.uptime_seconds:,.0f} s"
    yield "waiting", f"{now.requests_waiting:,} for a free slot" if now.requests_waiting else ""
    yield "speed", ", ".join(_speeds(now))
    yield (
        "cache",
        "" if now.cache_hit_fraction is None else f"{now.cache_hit_fraction:.0%} of prompt tokens reused",
    )
    yield "in progress", _work(now)
    yield "last switch", _last_switch(now)
    if now.state in ("stopped", "failed"):
        invoke = invoke_from_here(settings.root)
        yield "next", f"{invoke} up" if now.state == "stopped" else f"{invoke} logs; invoke down"
    else:
        yield "connect", f"{settings.build_dir / 'bin' / 'claude-local'}"
        key_file = settings.client_key_file
        yield (
            "other clients",
            f"{now.base_url}" + (f" with the key in {key_file}" if key_file else ", no key"),
        )


def _work(now: Snapshot) -> str:
    if now.work is None:
        return ""
    phase = f", {now.work.phase}" if now.work.phase else ""
    return (
        f"{now.work.purpose}{phase} (process {now.work.process_id}), for {time.time() - now.work.since:.0f} s"
    )


def _last_switch(now: Snapshot) -> str:
    last = now.last_switch
    if last is None:
        return ""
    way = f"{last.from_profile} to {last.to_profile}" if last.from_profile else last.to_profile
    after = f"after {last.seconds:.1f} s" + (f" ({last.reason})" if last.reason else "")
    ends = {
        "went back": f"failed {after}; {last.from_profile} was started again",
        "nothing changed": f"ended {after}; nothing changed",
        "failed": f"failed {after}; no model is running",
    }
    return f"{way}: " + ends.get(last.outcome, f"{last.outcome_in_words} in {last.seconds:.1f} s")


def _speeds(now: Snapshot) -> Iterator[str]:
    if now.prompt_tokens_per_second:
        yield f"prompt {now.prompt_tokens_per_second:,.0f} tokens/s"
    if now.generation_tokens_per_second:
        yield f"generation {now.generation_tokens_per_second:,.1f} tokens/s"

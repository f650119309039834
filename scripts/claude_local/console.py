"""What people see in the terminal: pickers, progress, tables. Talk goes to stderr, data to stdout."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from claude_local import lifecycle, plan, preflight, state
from claude_local.errors import UserError
from claude_local.hints import invoke_from_here
from claude_local.plain_text import harmless as harmless

if TYPE_CHECKING:
    from claude_local.profiles import Profile
    from claude_local.settings import Settings
    from claude_local.snapshot import Snapshot
    from claude_local.verdicts import Hardware

NOT_HERE = "↓ "
talk = Console(stderr=True, highlight=False)
data = Console(highlight=False)


def is_interactive(environment: Mapping[str, str]) -> bool:
    """Whether somebody sits at a terminal that can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and environment.get("TERM", "dumb") != "dumb"


def say(text: str) -> None:
    """One line of talk."""
    talk.print(escape(text), soft_wrap=True)


def warn(text: str) -> None:
    """One line about what will not work as somebody may expect."""
    talk.print(f"[yellow]warning:[/yellow] {escape(text)}", soft_wrap=True)


@dataclass
class Loading:
    """What a request tells while a model loads; nothing has begun where it serves already."""

    progress: lifecycle.Progress
    has_begun: bool = False

    def begin(self) -> None:
        self.has_begun = True


@contextlib.contextmanager
def loading(name: str) -> Iterator[Loading]:
    """Shows a spinner with elapsed time and the server's last log line while a model loads."""
    started = time.monotonic()
    with talk.status(f"loading {escape(name)}") as status:

        def progress(now: Snapshot, log_line: str) -> None:
            seconds = int(time.monotonic() - started)
            share = f" {now.load_fraction:.0%}" if now.load_fraction is not None else ""
            line = harmless(log_line)[: max(20, talk.width - 40)]
            status.update(f"loading {escape(name)}{share} [dim]{seconds} s  {escape(line)}[/dim]")

        told = Loading(progress)
        yield told
    # Without a terminal the spinner prints nothing, so say it once.
    if told.has_begun and not talk.is_terminal:
        say(f"loaded {name} in {time.monotonic() - started:.1f} s")


def waiting() -> state.Waiting:
    """What says, once each, whom a command waits for."""
    told = set[state.Holder]()

    def tell(held: state.Holder) -> None:
        if held not in told:
            told.add(held)
            say(f"waiting until `{held.purpose}` (process {held.process_id}) is complete")

    return tell


def confirm(question: str, *, hint: str) -> bool:
    """Whether the person at the terminal says yes. Raises UserError with `hint` where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("nobody is there to ask: no terminal", hint=hint)
    answer = talk.input(escape(f"{question} [y/N] ")).strip().lower()
    return answer in ("y", "yes")


def pick_profile(settings: Settings, profiles: Mapping[str, Profile]) -> Profile:
    """The profile that the person at the terminal chooses. Raises UserError where there is none."""
    names = list(profiles)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("which model?", hint=f"pass one: --model {' | '.join(names)}")
    hardware = plan.hardware_now()
    rows = [_row(settings, profile, hardware) for profile in profiles.values()]
    with contextlib.suppress(ImportError, OSError, EOFError):
        return profiles[_pick_with_arrows(names, rows)]
    return profiles[_pick_by_number(names, rows)]


def _pick_with_arrows(names: list[str], rows: list[str]) -> str:
    import os

    if os.environ.get("TERM", "dumb") == "dumb":
        raise OSError("this terminal has no cursor keys")
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
        raise UserError(f"`{answer}` is no number from 1 to {len(names)}")
    return names[int(answer) - 1]


def _question(rows: list[str]) -> str:
    return "Which model?" + (f" ({NOT_HERE.strip()} not downloaded yet)" if NOT_HERE in "".join(rows) else "")


def _row(settings: Settings, profile: Profile, hardware: Hardware) -> str:
    here = "  " if (settings.models_dir / profile.model.file).is_file() else NOT_HERE
    found = plan.verdict(settings, profile, hardware=hardware, quick=True)
    fits = "" if found.outcome == "unknown" else f"({found.text.partition(': ')[0]}) "  # without figures
    facts = f"{profile.name:20} {_size(settings, profile):>8} {_context(profile):>6}"
    return f"{here}{facts}  {fits}{profile.description}"


def _size(settings: Settings, profile: Profile) -> str:
    size = preflight.model_size_bytes(settings, profile)
    if size is None:
        return "? GB"
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _context(profile: Profile) -> str:
    tokens = profile.server.ctx_size
    if not tokens:
        return "fit"
    return f"{tokens // 1000}k" if tokens % 1000 == 0 else f"{tokens // 1024}k"


def show_profiles(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """All profiles, two lines each where they are wide enough."""
    table = Table(show_header=False, box=None, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style="bold", min_width=20)
    for profile in profiles.values():
        on_disk = (settings.models_dir / profile.model.file).is_file()
        facts = [
            _size(settings, profile),
            f"{_context(profile)} context",
            "on disk" if on_disk else "not downloaded",
            "" if profile.tested_on else "not yet tested",
            f"also: {', '.join(profile.aliases)}" if profile.aliases else "",
        ]
        table.add_row(profile.name, escape("  ".join(filter(None, facts))))
        table.add_row("", f"[dim]{escape(profile.description)}[/dim]")
    data.print(table)


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
    yield "cache", "" if now.cache_hit_fraction is None else f"{now.cache_hit_fraction:.0%} of prompts reused"
    yield "going on", _work(now)
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
    return (
        f"{way}: {last.outcome_in_words} in {last.seconds:.1f} s{f', {last.reason}' if last.reason else ''}"
    )


def _speeds(now: Snapshot) -> Iterator[str]:
    if now.prompt_tokens_per_second:
        yield f"prompt {now.prompt_tokens_per_second:,.0f} tokens/s"
    if now.generation_tokens_per_second:
        yield f"generation {now.generation_tokens_per_second:,.1f} tokens/s"

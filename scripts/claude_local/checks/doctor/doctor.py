"""`invoke doctor`: checks everything that a start needs and gives one line of remedy per problem."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from claude_local.checks.doctor import client, docker, jail, leftovers, machine, nvidia
from claude_local.checks.doctor.host import LEVELS, Check, Finding, Host, Level
from claude_local.foundation.errors import UserError
from claude_local.machine.hints import from_here

CHECKS = (
    Check("Python", machine.python),
    Check("Docker Engine", docker.engine),
    Check("Compose v2", docker.compose),
    Check("BuildKit", docker.buildkit),
    Check("NVIDIA driver", nvidia.driver),
    Check("container toolkit", nvidia.toolkit),
    Check("compute capability", nvidia.capability),
    Check("bubblewrap", jail.bwrap),
    Check("socat", jail.socat),
    Check("HAProxy", jail.haproxy),
    Check("Claude Code", client.claude),
    Check("model port", machine.llama_port),
    Check("API port", machine.api_port),
    Check("disk for models", machine.disk),
    Check("memory", machine.memory),
    Check("clock", machine.clock),
    Check("~/.claude", client.normal_folder),
    Check("~/.claude-local", client.own_folder),
    Check("leftovers", leftovers.leftovers),
)
STYLES: dict[Level, str] = {"ok": "green", "info": "cyan", "warning": "yellow", "error": "bold red"}


@dataclass(frozen=True)
class Result:
    """One check and its finding."""

    name: str
    finding: Finding


def examine(host: Host, checks: Sequence[Check] = CHECKS) -> list[Result]:
    """One result per check, in the order of `checks`. They run in parallel, each up to its time limit."""
    found: dict[str, Finding] = {}
    started = time.monotonic()
    threads = [
        threading.Thread(target=_look, args=(host, check, found), daemon=True, name=check.name)
        for check in checks
    ]
    for thread in threads:
        thread.start()
    for thread, check in zip(threads, checks, strict=True):
        thread.join(max(0.0, started + check.timeout_seconds - time.monotonic()))
    return [Result(check.name, found.get(check.name) or _timed_out(check)) for check in checks]


def run(host: Host, *, fix_first: bool = False, as_json: bool = False) -> int:
    """Runs all checks, shows the results and returns the exit code. `fix_first` removes leftovers before."""
    for line in leftovers.fix(host) if fix_first else []:
        sys.stderr.write(f"{line}\n")
    results = examine(host)
    show(results, as_json=as_json)
    remedies = " ".join(result.finding.remedy for result in results if result.finding.level != "ok")
    if not as_json and (way := from_here(remedies, host.settings.root)):
        sys.stdout.write(f"{way}\n")
    return exit_code(results)


def exit_code(results: Sequence[Result]) -> int:
    """1 if there is an error, else 0: a warning does not count."""
    return int(worst(results) == "error")


def worst(results: Sequence[Result]) -> Level:
    """The worst level of all results."""
    return max((result.finding.level for result in results), key=LEVELS.index, default="ok")


def show(results: Sequence[Result], *, as_json: bool = False) -> None:
    """Prints a table, or JSON, to standard output. Without the package rich, plain lines."""
    if as_json:
        checks = [{"name": result.name, **asdict(result.finding)} for result in results]
        sys.stdout.write(json.dumps({"worst": worst(results), "checks": checks}, indent=2) + "\n")
        return
    try:
        _show_table(results)
    except ImportError:
        sys.stdout.write("".join(_lines(results)))
    sys.stdout.write(f"\n{_summary(results)}\n")


def _look(host: Host, check: Check, found: dict[str, Finding]) -> None:
    """Runs one check. Whatever it raises becomes its finding; the other checks continue."""
    try:
        found[check.name] = check.examine(host)
    except ImportError as error:
        text = f"not checked: the Python package {error.name} is missing"
        found[check.name] = Finding("warning", text, machine.PACKAGES_REMEDY)
    except UserError as error:
        found[check.name] = Finding("error", " / ".join(error.message.splitlines()), error.hint)
    except Exception as error:  # a bug in one check must not hide the others
        text = f"a bug in this check: {type(error).__name__}: {error}"
        found[check.name] = Finding(
            "warning", text, "please report this line in claude-local's issue tracker"
        )


def _timed_out(check: Check) -> Finding:
    text = f"no answer within {check.timeout_seconds:g} s"
    return Finding("warning", text, "run doctor again; if this persists, restart the computer")


def _show_table(results: Sequence[Result]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, finding in ((result.name, result.finding) for result in results):
        style = STYLES[finding.level]
        table.add_row(f"[{style}]{finding.level}[/{style}]", escape(name), escape(finding.text))
        if finding.remedy and finding.level != "ok":
            table.add_row("", "", f"[dim]→ {escape(finding.remedy)}[/dim]")
    Console(highlight=False).print(table)


def _lines(results: Sequence[Result]) -> list[str]:
    lines = []
    for name, finding in ((result.name, result.finding) for result in results):
        lines.append(f"{finding.level:8} {name:20} {finding.text}\n")
        if finding.remedy and finding.level != "ok":
            lines.append(f"{'':29} → {finding.remedy}\n")
    return lines


def _summary(results: Sequence[Result]) -> str:
    counts: dict[str, Any] = {
        level: sum(result.finding.level == level for result in results) for level in reversed(LEVELS)
    }
    return ", ".join(f"{count} {level}" for level, count in counts.items() if count)

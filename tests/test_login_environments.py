"""Odd environments that desktops, services and login files hand to our scripts: each works, or says why in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.machine import Done, Machine

pytestmark = pytest.mark.tools

STUB = """#!/bin/bash -p
[[ $* != --version ]] || { printf '2.1.329 (stub)\\n'; exit; }
printf 'started, reads: %s\\n' "$(head -c 100)"
"""


@dataclass(frozen=True)
class Odd:
    """Variables to set (None: to remove), and shell text before and after the command."""

    variables: dict[str, str | None] = field(default_factory=dict)
    before: str = ""
    redirect: str = ""


def odd(evil: Path) -> dict[str, Odd]:
    """The environments by name. `evil` is a file that prints a canary when a shell or Python reads it."""
    empty = ("HOME", "PATH", "USER", "LOGNAME", "TERM", "LANG", "XDG_RUNTIME_DIR", "TMPDIR", "SHELL")
    noisy = "() { echo CANARY; }"
    return {
        "shell modes": Odd({"SHELLOPTS": "braceexpand:noglob:xtrace:nounset:posix:noclobber:keyword:errexit"}),
        "more shell modes": Odd({"BASHOPTS": "nullglob:failglob:nocasematch:dotglob:compat31"}),
        "functions": Odd({f"BASH_FUNC_{name}%%": noisy for name in ("printf", "source", "[[", "type", "ml")}),
        "a function that is not complete": Odd({"BASH_FUNC_module%%": "() {  case x in"}),
        **{f"an empty {name}": Odd({name: ""}) for name in empty},
        **{f"no {name}": Odd({name: None}) for name in empty},
        "folders that do not exist": Odd({"XDG_RUNTIME_DIR": "/nope", "TMPDIR": "/nope", "SHELL": "/nope"}),
        "a Turkish locale": Odd({"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}),
        "no UTF-8": Odd({"LC_ALL": "C"}),
        "an unknown terminal": Odd({"TERM": "xterm-nope"}),
        "CDPATH": Odd({"CDPATH": "/:/tmp:.."}),
        "GREP_OPTIONS": Odd({"GREP_OPTIONS": "--color=always", "GREP_COLORS": "x", "LS_COLORS": "x"}),
        "start files": Odd({"BASH_ENV": str(evil), "ENV": str(evil), "PROMPT_COMMAND": "echo CANARY"}),
        "IFS": Odd({"IFS": "/a:t"}),
        "GLOBIGNORE": Odd({"GLOBIGNORE": "*", "BASH_COMPAT": "3.1"}),
        "POSIXLY_CORRECT": Odd({"POSIXLY_CORRECT": "1"}),
        "LD_PRELOAD": Odd({"LD_PRELOAD": "/nope.so"}),
        "Python's variables": Odd({"PYTHONPATH": str(evil.parent), "PYTHONSTARTUP": str(evil), "PYTHONHOME": "/nope"}),
        "umask 077": Odd(before="umask 077;"),
        "umask 000": Odd(before="umask 000;"),
        "standard input closed": Odd(redirect="<&-"),
        "output closed": Odd(redirect=">&-"),
        "errors closed": Odd(redirect="2>&-"),
        "everything closed": Odd(redirect="<&- >&- 2>&-"),
    }  # fmt: skip


def said(done: Done) -> list[str]:
    """What our scripts said: bash complains itself about a missing locale, the loader about LD_PRELOAD."""
    return [line for line in done.stderr.splitlines() if "setlocale" not in line and "ld.so" not in line]


def test_every_script_works_in_an_odd_environment_or_says_why_not(machine: Machine, tmp_path: Path) -> None:
    machine.extra["CLAUDE_LOCAL_EXTERNAL_URL"] = "http://127.0.0.1:9"
    machine.invoke_ok("render")
    stub, evil, workspace = (
        tmp_path / "stub",
        tmp_path / "evil" / "usercustomize.py",
        machine.home / "workspace",
    )
    for folder in (stub, evil.parent, workspace):
        folder.mkdir()
    (stub / "claude").write_text(STUB)
    (stub / "claude").chmod(0o755)
    evil.write_text('print("CANARY")\n')
    programs = machine.checkout / "build" / "bin"
    commands = {
        "help": [str(programs / "claude-local"), "--help"],
        "jailed": [str(programs / "claude-local"), "-p", "hi"],
        "not jailed": [str(programs / "claude-local"), "--sandbox", "off", "-p", "hi"],
        "shim": [str(machine.checkout / "build" / "shim" / "claude-local"), "--version"],
        "llama-up": [str(programs / "llama-up"), "nope"],
        "llama-down": [str(programs / "llama-down"), "nope"],
        "quickstart": [str(machine.checkout / "scripts" / "quickstart"), "--help"],
    }
    usual = {
        **machine.environment,
        "PATH": f"{stub}:{machine.environment['PATH']}",
        "TERM": "xterm",
        "USER": "ada",
    }

    def run(command: list[str], odd: Odd) -> Done:
        given = {name: value for name, value in {**usual, **odd.variables}.items() if value is not None}
        words = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in given.items()), *command]
        argv = ["/bin/sh", "-c", f'{odd.before} exec "$@" {odd.redirect}', "sh", *words]
        return machine.run(argv, env={"PATH": "/usr/bin:/bin"}, cwd=workspace)

    wrong: dict[tuple[str, str], object] = {}
    for name, command in commands.items():
        right = run(command, Odd())
        assert right.stdout == "started, reads: \n" or name not in ("jailed", "not jailed")
        for title, environment in odd(evil).items():
            done = run(command, environment)
            visible = (
                done.returncode,
                done.stdout if ">&-" not in environment.redirect.split() else right.stdout,
            )
            works = visible == (right.returncode, right.stdout)
            refused = done.returncode == 1 and said(done)[:1] == ["claude-local: claude is not on the PATH"]
            if (
                not (works or (refused and title in ("an empty PATH", "no PATH")))
                or "CANARY" in done.stdout + done.stderr
            ):
                wrong[name, title] = (done.returncode, done.stdout[-300:], done.stderr[-300:])
            elif works and "2>&-" not in environment.redirect and said(done) != said(right):
                wrong[name, title] = (done.returncode, said(done))
    assert wrong == {}

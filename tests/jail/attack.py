"""Defines an attack: a script, and the user's steps before and after. The attacks are listed in cases_*.py."""

from __future__ import annotations

from dataclasses import dataclass

# The beginning of every Python script here: `call(number, …)` returns the error's name, or "" without an error.
PRELUDE = """
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return errno.errorcode[ctypes.get_errno()] if result == -1 else ""
def escaped(is_true=True):
    if is_true:
        print("ESC" + "APED", flush=True)  # in two parts: bash prints the text of a script that was killed
"""


@dataclass(frozen=True)
class Attack:
    """A way out of the jail: it must fail in the jail, and work without one.

    An attack has worked if it touched anything outside the workspace, or if a script printed ESCAPED.
    """

    name: str
    """Completes the sentence: the attack ___."""
    script: str
    """Bash that runs in Claude Code's place. @HOME@, @WORK@, @TCP@ … are filled in (Host.facts)."""
    before: str = ""
    """The user's commands in the workspace before the session."""
    then: str = ""
    """The user's commands in the workspace after the session, outside the jail."""
    control: str = ""
    """Shows that the attack works without a jail; empty: the same script. If that is unsafe or impossible here, the
    control shows instead that the method works, and `note` says why."""
    note: str = ""


def python(code: str) -> str:
    """A Python script as a bash command."""
    return f"/usr/bin/python3 - <<'END'\n{PRELUDE}{code.strip()}\nEND\n"

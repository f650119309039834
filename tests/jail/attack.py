"""What one attack is: a script, and what the user does afterwards. Lists of them are in cases_*.py."""

from __future__ import annotations

from dataclasses import dataclass

# The beginning of every Python script here: `call(number, …)` gives the error's name, or "" without one.
PRELUDE = """
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return errno.errorcode[ctypes.get_errno()] if result == -1 else ""
def escaped(is_true=True):
    if is_true:
        print("ESC" + "APED", flush=True)  # bash shows the text of a script that was killed
"""


@dataclass(frozen=True)
class Attack:
    """One way out that must not work, and that works without a jail.

    An attack has worked if anything outside the workspace was touched or a script said ESCAPED.
    """

    name: str
    """A sentence: the attack ___."""
    script: str
    """Bash, in Claude Code's place. @HOME@, @WORK@, @TCP@ … are filled in (Host.facts)."""
    before: str = ""
    """What the user has done in the workspace before the session."""
    then: str = ""
    """What the user does in the workspace after the session, outside the jail."""
    control: str = ""
    """Shows that it works without a jail; empty: the same script. Where that cannot be shown here safely,
    this shows that the means works, and `note` says why."""
    note: str = ""


def python(code: str) -> str:
    """A script in Python, as bash."""
    return f"/usr/bin/python3 - <<'END'\n{PRELUDE}{code.strip()}\nEND\n"

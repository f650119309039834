"""Attacks on terminals of the user and of other sessions."""

from __future__ import annotations

from jail.attack import Attack

CASES = [
    Attack(
        "opens the terminal of the user",
        "(: >/dev/tty) 2>/dev/null && [[ -e /proc/@VICTIM@ ]] && echo ESCAPED; ls /dev/tty1 /dev/tty0 /dev/console 2>/dev/null && echo ESCAPED",
        control="ls /dev/tty0 /dev/tty1 /dev/pts/ptmx && echo ESCAPED",
        note="the tests have no terminal; the control finds devices of terminals",
    ),
    Attack(
        "takes another session's terminal",
        "setsid --ctty true </dev/pts/0 && echo ESCAPED; ls /dev/pts/[0-9]* && echo ESCAPED",
        control="script -qec 'ls /dev/pts/[0-9]*' /dev/null && echo ESCAPED",
        note="the tests have no terminal; the control makes one",
    ),
]

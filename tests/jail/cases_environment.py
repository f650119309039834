"""Attacks on the environment: secrets in variables, also those of process 1."""

from __future__ import annotations

from jail.attack import Attack, python

CASES = [
    Attack("prints its environment", "env"),
    Attack("reads its environment in /proc", "cat /proc/self/environ | tr '\\0' '\\n'"),
    Attack(
        "reads the environment of process 1",
        "tr '\\0' '\\n' </proc/1/environ",
        control="tr '\\0' '\\n' </proc/$$/environ",
        note="process 1 belongs to root outside",
    ),
    Attack(
        "reads every environment and command line in /proc",
        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'",
    ),
    Attack(
        "reads the memory of process 1",
        python("""
import re
with open("/proc/1/maps") as maps, open("/proc/1/mem", "rb") as memory:
    for line in maps:
        if "rw-p" in line:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            memory.seek(begin)
            try:
                text = memory.read(end - begin)
            except OSError:
                continue
            escaped(b"CANA" + b"RY-" in text)"""),
        control="tr '\\0' '\\n' </proc/$$/environ",
        note="process 1 belongs to root outside",
    ),
    Attack("finds the agent of ssh", "[[ -z ${SSH_AUTH_SOCK:-} ]] || echo ESCAPED"),
    Attack(
        "finds names of secrets",
        "env | grep -E '^(AWS_|GITHUB_|SSH_|DBUS_|XAUTH|KUBE|DOCKER_)' && echo ESCAPED",
    ),
    Attack(
        "finds a key for the model server",
        "[[ $ANTHROPIC_AUTH_TOKEN == local && -z $ANTHROPIC_API_KEY ]] || echo ESCAPED",
    ),
    Attack(
        "finds the user's secrets in a login shell", "bash -lc env", control="env", note="login files differ"
    ),
    Attack(
        "finds secrets in its arguments",
        "tr '\\0' '\\n' </proc/$$/cmdline; tr '\\0' '\\n' </proc/1/cmdline",
        control='bash -c \'tr "\\0" "\\n" </proc/$$/cmdline\' x "$GITHUB_TOKEN"',
        note="the control puts one there",
    ),
]

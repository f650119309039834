"""Git in a session is git outside, or a line before the session says what differs. The judge is git itself, outside."""

from __future__ import annotations

import platform
import shutil

import pytest

from jail.cases_git import DIFFERENT, SAME, Case
from jail.host import SECRET, Host
from support.machine import Done

pytestmark = pytest.mark.tools

ASK = """
git status --porcelain --ignored; git log -1 --format='%an <%ae> %aN'
echo more >'new file'; printf 'a\\r\\n' >lines.txt; echo hello >b.bin
git add -A; git commit -q --allow-empty -m two; git log -1 --format='%an <%ae> %cn <%ce>%n%B'; git ls-tree -r HEAD
git status --porcelain; git config --get-all user.email
"""


def answers(host: Host, case: Case) -> tuple[Done, Done]:
    """What git says outside and in a session, each time with the same files."""
    prepared = host.unconfined(f"set -e\n{case.prepare}")
    assert prepared.returncode == 0, prepared.stderr
    projects, kept = host.home / "projects", host.home / "kept"
    shutil.copytree(projects, kept, symlinks=True)
    host.give(kept)
    ask = f"{{ {ASK}{case.ask}\n}} 2>&1"

    outside = host.unconfined(f"cd {case.folder} && {ask}")
    shutil.rmtree(projects)
    kept.rename(projects)
    inside = host.unconfined(
        f"cd {case.folder} && exec {host.wrapper} --sandbox {host.mode} -- \"$(cat <<'END'\n{ask}\nEND\n)\""
    )
    return outside, inside


@pytest.mark.parametrize("case", SAME, ids=lambda case: case.name)
def test_git_in_a_session_is_git_outside(host: Host, case: Case) -> None:
    outside, inside = answers(host, case)

    assert inside.stdout == outside.stdout.replace(f"@{platform.node()}.", "@claude-local.")
    assert [line for line in inside.stderr.splitlines() if "git here" in line] == []
    assert SECRET not in inside.stdout


@pytest.mark.parametrize("case", DIFFERENT, ids=lambda case: case.name)
def test_a_difference_is_named_before_the_session(host: Host, case: Case) -> None:
    prepared = host.unconfined(f"set -e\n{case.prepare}")
    assert prepared.returncode == 0, prepared.stderr

    done = host.session(f"echo begins >&2; {{ {case.ask or 'true'}; }} 2>/dev/null")

    lines = done.stderr.splitlines()
    print(done.stdout)
    assert lines[: lines.index("begins")] == [f"claude-local: git here is not as outside: {host.fill_in(case.says)}"]

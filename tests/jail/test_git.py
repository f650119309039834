"""Git in a session is git outside, or a line before the session says what differs. The judge is git itself, outside."""

from __future__ import annotations

import platform
import shutil

import pytest

from jail.cases_git import DIFFERENT, SAME, Case, repository
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

    outside = host.unconfined(f"export A=1 {case.variables}; cd {case.folder} && {ask}")
    shutil.rmtree(projects)
    kept.rename(projects)
    inside = host.unconfined(
        f"export A=1 {case.variables}; cd {case.folder} && exec {host.wrapper} --sandbox {host.mode} -- \"$(cat <<'END'\n{ask}\nEND\n)\""
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

    script = f"export A=1 {case.variables}; exec {host.wrapper} --sandbox jail 'echo begins >&2; {{ {case.ask or 'true'}; }} 2>/dev/null'"
    done = host.unconfined(script)

    lines = done.stderr.splitlines()
    assert lines[: lines.index("begins")] == [
        f"claude-local: git in this session differs from git outside: {host.fill_in(case.says)}"
    ]
    assert done.stdout == case.found


HOSTILE = f"""
git init -q ~/private && echo {SECRET} >~/private/file && git -C ~/private add file && git -C ~/private commit -q -m x
git config --file ~/.gitconfig-other x.y {SECRET}
echo "@HOME@/private/.git/objects" >.git/objects/info/alternates
printf '* filter=x diff=x merge=x\\n' >.gitattributes
set_evil() {{ git config --file .git/config --add "$1" "touch @HOME@/escaped; false"; }}
for key in core.pager core.editor core.sshCommand core.askPass filter.x.clean filter.x.smudge filter.x.process gpg.program; do set_evil $key; done
for key in core.fsmonitor diff.external diff.x.textconv merge.x.driver hook.x.command credential.helper trailer.x.cmd; do set_evil $key; done
for key in core.excludesFile core.attributesFile mailmap.file commit.template; do git config --file .git/config $key ~/.netrc; done
git config --file .git/config commit.gpgSign true
git config --file .git/config alias.config '!touch @HOME@/escaped'
git config --file .git/config trace2.eventTarget @HOME@/escaped
git config --file .git/config include.path ~/.gitconfig-other
"""
LOOK = "cat ~/.gitconfig* /run/claude-local/git/*; git config --list; git cat-file --batch-all-objects --batch; git status; git check-ignore -v file"


def test_a_hostile_repository_gains_nothing(host: Host) -> None:
    """Neither when a session begins, which reads its configuration outside, nor later: it cannot read files by their paths."""
    prepared = host.unconfined(f"set -e; {repository()}; {HOSTILE}")
    assert prepared.returncode == 0, prepared.stderr
    host.start_watching()

    done = host.session(LOOK)

    assert host.effects(done.stdout, done.stderr) == []
    assert "not read" in done.stderr
    without = host.unconfined(LOOK)
    assert {"changed escaped", f"said {SECRET}"} <= set(host.effects(without.stdout, without.stderr))


def test_a_repository_that_makes_git_wait_does_not_stop_the_start(host: Host) -> None:
    prepared = host.unconfined(
        f"{repository()}; mkfifo wait; git config commit.gpgSign true; git config include.path ../wait"
    )
    assert prepared.returncode == 0, prepared.stderr

    done = host.session("echo it runs")

    assert done.stdout == "it runs\n", done.stderr


@pytest.mark.parametrize("machine", ["box.example.org", "box"])
def test_an_identity_that_git_derives_from_the_machine_is_the_same(host: Host, machine: str) -> None:
    """In a new namespace, so that the machine has this name."""
    host.unconfined("git config --global --unset user.email; git init -q .")
    named = ["bwrap", "--unshare-user", "--unshare-uts", "--hostname", machine, "--dev-bind", "/", "/"]
    ask = "git commit -q --allow-empty -m x 2>/dev/null; echo $?; git log -1 --format='%an %ae' 2>/dev/null; git update-ref -d HEAD 2>/dev/null"

    outside = host.run([*named, "bash", "-c", ask])
    inside = host.run([*named, *host.wrapper_argv(ask)])

    assert inside.stdout == outside.stdout
    assert outside.stdout.startswith("0\n" if "." in machine else "128\n")

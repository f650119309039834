"""Mounts below the folders that a session may write: `find -xdev` skips them, so they are read-only.

Each session runs in a new mount namespace, made by root, which disappears together with its mounts.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

import pytest

from jail.host import Host
from support.machine import Done

pytestmark = pytest.mark.tools

# Arguments: uid, gid, root's commands before and after, then the program that runs as the user.
IN_NAMESPACE = """set -e
owned() { setpriv --reuid="$uid" --regid="$gid" --clear-groups -- "$@"; }
tmpfs() { owned mkdir -p -- "$1"; mount -t tmpfs -o "mode=755,uid=$uid,gid=$gid" none "$1"; }
over() { owned touch -- "$1"; mount --bind -- "$2" "$1"; }
uid=$1 gid=$2
eval "$3"
code=0
owned "${@:5}" || code=$?
printf -- '---\\n'
eval "$4"
exit "$code"
"""

GIT = "owned git init -q . && owned git commit -q --allow-empty -m one"
EVIL = "touch @HOME@/escaped"


@dataclass(frozen=True)
class Case:
    """A mount, an attack on it, and its name in the message."""

    mount: str
    attack: str
    look: str
    """Prints `evil` if the attack worked."""
    names: str
    folder: str = "@WORK@"


CASES = {
    "a file system in a folder": Case(
        "tmpfs sub", "echo evil >sub/.envrc", "cat sub/.envrc", "sub"
    ),
    "hooks of a repository in it": Case(
        "tmpfs sub; owned git init -q sub",
        "echo evil >sub/.git/hooks/pre-commit; git -C sub config core.fsmonitor evil",
        "cat sub/.git/hooks/pre-commit sub/.git/config",
        "sub",
    ),
    "one in another": Case(
        "tmpfs sub; tmpfs sub/deep",
        "echo evil >sub/deep/.envrc; echo evil >sub/.envrc",
        "cat sub/.envrc sub/deep/.envrc",
        "sub sub/deep",
    ),
    "a folder of the same file system": Case(
        "owned mkdir sub; mount --bind @HOME@/other sub", "echo evil >>sub/notes.txt", "cat @HOME@/other/notes.txt", "sub"
    ),
    "a file": Case(
        "over notes @HOME@/other/notes.txt", "echo evil >>notes", "cat @HOME@/other/notes.txt", "notes"
    ),
    "a file that other programs obey": Case(
        "over .envrc @HOME@/other/notes.txt", "echo evil >>.envrc", "cat .envrc", ".envrc"
    ),
    "its folder is renamed": Case(
        "tmpfs a/sub", "mv a b; echo evil >b/sub/.envrc", "cat a/sub/.envrc b/sub/.envrc", "a/sub"
    ),
    "the repository": Case(
        f"tmpfs .git; {GIT}",
        "echo evil >.git/hooks/pre-commit; git config core.fsmonitor evil",
        "cat .git/hooks/pre-commit .git/config",
        ".git",
    ),
    "a part of the repository": Case(
        f"{GIT}; tmpfs .git/modules; owned git init -q --bare .git/modules/m",
        "echo evil >.git/modules/m/hooks/pre-commit; git -C .git/modules/m config core.fsmonitor evil",
        "cat .git/modules/m/hooks/pre-commit .git/modules/m/config",
        ".git/modules",
    ),
    "a part of a worktree's repository": Case(
        f"{GIT}; owned git worktree add -q ../tree; tmpfs .git/refs/mine",
        "ln -s @HOME@/.bashrc @WORK@/.git/refs/mine/evil",
        "ls .git/refs/mine",
        "@WORK@/.git/refs/mine",
        folder="@HOME@/projects/tree",
    ),
    "a folder of Claude Code that is kept": Case(
        "tmpfs @HOME@/.claude-local/plans/sub",
        "echo evil >@HOME@/.claude-local/plans/sub/CLAUDE.md",
        "cat @HOME@/.claude-local/plans/sub/CLAUDE.md",
        "@HOME@/.claude-local/plans/sub",
    ),
    **{
        f"a name with {name}": Case(
            f"tmpfs {quoted}", f"echo evil >{quoted}/.envrc", f"cat {quoted}/.envrc", shown
        )
        for name, quoted, shown in (
            ("spaces", "'a  b '", r"a\ \ b\ "),
            ("line breaks and tabs", "$'a\\n\\tb\\n'", r"$'a\n\tb\n'"),
            ("backslashes", r"'a\040b\\'", r"a\\040b\\\\"),
            ("signs of the shell", "'*?[a]$x`#;%s\"'", r"\*\?\[a\]\$x\`#\;%s\""),
            ("a comma and a colon", "'a,b:c'", "a\\,b:c"),
            ("letters beyond ASCII", "'mäp'", "mäp"),
        )
    },
}  # fmt: skip


def in_namespace(
    host: Host, mount: str, argv: list[str], look: str = "", *, shared: bool = False, folder: str = "@WORK@"
) -> tuple[Done, str]:
    """Runs a program as the attacked user after root's mounts. Returns also what root sees afterwards."""
    if os.getuid():
        pytest.fail("only root's tests can mount: sudo scripts/test")
    account = host.account
    before = (str(account.uid), str(account.gid), f"cd {host.work}; {mount}; cd {folder}", look)
    filled = [host.fill_in(text) for text in before]
    propagation = "shared" if shared else "private"
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", propagation, "bash", "-c", IN_NAMESPACE, "bash", *filled, *argv],
        cwd=host.work,
        env=host.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    out, _, seen = done.stdout.partition("---\n")
    return Done(done.args, done.returncode, out, done.stderr), seen


@pytest.mark.parametrize("name", CASES)
def test_mounts_below_are_read_only_and_named(host: Host, name: str) -> None:
    case = CASES[name]
    prepared = (
        f"mkdir -p {host.client_dir}/plans; chown {host.account.uid} {host.client_dir}/plans; {case.mount}"
    )
    argv = host.wrapper_argv(f"{{ {case.attack}; }} 2>/dev/null; true")

    done, seen = in_namespace(
        host, prepared, argv, f"cd @WORK@; {case.look} 2>/dev/null || true", folder=case.folder
    )

    assert (done.returncode, done.stdout) == (0, "")
    line = f"claude-local: these mounts are read-only in this session: {host.fill_in(case.names)}"
    assert done.stderr.splitlines() == [line]
    assert "evil" not in seen
    assert list(host.state_dir.glob("sessions/*")) == []


@pytest.mark.parametrize("name", CASES)
def test_without_a_jail_mounts_are_written(host: Host, name: str) -> None:
    case = CASES[name]
    prepared = (
        f"mkdir -p {host.client_dir}/plans; chown {host.account.uid} {host.client_dir}/plans; {case.mount}"
    )
    argv = ["bash", "-c", host.fill_in(f"{case.attack}; true")]

    _, seen = in_namespace(
        host, prepared, argv, f"cd @WORK@; {case.look} 2>/dev/null || true", folder=case.folder
    )

    assert "evil" in seen


def test_the_rest_of_the_workspace_stays_writable(host: Host) -> None:
    done, seen = in_namespace(
        host, "tmpfs sub", host.wrapper_argv("echo fine >file; cat sub/x file"), "cat file"
    )

    assert (done.stdout, seen) == ("fine\n", "fine\n")


def test_a_mount_that_cannot_be_reached_refuses_the_start(host: Host) -> None:
    mount = "mkdir closed; chmod 700 closed; mkdir closed/x; mount -t tmpfs none closed/x"

    done, _ = in_namespace(host, mount, host.wrapper_argv("echo it runs"))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"claude-local: {host.work} cannot be a workspace: the mount at {host.work}/closed/x cannot be reached",
        "claude-local: unmount it, or go to another folder",
    ]


# By systemd's default, a machine propagates mounts to namespaces that exist already.
MEANWHILE = """owned mkdir sub sub2; owned mkfifo ready go
{ read -r _ <ready; mount -t tmpfs -o "mode=755,uid=$uid" none sub; mount -t tmpfs none sub2; echo >go; } & true"""
WRITE = "echo >ready; read -r _ <go; { echo evil >sub/.envrc; } 2>/dev/null; rm ready go"


@pytest.mark.parametrize("shared", [True, False])
def test_a_mount_made_during_a_session_is_named_afterwards(host: Host, shared: bool) -> None:
    """It cannot be prevented: bubblewrap's mounts follow those of the machine."""
    done, seen = in_namespace(host, MEANWHILE, host.wrapper_argv(WRITE), "ls -A sub", shared=shared)

    assert done.returncode == 0
    expected = [
        "claude-local: changed in this session; read them before you build, test or run:",
        "  sub was mounted during the session: check the files in it, and those that it hides",
        *(["  sub/.envrc"] if shared else []),
        "  sub2 was mounted during the session: check the files in it, and those that it hides",
    ]
    assert done.stderr.splitlines() == expected
    assert seen == (".envrc\n" if shared else "")

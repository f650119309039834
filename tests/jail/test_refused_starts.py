"""Refused starts: files that the user makes afterwards must not be taken for a session's."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from jail.host import Host

pytestmark = pytest.mark.tools

USERS_OWN = "mkdir .vscode && echo mine >.vscode/tasks.json && echo mine >.envrc"


@dataclass(frozen=True)
class Refusal:
    """A reason that is found after the record was made, and its repair."""

    name: str
    prepare: str
    reason: str
    repair: str
    folder: str = "@WORK@"
    programs: tuple[str, ...] = ()
    """Come before the machine's own; `prepare` writes them into the folder @BASE@/odd."""


def program(name: str, script: str) -> str:
    return f"printf '#!/bin/bash\\n%s\\n' '{script}' >../{name} && chmod +x ../{name}"


COMMIT = "git commit -q --allow-empty -m x"
ONE_IN = "git -C ../../other/m commit -q --allow-empty -m x"
SUBMODULE = (
    f"git init -q ../../other/m && {ONE_IN} && git init -q . && "
    "git -c protocol.file.allow=always submodule --quiet add @HOME@/other/m"
)
REFUSALS = [
    Refusal("a submodule", SUBMODULE, "it is a submodule of @WORK@", "rm -rf m/.git .git", folder="@WORK@/m"),
    Refusal(
        "a worktree's .git in another folder",
        f"git init -q ../../other && cd ../../other && {COMMIT} && git worktree add -q ../tree && cp ../tree/.git @WORK@",
        "its .git points to a repository that does not list it as a worktree",
        "rm .git",
    ),
    Refusal(
        "a worktree whose repository's logs are a link",
        f"git init -q ../r && cd ../r && {COMMIT} && git worktree add -q ../tree && mv .git/logs ../../l && ln -s ../../../l .git/logs",
        "the folder logs of its repository is a link",
        "rm @HOME@/projects/r/.git/logs",
        folder="@HOME@/projects/tree",
    ),
    Refusal(
        "a link in it to nothing",
        "ln -s settings/code .vscode",
        ".vscode is a link to settings/code, which does not exist",
        "rm .vscode",
    ),
    Refusal(
        "a folder to which one of settings is a link",
        "mkdir -p @HOME@/data/w && ln -s data @HOME@/.kube",
        "other programs keep settings or secrets there",
        "rm @HOME@/.kube",
        folder="@HOME@/data/w",
    ),
    Refusal("a name outside", "ln @HOME@/.bashrc notes", "are hard links to files outside", "rm notes"),
    Refusal(
        "a jail that cannot start",
        program("bwrap", "echo bwrap: no >&2; exit 1"),
        "the jail cannot start: bwrap: no",
        "rm ../bwrap",
    ),
    Refusal(
        "a door that does not open",
        program("haproxy", "echo [ALERT] no >&2; exit 1"),
        "the proxy to the model did not start: [ALERT] no",
        "rm ../haproxy",
    ),
    Refusal(
        "a workspace that becomes a link meanwhile",
        program("haproxy", 'mv @WORK@ @WORK@2; ln -s @WORK@2 @WORK@; exec /usr/sbin/haproxy "$@"'),
        "its path now leads to another folder",
        "rm ../haproxy; rm @WORK@ && mv @WORK@2 @WORK@",
    ),
    Refusal(
        "a workspace that goes away meanwhile",
        program("haproxy", 'mv @WORK@ @WORK@2; exec /usr/sbin/haproxy "$@"'),
        "its path now leads to another folder",
        "rm @HOME@/projects/haproxy; mv @WORK@2 @WORK@",
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_refused_start_leaves_no_record(host: Host, refusal: Refusal) -> None:
    folder = host.home / host.fill_in(refusal.folder)
    prepared = host.unconfined(f"set -e\n{refusal.prepare}")
    assert prepared.returncode == 0, prepared.stderr
    path = {"PATH": f"{host.home}/projects:{host.environment['PATH']}"}

    refused = host.session("echo it runs", cwd=folder, extra=path)
    left = list(host.state_dir.glob("sessions/*"))
    repaired = host.unconfined(
        f"cd {host.work}; {refusal.repair} && cd {folder} && {USERS_OWN}", cwd=host.home
    )
    second = host.session("echo it runs", cwd=folder, extra=path)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert host.fill_in(refusal.reason) in refused.stderr.splitlines()[0]
    assert repaired.returncode == 0, repaired.stderr
    assert (second.returncode, second.stdout, second.stderr) == (0, "it runs\n", "")
    assert left == []
    assert (folder / ".envrc").read_text() == (folder / ".vscode" / "tasks.json").read_text() == "mine\n"


def test_a_killed_start_leaves_nothing_to_audit(host: Host) -> None:
    """As in a power failure: not even the record could be deleted."""
    prepared = host.unconfined(program("haproxy", "kill -KILL $PPID; sleep 1"))
    assert prepared.returncode == 0, prepared.stderr
    path = {"PATH": f"{host.home}/projects:{host.environment['PATH']}"}

    killed = host.session("echo it runs", extra=path)
    left = list(host.state_dir.glob("sessions/*"))
    host.unconfined(f"rm ../haproxy && {USERS_OWN}")
    second = host.session("echo it runs", extra=path)

    assert (killed.returncode, killed.stdout, len(left)) == (-9, "", 1)
    assert (second.returncode, second.stdout, second.stderr) == (0, "it runs\n", "")
    assert (host.work / ".envrc").read_text() == "mine\n"
    assert list(host.state_dir.glob("sessions/*")) == []

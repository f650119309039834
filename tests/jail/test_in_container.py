"""The attacks in `--sandbox container`: many in each session, because a container takes a second to start.

The image has a stub instead of Claude Code, and no git: attacks by git run only in the jail.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from jail import (
    cases_delayed,
    cases_environment,
    cases_exhaustion,
    cases_files,
    cases_kernel,
    cases_network,
    cases_processes,
    cases_terminal,
)
from jail.attack import Attack
from jail.host import STUB, Host

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

GROUPS = {
    "files": cases_files.CASES,
    "processes": cases_processes.CASES,
    "kernel": cases_kernel.CASES,
    "network": cases_network.CASES,
    "environment": cases_environment.CASES,
    "terminal": cases_terminal.CASES,
    "exhaustion": cases_exhaustion.CASES,
}

# ALONE: these end the session, or need their own workspace. DIFFERENT: different on purpose, with the reason.
ALONE = {
    "kills everything that it may",
    "ends the session but not itself",
    "signals the whole process group",
    "is quicker than the audit",
    "outlives the session",
    "outlives the session after changing process 1",
    "outlives the session in the background of a shell",
    "moves the workspace away",
}
DIFFERENT = {
    "reads the memory of process 1": "process 1 is Docker's init and belongs to the session's user",
    "has power over process 1": "process 1 is Docker's init: without capabilities, but without our filter",
    "finds /sys": "Docker mounts it read-only",
    "learns the machine's name": "Docker's name is set too; /proc/sys is read-only",
    "sees the machine's devices": "Docker makes some more",
    "writes to the kernel's settings": "tested in test_in_docker.py",
    "sees other users' files in /tmp": "the mounts make the folder of the tests visible",
    "finds the socket of Docker": "the image has folders in /run",
    "starts bubblewrap in the jail": "the image does not contain bubblewrap",
    "takes every file number of a scratch place": "Docker sets no limit of inodes; the memory limit applies",
    "fills the rest of the tree": "tested in test_in_docker.py",
    "asks for a name": "an empty resolv.conf is there",
    "reads the password hashes": "the image has its own users",
    "opens the terminal of the user": "Docker makes /dev/console only with a terminal",
    "sees other homes": "the image's own homes are empty",
    "takes memory without end": "Docker limits the memory that is used, not the memory that is requested",
    "locks memory without end": "Docker limits the memory that is used",
    "forks without end": "tested in test_in_docker.py; here it would end the other attacks",
    "sees interfaces of this machine": "an empty network has devices for tunnels",
    "hears the machine's netlink": "an empty network has devices for tunnels",
}


@pytest.fixture(scope="session")
def stub_image(test_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Debian image of the server's tests with the stub as Claude Code."""
    name = f"claude-local/test-attacked:{uuid.uuid4().hex[:8]}"
    stub = tmp_path_factory.mktemp("image") / "claude"
    stub.write_text(STUB)
    stub.chmod(0o755)

    def docker(*arguments: str) -> str:
        return subprocess.run(
            ["docker", *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    container = docker("create", test_image, "true")
    try:
        docker("cp", str(stub), f"{container}:/usr/local/bin/claude")
        docker("commit", "--change", "LABEL claude-local.claude=2.1.329", container, name)
        yield name
    finally:
        docker("rm", container)
        docker("rmi", "--force", name)


@pytest.fixture
def contained(host: Host, stub_image: str) -> Iterator[Host]:
    """The attacked machine in container mode; its user may use Docker."""
    host.mode = "container"
    host.groups = (Path("/var/run/docker.sock").stat().st_gid,) if not os.getuid() else ()
    host.render(client_image=stub_image)
    host.fresh()
    yield host
    host.mode, host.groups = "jail", ()
    host.render()


def in_one_session(attacks: list[Attack]) -> str:
    """All scripts in one, each in its own folder and preceded by its name."""
    parts = []
    for attack in attacks:
        begin = f"echo BEGIN {shlex.quote(attack.name)} | tee /dev/stderr"
        parts.append(f"{begin}; (mkdir -p d; cd d; {attack.script}\n) </dev/null; chmod -R u+rwX d; rm -rf d")
    return "\n".join([*parts, "echo DONE"])


@pytest.mark.parametrize("group", GROUPS)
def test_no_attack_has_an_effect_outside_the_container(contained: Host, group: str) -> None:
    attacks = [
        attack
        for attack in GROUPS[group]
        if attack.name not in ALONE | DIFFERENT.keys() and not attack.before
    ]
    assert attacks
    (contained.work / "attacks").write_text(contained.fill_in(in_one_session(attacks)))
    contained.give(contained.work)

    done = contained.session("source ./attacks")
    output = done.stdout + done.stderr

    assert done.stdout.splitlines()[-1:] == ["DONE"], output[-2000:]
    assert contained.effects(done.stdout, done.stderr) == [], output


LEFT = [
    attack
    for attack in cases_delayed.OTHERS
    if "names" in attack.name or "folder" in attack.name or ".vscode" in attack.name
]


@pytest.mark.parametrize("attack", LEFT, ids=lambda attack: attack.name)
def test_files_that_a_container_leaves_are_audited(contained: Host, attack: Attack) -> None:
    if attack.before:
        contained.unconfined(attack.before)
    contained.start_watching()

    done = contained.session(attack.script)
    then = contained.unconfined(attack.then)

    assert contained.effects(done.stdout, then.stdout, then.stderr) == [], done.stderr


def test_the_projects_instructions_are_shown_as_links(contained: Host) -> None:
    contained.unconfined(
        "mkdir .claude; echo main >CLAUDE.md; echo own >CLAUDE.local.md; ln -s /etc/passwd .claude/CLAUDE.md"
    )

    done = contained.session(
        "cd /run/claude-local/project; find . ! -type d | sort; cat CLAUDE.md .claude/rules/*; touch x 2>/dev/null || echo read-only"
    )

    assert done.stdout.splitlines() == [
        "./.claude/rules/CLAUDE.local.md",
        "./CLAUDE.md",
        "main",
        "own",
        "read-only",
    ], done.stderr

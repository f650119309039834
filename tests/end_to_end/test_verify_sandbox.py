"""`invoke verify --sandbox`: a hostile model and the real Claude Code in every sandbox mode."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from claude_local.checks.verify import sandbox
from claude_local.checks.verify.attacks import EFFECTS, EVERYTHING
from claude_local.checks.verify.trial import Outcome
from claude_local.foundation.errors import UserError
from claude_local.machine.settings import Settings, load_settings
from support.machine import CLIENT_FOLDERS, ROOT

pytestmark = pytest.mark.real_cli
BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])
NOTHING: frozenset[str] = frozenset()


def environment(client: str) -> dict[str, str]:
    docker = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    return {"PATH": f"{CLIENT_FOLDERS[client]}:/usr/local/bin:/usr/bin:/bin", **docker}


def settings(root: Path = ROOT) -> Settings:
    return load_settings({"HOME": "/nowhere"}, root, user_id=os.geteuid(), group_id=os.getegid())


def outcome(mode: str, client: str, own: Settings | None = None) -> Outcome:
    (found,) = sandbox.run(own or settings(), environment(client), [mode])
    return found


def test_there_are_forty_attacks_and_every_kind_of_effect() -> None:
    names = [attack.name for attack in EVERYTHING]

    assert len(names) == len(set(names)) >= 40
    assert {attack.effect for attack in EVERYTHING} == EFFECTS.keys()


@BOTH_CLIENTS
def test_in_the_jail_nothing_gets_through(client: str) -> None:
    found = outcome("jail", client)

    assert found == Outcome("jail", NOTHING, NOTHING, ())
    sandbox.check([found])


@BOTH_CLIENTS
def test_without_a_jail_the_same_attacks_work(client: str) -> None:
    found = outcome("off", client)

    effects = {attack.name: attack.effect for attack in EVERYTHING}
    assert found.not_tried == NOTHING
    assert {effects[name] for name in found.through} == EFFECTS.keys()
    assert len(found.through) >= 40


@BOTH_CLIENTS
def test_claude_codes_own_sandbox_confines_shell_commands_and_nothing_else(client: str) -> None:
    found = outcome("bash", client)

    through = [attack for attack in EVERYTHING if attack.name in found.through]
    assert found.not_tried == NOTHING
    assert {attack.tool for attack in through} >= {"Bash", "Write", "Read"}
    assert {attack.effect for attack in through if attack.tool == "Bash"} == {"reads", "plants"}


def test_unrelated_programs_of_the_user_are_left_alone(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    bystander = ["bash", "-c", "exec 8<.. 9<. && exec sleep 600"]

    with subprocess.Popen(bystander, cwd=below) as process:
        try:
            found = outcome("off", "new")
        finally:
            process.kill()

    assert {"proc-cwd", "descriptors"} <= found.through  # the attacks that look at every program
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a", below]


WEAKER = {
    "the home folder is shown": (
        "lib/mounts.bash",
        'scratch "$HOME_MIB" 0700 "$HOME"',
        'show rw "$HOME"',
    ),
    "the network is shared": ("lib/confine/jail.bash", "--unshare-all", "--unshare-all --share-net"),
    "the environment is passed on": ("lib/confine/jail.bash", 'exec -c "$bwrap"', 'exec "$bwrap"'),
    "the workspace is not checked afterwards": (
        "bin/claude-local",
        '(set -e && run_audit after "$record")',
        "true",
    ),
    "the door lets every request through": (
        "jail/door.cfg.j2",
        "  http-request deny deny_status 403",
        "  # ",
    ),
}


@pytest.mark.parametrize("weakness", WEAKER)
def test_a_weaker_wrapper_is_detected(checkout: Path, weakness: str) -> None:
    name, strong, weak = WEAKER[weakness]
    template = checkout / "templates" / name
    text = template.read_text()
    assert text.count(strong) == 1
    template.write_text(text.replace(strong, weak))

    found = outcome("jail", "new", settings(checkout))

    assert found.through != NOTHING
    with pytest.raises(UserError, match="--sandbox jail does not hold"):
        sandbox.check([found])


def test_a_mode_that_cannot_run_says_why_and_is_not_a_success(tmp_path: Path) -> None:
    nothing_there = {"PATH": str(tmp_path)}
    (tmp_path / "claude").write_text("#!/bin/sh\necho 999.0.0\n")
    (tmp_path / "claude").chmod(0o755)
    for name in ("bash", "env", "git", "timeout", "sleep", "mkdir", "cp"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")

    (found,) = sandbox.run(settings(), nothing_there, ["jail"])

    assert found.not_here == "bubblewrap, which confines the session, is not installed"
    with pytest.raises(UserError):
        sandbox.check([found])

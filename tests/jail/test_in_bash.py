"""The attacks as commands of the real Claude Code in `--sandbox bash`, with a yes to every question.

That mode is weaker, and the lists here say where: its sandbox limits what commands can change and reach, but not all
that they can read or see. Attacks that need a step of the user before or after are left out: the mode has no audit.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from claude_local.checks.verify import say_yes
from claude_local.checks.verify.recorder import Recorded, Recorder
from jail import cases_kernel
from jail.attack import Attack
from jail.host import Host
from jail.test_in_container import ALONE, GROUPS

pytestmark = [pytest.mark.tools, pytest.mark.real_cli, pytest.mark.timeout(600)]
COMMAND_MILLISECONDS = 15_000
SESSION_SECONDS = 550.0

READS_THE_KEY = {
    "files": {"reads the key of the model server"},
    "environment": {
        "prints its environment",
        "reads its environment in /proc",
        "reads every environment and command line in /proc",
        "finds a key for the model server",
        "finds the user's secrets in a login shell",
    },
}
"""These read the server's key, which is in Claude Code's environment and in a file that its user can read."""

SEES_MORE = {
    "files": {
        "reads the user's git configuration",
        "searches the machine for secrets",
        "sees other users' files in /tmp",
        "climbs out by a file's handle",
        "replaces the open door",
        "changes the record of the session",
    },
    "processes": {
        "finds /sys",
        "has power over process 1",
        "leaves a core dump of its own making",
        "learns the machine's name",
    },
    "network": {
        "asks for a name",
        "finds the socket of Docker",
        "sends through a proxy of the environment",
    },
    "environment": {"finds names of secrets"},
    "kernel": {*(attack.name for attack in cases_kernel.CASES)},
    "exhaustion": {
        "forks without end",
        "takes memory without end",
        "writes a file without end",
        "opens files without end",
        "fills /dev/shm",
        "fills the rest of the tree",
        "outlives others when memory is short",
    },
}
"""These only report that something is visible, not limited, or not refused by the kernel."""


class Commands:
    """A model that runs one attack after the other, and records the effects of each."""

    def __init__(self, host: Host, attacks: list[Attack]) -> None:
        self.host = host
        self.waiting = list(attacks)
        self.running: Attack | None = None
        self.effects: dict[str, list[str]] = {}

    def __call__(self, request: Recorded) -> list[dict[str, Any]]:
        data = request.json()
        if not data.get("tools"):
            return [{"type": "text", "text": "ok"}]
        if self.running:
            self.effects[self.running.name] = self.host.effects(_last_result(data["messages"]))
        if not self.waiting:
            return [{"type": "text", "text": "done"}]
        self.running = self.waiting.pop(0)
        home = self.host.home
        self.host.start_watching(home / ".cache", home / ".npm")  # Claude Code itself writes there
        script = self.host.fill_in(self.running.script)
        command = f"(mkdir -p d; cd d; {script}\n) </dev/null; chmod -R u+rwX d; rm -rf d"
        arguments = {"command": command, "description": "x", "timeout": COMMAND_MILLISECONDS}
        return [
            {"type": "tool_use", "id": f"toolu_{len(self.waiting)}", "name": "Bash", "input": arguments},
        ]


def _last_result(messages: list[dict[str, Any]]) -> str:
    results = [
        block["content"]
        for message in messages
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    return json.dumps(results[-1])


def effects_of(host: Host, attacks: list[Attack]) -> dict[str, list[str]]:
    """The effects of each attack, in one session of the real Claude Code."""
    commands = Commands(host, attacks)
    program, configuration = host.base / "say_yes.py", host.base / "yes.json"
    shutil.copy2(say_yes.__file__, program)
    configuration.write_text(json.dumps(say_yes.configuration("/usr/bin/python3", str(program))))
    with Recorder(script=commands) as model:
        host.render(external_url=model.url)
        host.give(host.base)
        yes = [*say_yes.ARGUMENTS, "--mcp-config", str(configuration)]
        argv = [str(host.wrapper), "--sandbox", "bash", "-p", "go", *yes]
        path = f"{host.real_claude('new')}:/usr/bin:/bin"
        try:
            done = host.run(argv, extra={"PATH": path}, timeout_seconds=SESSION_SECONDS)
        finally:
            host.render()
    assert done.returncode == 0, done.stdout + done.stderr
    return commands.effects


@pytest.mark.parametrize("group", GROUPS)
def test_a_command_changes_and_reaches_nothing_outside_and_sees_much(host: Host, group: str) -> None:
    attacks = [attack for attack in GROUPS[group] if not (attack.before or attack.then)]
    attacks = [attack for attack in attacks if attack.name not in ALONE]

    effects = effects_of(host, attacks)

    assert effects.keys() == {attack.name for attack in attacks}
    done = {effect for all_of_one in effects.values() for effect in all_of_one}
    assert [effect for effect in done if not effect.startswith("said ")] == []
    worked = {name for name, all_of_one in effects.items() if all_of_one}
    assert worked - SEES_MORE.get(group, set()) - READS_THE_KEY.get(group, set()) == set()
    assert READS_THE_KEY.get(group, set()) - worked == set()

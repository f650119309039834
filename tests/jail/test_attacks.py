"""Every attack fails in the jail, and works without one."""

from __future__ import annotations

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
from jail.host import Host

pytestmark = pytest.mark.tools

GROUPS = {
    "files": cases_files.CASES,
    "delayed": cases_delayed.CASES,
    "processes": cases_processes.CASES,
    "kernel": cases_kernel.CASES,
    "network": cases_network.CASES,
    "environment": cases_environment.CASES,
    "terminal": cases_terminal.CASES,
    "exhaustion": cases_exhaustion.CASES,
}
ATTACKS = [
    pytest.param(case, id=f"{group}: {case.name}") for group, cases in GROUPS.items() for case in cases
]


def prepare(host: Host, attack: Attack) -> None:
    if attack.before:
        done = host.unconfined(f"set -e\n{attack.before}")
        assert done.returncode == 0, done.stderr
    host.start_watching()


def afterwards(host: Host, attack: Attack) -> list[str]:
    if not attack.then:
        return []
    done = host.unconfined(attack.then)
    return [done.stdout, done.stderr]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_has_no_effect_outside_the_workspace(host: Host, attack: Attack) -> None:
    prepare(host, attack)

    done = host.session(attack.script)
    outputs = [done.stdout, done.stderr, *afterwards(host, attack)]

    assert host.effects(*outputs) == [], outputs


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_works_without_a_jail(host: Host, attack: Attack) -> None:
    prepare(host, attack)

    done = host.unconfined(attack.control or attack.script)
    outputs = [done.stdout, done.stderr, *afterwards(host, attack)]

    assert host.effects(*outputs) != [], outputs

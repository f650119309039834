"""service: installs and removes our systemd unit, and never touches another one."""

from __future__ import annotations

from support.machine import Machine, error_of


def test_the_unit_is_installed_updated_and_removed(machine: Machine) -> None:
    target = machine.home / ".config" / "systemd" / "user" / "claude-local.service"

    first = machine.invoke_ok("install-service")
    unit = target.read_text()
    again = machine.invoke_ok("install-service")
    removed = machine.invoke_ok("install-service", "--remove")
    nothing = machine.invoke_ok("install-service", "--remove")

    assert first == again
    assert first.splitlines()[0] == f"wrote {target}"
    assert f'serve "{machine.checkout}" "{machine.state_dir}"\n' in unit
    assert f'Environment="CLAUDE_LOCAL_MANAGEMENT_PORT={machine.management_port}"\n' in unit
    assert removed.splitlines()[0] == f"removed {target}"
    assert nothing == f"{target} does not exist\n"


def test_a_foreign_unit_is_not_touched(machine: Machine) -> None:
    target = machine.home / ".config" / "systemd" / "user" / "claude-local.service"
    target.parent.mkdir(parents=True)
    target.write_text("[Unit]\n")

    message, hints = error_of(machine.invoke("install-service"))

    assert (message, hints) == (f"{target} was not created by claude-local", ["move it away first"])
    assert target.read_text() == "[Unit]\n"

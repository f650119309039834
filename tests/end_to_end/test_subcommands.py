"""Claude Code's own commands through the wrapper: they change what our sessions read, and need no model."""

from __future__ import annotations

import pytest

from support.machine import Machine

pytestmark = pytest.mark.real_cli


@pytest.mark.parametrize("client", ["new", "old"])
def test_an_mcp_server_that_was_added_is_listed(machine: Machine, client: str) -> None:
    machine.invoke_ok("render")
    (machine.state_dir / "llama").mkdir(parents=True)

    added = machine.claude_local("--sandbox", "off", "mcp", "add", "foo", "--", "/bin/cat", client=client)
    listed = machine.claude_local("--sandbox", "off", "mcp", "list", client=client)

    assert (added.returncode, listed.returncode) == (0, 0), added.stderr + listed.stderr
    assert "foo: /bin/cat" in listed.stdout

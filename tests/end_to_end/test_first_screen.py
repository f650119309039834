"""The first screen of a session, and what happens when its window is full, with a window of the smallest size."""

from __future__ import annotations

import pytest

from support.machine import Machine
from support.session import Session, enter
from support.terminal import Terminal
from support.window_server import WindowServer

pytestmark = [pytest.mark.real_cli, pytest.mark.tools]
BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])
SMALLEST = 32768


@pytest.mark.parametrize(("client", "sandbox"), [("new", "jail"), ("old", "jail"), ("new", "off")])
def test_the_first_screen_of_a_small_window_has_no_warning(
    machine: Machine, client: str, sandbox: str
) -> None:
    with WindowServer(SMALLEST) as server, Terminal(columns=110, rows=40) as terminal:
        server.serve(machine)
        enter(terminal, machine, client, sandbox=sandbox)
        terminal.keys("-l", "hi")
        terminal.press_until("Enter", "all is well")  # by then, every check at the start has ended
        screen = terminal.screen()

    after_ours = screen[screen.index("Claude Code v") :]
    assert "⚠" not in after_ours
    assert "CLAUDE_CODE_" not in after_ours
    assert "claude command" not in after_ours


@BOTH_CLIENTS
def test_a_full_window_of_the_smallest_size_is_compacted_in_time(machine: Machine, client: str) -> None:
    with WindowServer(SMALLEST) as server:
        server.serve(machine)
        session = Session(machine, client)
        results = [session.ask("the value of the module " * 1200)[1] for _ in range(6)]
        session.close()

    assert [result["is_error"] for result in results] == [False] * 6
    assert sum(event.get("subtype") == "compact_boundary" for event in session.events) > 1
    assert server.refused == []
    assert max(server.prompts) < SMALLEST

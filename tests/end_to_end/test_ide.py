"""VS Code with --ide: Claude Code finds its lock file and connects, and the lock file stays as it is."""

from __future__ import annotations

import json
import queue
from threading import Thread

import pytest
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from support.machine import Machine
from support.session import enter
from support.terminal import Terminal


@pytest.mark.real_cli
@pytest.mark.embedded
@pytest.mark.tools
@pytest.mark.parametrize("client", ["new", "old"])
@pytest.mark.parametrize("place", ["its terminal", "one of another window"])
def test_an_editor_of_several_folders_is_connected(machine: Machine, client: str, place: str) -> None:
    seen: queue.Queue[tuple[str, str]] = queue.Queue()

    def talk(connection: ServerConnection) -> None:
        assert connection.request
        token = connection.request.headers["x-claude-code-ide-authorization"]
        seen.put((token, json.loads(connection.recv())["method"]))

    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "embedded")
    with serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("mcp")]) as editor:
        Thread(target=editor.serve_forever, daemon=True).start()
        port = editor.socket.getsockname()[1]
        lock = machine.home / ".claude" / "ide" / f"{port}.lock"
        lock.parent.mkdir(parents=True)
        facts = {
            "pid": 1,
            "workspaceFolders": [str(machine.home / "other"), str(machine.home / "workspace")],
            "ideName": "Visual Studio Code",
            "transport": "ws",
            "runningInWindows": False,
            "authToken": "editor-token",
        }
        lock.write_text(json.dumps(facts, ensure_ascii=False))  # as JavaScript writes it
        machine.extra["TERM_PROGRAM"] = "vscode"
        if place == "its terminal":
            machine.extra["CLAUDE_CODE_SSE_PORT"] = str(port)
        with Terminal(columns=120, rows=40) as terminal:
            enter(terminal, machine, client, "--ide")
            token, method = seen.get(timeout=150)
            editor.shutdown()

    assert (token, method) == ("editor-token", "initialize")
    assert json.loads(lock.read_text()) == facts
    assert [file.name for file in lock.parent.iterdir()] == [lock.name]

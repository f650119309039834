"""say_yes: a real second process that speaks the Model Context Protocol and approves every tool call."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from claude_local.checks.verify import say_yes


def conversation(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers to these messages of a server started as Claude Code starts it."""
    server = say_yes.configuration(sys.executable)["mcpServers"]["yes"]
    text = "".join(json.dumps({"jsonrpc": "2.0", **request}) + "\n" for request in requests)
    done = subprocess.run([server["command"], *server["args"]], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_has_the_tool_that_the_argument_names() -> None:
    first, second = conversation(
        {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}},
        {"id": 2, "method": "tools/list"},
    )

    (tool,) = second["result"]["tools"]
    assert first["result"]["protocolVersion"] == "2025-06-18"
    assert say_yes.ARGUMENTS[1] == f"mcp__yes__{tool['name']}"


def test_it_allows_a_tool_call_unchanged() -> None:
    asked = {"command": "rm -rf 'ä'"}
    call = {"name": "approve", "arguments": {"tool_name": "Bash", "input": asked}}

    (reply,) = conversation({"id": "x", "method": "tools/call", "params": call})

    (content,) = reply["result"]["content"]
    assert reply["id"] == "x"
    assert json.loads(content["text"]) == {"behavior": "allow", "updatedInput": asked}


def test_a_notification_is_not_answered() -> None:
    assert conversation({"method": "notifications/initialized"}) == []

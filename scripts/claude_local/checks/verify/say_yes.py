"""Says yes to every question of a Claude Code session without a terminal: an MCP server with one tool.

Run as a program by Claude Code (`--permission-prompt-tool mcp__yes__approve`), in throw-away home folders only, to
show what a mode holds when its user agrees to everything.
"""

from __future__ import annotations

import json
import sys
from typing import Any

ARGUMENTS = ("--permission-prompt-tool", "mcp__yes__approve")


def configuration(python: str, program: str = __file__) -> dict[str, Any]:
    """What `--mcp-config` takes: how to start this server."""
    return {"mcpServers": {"yes": {"command": python, "args": ["-I", program]}}}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The result of one request of the Model Context Protocol."""
    parameters = request.get("params") or {}
    if request["method"] == "initialize":
        return {
            "protocolVersion": parameters["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "yes", "version": "1"},
        }
    if request["method"] == "tools/list":
        schema = {"type": "object", "properties": {}, "additionalProperties": True}
        return {"tools": [{"name": "approve", "description": "says yes", "inputSchema": schema}]}
    if request["method"] == "tools/call":
        asked = parameters.get("arguments", {}).get("input", {})
        return {
            "content": [{"type": "text", "text": json.dumps({"behavior": "allow", "updatedInput": asked})}]
        }
    return {}


def main() -> None:
    """Answers one JSON message a line until standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            reply = {"jsonrpc": "2.0", "id": request["id"], "result": answer(request)}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

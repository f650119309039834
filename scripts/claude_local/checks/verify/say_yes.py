"""An MCP server with one tool, which says yes to every question of a Claude Code session without a terminal.

Claude Code runs it as a program (`--permission-prompt-tool mcp__yes__approve`), in throw-away home folders only, to
show which attacks a mode stops when its user agrees to everything.
"""

from __future__ import annotations

import json
import sys
from typing import Any

ARGUMENTS = ("--permission-prompt-tool", "mcp__yes__approve")


def configuration(python: str, program: str = __file__) -> dict[str, Any]:
    """The value of `--mcp-config` that starts this server."""
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
    """Answers JSON messages, one per line, until standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            reply = {"jsonrpc": "2.0", "id": request["id"], "result": answer(request)}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

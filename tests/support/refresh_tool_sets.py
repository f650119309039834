"""The content of scripts/claude_local/checks/tool_sets.json: the tools that the pinned Claude Code versions send.

Only the parts that a grammar is built from: names, and schemas without descriptions. After a change of the pinned
versions, update it with `python tests/support/refresh_tool_sets.py`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from claude_local.checks import prompt_size  # noqa: E402  the path comes first
from claude_local.checks.upgrade_checks import TOOL_SETS  # noqa: E402
from claude_local.machine.settings import Settings, load_settings  # noqa: E402
from support.machine import CLIENT_FOLDERS  # noqa: E402

# claude-local's two sets, and the set of a plain start.
SETS = ("--full", "--lean", "")


def tools_of(settings: Settings, client: str) -> list[dict[str, Any]]:
    """Every tool that this client sends in its first request, in any of the sets."""
    path = f"{CLIENT_FOLDERS[client]}:{os.defpath}"
    requests = [json.loads(prompt_size.first_request(settings, path, tools)) for tools in SETS]
    return list({tool["name"]: _for_a_grammar(tool) for r in requests for tool in r["tools"]}.values())


def version_of(client: str) -> str:
    package = json.loads((CLIENT_FOLDERS[client] / "package.json").read_text(encoding="utf-8"))
    return str(package["version"])


def settings_in(folder: Path) -> Settings:
    environment = {"HOME": str(folder), "CLAUDE_LOCAL_STATE_DIR": str(folder / "state")}
    return load_settings(environment, ROOT, user_id=os.getuid(), group_id=os.getgid())


def _for_a_grammar(tool: dict[str, Any]) -> dict[str, Any]:
    return {"name": tool["name"], "input_schema": _without_descriptions(tool["input_schema"])}


def _without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k != "description" or not isinstance(v, str)}
        return {k: _without_descriptions(v) for k, v in kept.items()}
    return [_without_descriptions(v) for v in value] if isinstance(value, list) else value


def main() -> None:
    """Replaces the recorded sets with those that the pinned versions send."""
    with tempfile.TemporaryDirectory() as folder:
        sets = {version_of(client): tools_of(settings_in(Path(folder)), client) for client in CLIENT_FOLDERS}
    TOOL_SETS.write_text(json.dumps(sets, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""upgrade_checks: the recorded tools match those that the pinned versions send."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.checks.upgrade_checks import recorded_tool_sets
from support import refresh_tool_sets
from support.machine import CLIENT_FOLDERS


@pytest.mark.real_cli
@pytest.mark.parametrize("client", CLIENT_FOLDERS)
def test_the_recorded_tools_are_what_the_pinned_version_sends(client: str, tmp_path: Path) -> None:
    sent = refresh_tool_sets.tools_of(refresh_tool_sets.settings_in(tmp_path), client)

    recorded = recorded_tool_sets()[refresh_tool_sets.version_of(client)]
    assert recorded == sent, "if this is intended: python tests/support/refresh_tool_sets.py"


def test_the_recorded_tools_have_only_names_and_input_schemas() -> None:
    for tools in recorded_tool_sets().values():
        assert {"Bash", "Edit", "Read", "Write"} <= {tool["name"] for tool in tools}
        assert {key for tool in tools for key in tool} == {"name", "input_schema"}

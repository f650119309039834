"""The README names everything that can be typed or set."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields

from claude_local.machine.settings import PREFIX, Settings
from support.machine import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_setting_and_no_other() -> None:
    own = [
        field.name for field in fields(Settings) if field.name not in ("root", "user_id", "group_id", "home")
    ]

    named = re.findall(rf"^\| `({PREFIX}\w+)` \|", README, re.MULTILINE)

    assert sorted(named) == sorted(PREFIX + name.upper() for name in own)


def test_the_readme_lists_every_task_and_no_other() -> None:
    argv = [sys.executable, "-m", "invoke", "--list", "--list-format=json"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tasks = set(re.findall(r'"name": "([a-z-]+)", "help"', listed)) - {"quickstart", "tasks"}

    named = set(re.findall(r"`invoke ([a-z-]+)[^`]*`", README))

    assert tasks
    assert named == tasks


def test_every_link_to_a_file_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_has_the_options_of_claude_local_as_the_command_itself_says_them() -> None:
    command = (ROOT / "templates" / "bin" / "claude-local.j2").read_text(encoding="utf-8")
    own = re.findall(r"^#   (\S.*)$", command.partition("set -euo")[0], re.MULTILINE)

    (block,) = re.findall(r"```\nclaude-local \[our options\].*?\n(.*?)```", README, re.DOTALL)

    assert own
    assert [line.strip() for line in block.splitlines()] == own

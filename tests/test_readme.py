"""README and docs/ name everything that can be typed or set, and their links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys

from claude_local.machine.setting_descriptor import PREFIX
from claude_local.machine.settings import TABLE
from support.machine import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_page_has_the_table_of_settings_as_the_program_has_it() -> None:
    rows = re.findall(rf"^\| `{PREFIX}.*$", page("settings.md"), re.MULTILINE)

    assert rows == [one.row() for one in TABLE.values()]


def test_the_page_lists_every_task_and_no_other() -> None:
    argv = [sys.executable, "-m", "invoke", "--list", "--list-format=json"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tasks = set(re.findall(r'"name": "([a-z-]+)", "help"', listed)) - {"quickstart", "tasks"}

    named = set(re.findall(r"`invoke ([a-z-]+)[^`]*`", page("commands.md")))

    assert tasks
    assert named == tasks


def test_every_link_to_a_file_leads_somewhere() -> None:
    links = [
        (file, link)
        for file in PAGES
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
        if "://" not in link
    ]

    assert (ROOT / "README.md", "docs/jail.md") in links
    assert [(str(file), link) for file, link in links if not (file.parent / link).exists()] == []


def test_the_page_on_claude_local_has_its_options_as_the_command_itself_says_them() -> None:
    command = (ROOT / "templates" / "bin" / "claude-local").read_text(encoding="utf-8")
    own = re.findall(r"^#   (\S.*)$", command.partition("set -euo")[0], re.MULTILINE)

    (block,) = re.findall(
        r"```\nclaude-local \[our options\].*?\n(.*?)```", page("claude-local.md"), re.DOTALL
    )

    assert own
    assert [line.strip() for line in block.splitlines()] == own

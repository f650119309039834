"""state_folder: its list has every entry that our Python and bash create in the state folder."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from claude_local.machine.state_folder import ENTRIES, StateEntry
from support.machine import ROOT

PYTHON = sorted((ROOT / "scripts" / "claude_local").rglob("*.py"))
BASH = sorted(file for file in (ROOT / "templates").rglob("*") if file.is_file())
HOME = "state_folder.py"


def is_state_dir(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "state_dir"


def places_of_its_own(source: str) -> Iterator[int]:
    """Lines that build a path below the state folder by hand."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.BinOp(left=left, op=ast.Div()) if is_state_dir(left):
                yield node.lineno
            case ast.Attribute(value=value, attr="joinpath" | "glob" | "rglob") if is_state_dir(value):
                yield node.lineno
            case ast.FormattedValue(value=value) if is_state_dir(value) and "{" not in ast.unparse(value):
                yield from _followed_by_slash(source, node)
            case ast.Call(keywords=keywords) if any(
                k.arg == "dir" and is_state_dir(k.value) for k in keywords
            ):
                if not any(k.arg == "prefix" and getattr(k.value, "attr", "") == "prefix" for k in keywords):
                    yield node.lineno


def _followed_by_slash(source: str, node: ast.FormattedValue) -> Iterator[int]:
    line = source.splitlines()[node.lineno - 1]
    if re.search(r"state_dir\}/", line):
        yield node.lineno


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: file.name)
def test_no_module_builds_a_path_in_the_state_folder_by_hand(file: Path) -> None:
    assert file.name == HOME or list(places_of_its_own(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        'settings.state_dir / "new"',
        'state_dir.joinpath("new")',
        'f"{settings.state_dir}/new"',
        "TemporaryDirectory(dir=settings.state_dir)",
        'list(host.settings.state_dir.glob("*"))',
    ],
)
def test_a_path_that_is_built_by_hand_would_be_found(line: str) -> None:
    assert list(places_of_its_own(f"\n{line}\n")) == [2]


def test_every_entry_that_bash_creates_is_listed() -> None:
    names = {
        name
        for file in BASH
        for name in re.findall(r"""\$\{?STATE_DIR\}?"?/([\w.-]+)""", file.read_text(encoding="utf-8"))
    }

    assert names == {"sessions", "quarantine"}
    assert names <= {entry.name for entry in ENTRIES}


def test_every_name_belongs_to_one_entry() -> None:
    for entry in ENTRIES:
        name = entry.name.replace("*", "x")

        assert [other for other in ENTRIES if fnmatch(name, other.name)] == [entry]


def test_entries_with_a_wildcard_are_found_by_their_kind(tmp_path: Path) -> None:
    folder = StateEntry("upgrade-*", "", is_folder=True)
    (tmp_path / "upgrade-b").mkdir()
    (tmp_path / "upgrade-a").mkdir()
    (tmp_path / "upgrade-file").touch()

    assert folder.all_below(tmp_path) == [tmp_path / "upgrade-a", tmp_path / "upgrade-b"]
    assert folder.prefix == "upgrade-"

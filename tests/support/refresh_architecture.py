"""Writes the table of packages in docs/architecture.md from the first lines of their `__init__` files.

Run it after adding or renaming a package: `python tests/support/refresh_architecture.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "scripts" / "claude_local"
PAGE = ROOT / "docs" / "architecture.md"
ORDER = (
    *("foundation", "machine", "profiles", "client", "server", "build", "models"),
    *("lifecycle", "checks", "management", "dashboard", "cli"),
)
"""From the lowest layer to the highest."""

TABLE = re.compile(r"\| package \| what is in it \|\n(?:\|.*\n)+")


def table() -> str:
    """The table in Markdown; a package is followed by its sub-packages."""
    rows = [f"| `{folder}/` | {purpose(folder)} |" for folder in folders()]
    return "\n".join(["| package | what is in it |", "| --- | --- |", *rows, ""])


def folders() -> Iterator[str]:
    for name in ORDER:
        yield name
        inner = sorted(file.parent for file in (PACKAGE / name).glob("*/__init__.py"))
        yield from (str(folder.relative_to(PACKAGE)) for folder in inner)


def purpose(folder: str) -> str:
    """The first line of a package's docstring."""
    source = (PACKAGE / folder / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda _: table(), page), encoding="utf-8")

"""Adds single values to a profile's YAML text and leaves everything else unchanged."""

from __future__ import annotations

import difflib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from claude_local.foundation.errors import UserError
from claude_local.foundation.strict_yaml import KeyPath, YamlSource, place, read_yaml
from claude_local.machine.files import write_atomic

Values = Mapping[str, str | int | list[str]]


def add_values(file: Path, sections: Mapping[KeyPath, Values]) -> str:
    """Adds missing keys below the `file:` line of each section; returns a diff, "" for no change.

    The result must be the old data plus the new keys; otherwise nothing is written and UserError lists the
    lines to add by hand.
    """
    source = read_yaml(file)
    missing = {path: _missing(source, path, values) for path, values in sections.items()}
    missing = {path: values for path, values in missing.items() if values}
    old = file.read_bytes().decode()
    new = _insert(old, source, missing)
    if not _says(new, _merged(source.data, missing)):
        raise UserError(f"{file} has a layout that cannot be edited automatically", hint=_by_hand(missing))
    if new != old:
        write_atomic(file.resolve(), new.encode(), mode=file.stat().st_mode & 0o777)
    return text_diff(old, new, file)


def text_diff(old: str, new: str, file: Path) -> str:
    """A unified diff between two versions of a profile; an empty `old` is a new file."""
    name = f"{file.parent.name}/{file.name}"
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        fromfile=name if old else "/dev/null",
        tofile=name,
    )
    return "".join(lines)


def value_text(value: str | float | list[str]) -> str:
    """A value as YAML; strings in double quotes, because a checksum can look like a number."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def _missing(source: YamlSource, path: KeyPath, values: Values) -> dict[str, Any]:
    return {key: value for key, value in values.items() if (*path, key) not in source.lines}


def _insert(text: str, source: YamlSource, sections: Mapping[KeyPath, Values]) -> str:
    lines = text.splitlines(keepends=True)
    by_line = {source.lines.get((*path, "file"), 0): values for path, values in sections.items()}
    for number in sorted(by_line, reverse=True):
        line = lines[number - 1] if number else ""
        end = "\r\n" if line.endswith("\r\n") else "\n"
        indent = re.match(" *", line)
        new = [
            f"{indent[0] if indent else ''}{key}: {value_text(v)}{end}" for key, v in by_line[number].items()
        ]
        lines[number:number] = new if line.endswith("\n") else [end, *new]
    return "".join(lines)


def _merged(data: dict[str, Any], sections: Mapping[KeyPath, Values]) -> dict[str, Any]:
    merged: dict[str, Any] = json.loads(json.dumps(data))
    for path, values in sections.items():
        part = merged
        for key in path:
            part = part[str(key)]
        part.update(values)
    return merged


def _says(text: str, data: dict[str, Any]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "profile.yaml"
        file.write_bytes(text.encode())
        source = read_yaml(file)
    return not source.mistakes and source.data == data


def _by_hand(sections: Mapping[KeyPath, Values]) -> str:
    lines = [
        f"{place((*path, k))}: {value_text(v)}"
        for path, values in sections.items()
        for k, v in values.items()
    ]
    return "\n".join(["add these yourself:", *lines])

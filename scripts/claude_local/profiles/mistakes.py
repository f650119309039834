"""The message for each mistake in a profile: file, line, place, expected value and hint."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from claude_local.foundation.errors import ProfileError
from claude_local.foundation.strict_yaml import KeyPath, Mistake, YamlSource, place, printable
from claude_local.profiles.model_source import REPOSITORY_PATTERN
from claude_local.profiles.parts import NAME_PATTERN, SHA256_PATTERN

ALL_KEYS = "all keys: profiles/_reference.yaml"
BOOLEAN_HINT = "YAML reads a bare on/off/yes/no as a boolean: quote it"

EXPECTATIONS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "finite_number": "a finite number",
    "string_unicode": "text with valid Unicode characters",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "tuple_type": "a list",
    "string_too_short": "text that is not empty",
    "string_pattern_mismatch": "text that matches {pattern}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
}

PATTERNS = {
    NAME_PATTERN: "a name of small letters, digits, `.`, `_` and `-`, at most 63",
    SHA256_PATTERN: "a SHA-256 checksum: 64 of the characters 0-9 and a-f",
    REPOSITORY_PATTERN: "a repository: owner/name",
}


def mistakes_of(
    error: ValidationError, model: type[BaseModel], source: YamlSource, defaults: YamlSource
) -> list[Mistake]:
    """Every mistake that pydantic found in a file merged over the defaults."""
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in error.errors():
        missing = detail["type"] == "missing"
        path = detail["loc"] if missing else _key_path(detail["loc"], source, defaults)
        by_path.setdefault(path, []).append(detail)
    return [_mistake(model, path, details, source, defaults) for path, details in by_path.items()]


def mistake_at(source: YamlSource, path: KeyPath, message: str) -> Mistake:
    """One mistake at `path` of `source`."""
    return Mistake(source.file, source.lines.get(path, 1), place(path), message)


def profile_error(mistakes: list[Mistake], directory: Path) -> ProfileError:
    """All mistakes of a folder as one error, by file and line, each hint once."""
    mistakes = sorted(dict.fromkeys(mistakes), key=lambda mistake: (mistake.file.name, mistake.line))

    def line(mistake: Mistake) -> str:
        at = f"{directory.name}/{mistake.file.name}:{mistake.line}: "
        where = f"{mistake.where}: " if mistake.where else ""
        return at + where + mistake.message

    hints = list(dict.fromkeys(mistake.hint for mistake in mistakes if mistake.hint))
    return ProfileError("\n".join(line(m) for m in mistakes), hint="\n".join(hints))


def _key_path(loc: tuple[str | int, ...], source: YamlSource, defaults: YamlSource) -> KeyPath:
    """The part of pydantic's location that exists in the file; the rest names union members."""
    for end in range(len(loc), 0, -1):
        if loc[:end] in source.lines or loc[:end] in defaults.lines:
            return loc[:end]
    return loc


def _mistake(
    model: type[BaseModel],
    path: KeyPath,
    details: list[ErrorDetails],
    source: YamlSource,
    defaults: YamlSource,
) -> Mistake:
    origin = defaults if path not in source.lines and path in defaults.lines else source
    line = next((origin.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in origin.lines), 1)
    message, hint = _sentence(model, path, details)
    return Mistake(origin.file, line, place(path), message, hint)


def _sentence(model: type[BaseModel], path: KeyPath, details: list[ErrorDetails]) -> tuple[str, str]:
    first = details[0]
    if first["type"] == "extra_forbidden":
        return "is not a known key", _nearest(model, path)
    if first["type"] == "missing":
        return "is missing", ""
    if first["type"] == "value_error":
        return f"{first['ctx']['error']}, not {_show(first['input'])}", ""
    wanted = " or ".join(dict.fromkeys(_expectation(detail) for detail in details))
    return f"should be {wanted}, not {_show(first['input'])}", _boolean_hint(details)


def _boolean_hint(details: list[ErrorDetails]) -> str:
    wants_a_word = any(
        detail["type"] == "string_type" or "'" in detail.get("ctx", {}).get("expected", "")
        for detail in details
    )
    return BOOLEAN_HINT if wants_a_word and isinstance(details[0]["input"], bool) else ""


def _expectation(detail: ErrorDetails) -> str:
    form = PATTERNS.get(detail.get("ctx", {}).get("pattern", "")) or EXPECTATIONS.get(detail["type"])
    return form.format(**detail.get("ctx", {})) if form else detail["msg"]


def _nearest(model: type[BaseModel], path: KeyPath) -> str:
    fields = model.model_fields
    for part in path[:-1]:
        annotation = fields[str(part)].annotation if str(part) in fields else None
        known = [getattr(kind, "model_fields", None) for kind in (annotation, *get_args(annotation))]
        fields = next((found for found in known if found), {})
    near = difflib.get_close_matches(str(path[-1]), [field for field in fields if field != "name"], n=1)
    return f"did you mean `{near[0]}` instead of `{printable(str(path[-1]))}`?" if near else ALL_KEYS


def _show(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."

"""Reads untrusted JSON strictly: no duplicate keys, no NaN, no deep nesting, no huge numbers."""

from __future__ import annotations

import json
from typing import Any

from claude_local.foundation.errors import UserError

DEPTH_LIMIT = 8
DIGITS_LIMIT = 40


EXAMPLE = 'for instance {"model": "demo"}'


class BadJson(UserError):
    """Text that is not JSON, or is ambiguous JSON."""

    def __init__(self, message: str, *, hint: str = EXAMPLE) -> None:
        super().__init__(message, hint=hint)


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Raises BadJson with the defect."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJson(f"the body is not UTF-8 (byte {error.start})") from None
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
            parse_int=_whole_number,
            parse_float=_number,
        )
    except json.JSONDecodeError as error:
        raise BadJson(f"the body is not JSON: {error.msg} (character {error.pos})") from None
    if not isinstance(value, dict):
        raise BadJson("the body should be a JSON object")
    return value


def _check_depth(text: str) -> None:
    """Counts brackets outside strings, so that a deeply nested document never reaches the parser."""
    depth, in_text, escaped = 0, False, False
    for character in text:
        if in_text:
            in_text = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_text = True
        elif character in "[{":
            depth += 1
            if depth > DEPTH_LIMIT:
                raise BadJson(f"the body is nested more than {DEPTH_LIMIT} levels deep")
        elif character in "]}":
            depth -= 1


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise BadJson(f"the body has `{key[:40]}` twice")
        _check_text(key)
        if isinstance(value, str):
            _check_text(value)
        found[key] = value
    return found


def _check_text(text: str) -> None:
    try:
        text.encode()  # half a surrogate pair cannot be encoded later
    except UnicodeEncodeError:
        raise BadJson("the body has half a surrogate pair") from None


def _no_constant(name: str) -> Any:
    raise BadJson(f"the body has {name}, which is not JSON")


def _whole_number(digits: str) -> int:
    if len(digits) > DIGITS_LIMIT:
        raise BadJson(f"the body has a number of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise BadJson("the body has a number that is too large")
    return value

"""strict_json: unambiguous JSON is read, everything else refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_local.foundation.strict_json import DEPTH_LIMIT, BadJson, read_object

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
)
OBJECTS = st.dictionaries(TEXTS, VALUES | TEXTS | st.lists(TEXTS, max_size=3), max_size=5)


@given(value=OBJECTS)
def test_plain_json_is_read_unchanged(value: dict[str, Any]) -> None:
    assert read_object(json.dumps(value).encode()) == value
    assert read_object(json.dumps(value, ensure_ascii=False, indent=2).encode()) == value


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = read_object(data)
    except BadJson as error:
        assert error.message and error.hint
    else:
        assert isinstance(value, dict)


def test_a_document_at_the_depth_limit_is_read() -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    assert read_object(nested(DEPTH_LIMIT))["a"]
    with pytest.raises(BadJson, match="nested more than 8 levels deep"):
        read_object(nested(DEPTH_LIMIT + 1))


def test_brackets_in_a_string_do_not_count_as_depth() -> None:
    assert read_object(b'{"a":"' + b"[{" * 50 + b'\\"' + b"[" * 50 + b'"}')["a"].count("[") == 100


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a":1,"a":1}', "the body has `a` twice"),
        (b'{"b":{"a":1,"a":2}}', "the body has `a` twice"),
        (b'{"a":NaN}', "the body has NaN, which is not JSON"),
        (b'{"a":-Infinity}', "the body has -Infinity, which is not JSON"),
        (b'{"a":1e400}', "the body has a number that is too large"),
        (b'{"a":' + b"1" * 41 + b"}", "the body has a number of 41 digits"),
        (b'{"a":"\\udc00"}', "the body has half a surrogate pair"),
        (b"[]", "the body should be a JSON object"),
        (b"", "the body is not JSON: Expecting value (character 0)"),
        (b'{"a":\xff}', "the body is not UTF-8 (byte 5)"),
    ],
)
def test_ambiguous_or_invalid_json_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BadJson) as caught:
        read_object(data)

    assert caught.value.message == message

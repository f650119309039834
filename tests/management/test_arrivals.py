"""arrivals: when a request has arrived completely."""

from __future__ import annotations

import pytest

from claude_local.management.arrivals import HEADER_LIMIT_BYTES, is_whole

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 3\r\nX: y\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", False),
        (GET, True),
        (POST, False),
        (POST + b"ab", False),
        (POST + b"abc", True),
        (POST.replace(b"3", b"99999999"), True),
        (b"GET / HTTP/1.1\nHost: x\n\n", True),
        (b"a" * HEADER_LIMIT_BYTES, True),
    ],
)
def test_a_request_is_complete_with_its_body_or_when_it_is_refused_anyway(data: bytes, whole: bool) -> None:
    assert is_whole(data) is whole

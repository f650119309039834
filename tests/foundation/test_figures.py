"""figures: sizes formatted for people."""

from __future__ import annotations

import pytest

from claude_local.foundation import figures


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, "?"),
        (0, "0 bytes"),
        (512, "512 bytes"),
        (1_000, "1.0 kB"),
        (3_100_000, "3.1 MB"),
        (500_000_000, "500.0 MB"),
        (17_310_000_000, "17.3 GB"),
        (-1_100_000_000, "-1.1 GB"),
        (10**18, "1000000000.0 GB"),
    ],
)
def test_a_size_is_in_the_largest_unit_that_it_reaches(size_bytes: int | None, text: str) -> None:
    assert figures.size(size_bytes) == text

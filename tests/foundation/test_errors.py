"""errors: the printed form of an expected error."""

from __future__ import annotations

from claude_local.foundation.errors import UserError


def test_an_error_prints_its_message_then_details_then_hints() -> None:
    error = UserError("it broke", details="first\nsecond", hint="do this\nor that")

    assert error.describe().splitlines() == [
        "error: it broke",
        "  | first",
        "  | second",
        "  hint: do this",
        "  hint: or that",
    ]


def test_an_error_without_details_and_hint_is_one_line() -> None:
    assert UserError("it broke").describe() == "error: it broke"

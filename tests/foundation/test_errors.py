"""How an expected error looks where it is printed."""

from __future__ import annotations

from claude_local.foundation.errors import UserError


def test_an_error_is_a_line_then_what_a_program_said_then_how_to_go_on() -> None:
    error = UserError("it broke", details="first\nsecond", hint="do this\nor that")

    assert error.describe().splitlines() == [
        "error: it broke",
        "  | first",
        "  | second",
        "  hint: do this",
        "  hint: or that",
    ]


def test_an_error_that_knows_no_more_is_one_line() -> None:
    assert UserError("it broke").describe() == "error: it broke"

"""What is new in the end of a log, when one looks again."""

from __future__ import annotations


def new_lines(before: list[str], now: list[str]) -> list[str]:
    """The lines of `now` that come after those that `before` had already.

    Both are the end of the same log, of the same length at most. Where they have nothing in common, all
    of `now` is new.
    """
    for start in range(len(before)):
        if before[start:] == now[: len(before) - start]:
            return now[len(before) - start :]
    return now

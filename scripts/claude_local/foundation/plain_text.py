"""Makes untrusted text safe to print: characters that move the cursor or hide text become dots."""

from __future__ import annotations

import unicodedata

CONTROL_CHARACTERS = dict.fromkeys((*range(32), 127, *range(128, 160)), "·")
# Cf: direction marks and zero-width characters; Cs: surrogates, which cannot be encoded; Zl, Zp: line breaks.
HARMFUL_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")
TAB = "    "


def harmless(text: str) -> str:
    """The text with every control character as a dot and every tab as spaces."""
    text = text.replace("\t", TAB)
    if text.isascii():
        return text.translate(CONTROL_CHARACTERS)
    return "".join("·" if unicodedata.category(one) in HARMFUL_CATEGORIES else one for one in text)


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def one_line(text: str) -> str:
    """The text on one line with single spaces, without characters that cannot be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())

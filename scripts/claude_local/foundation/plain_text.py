"""Makes text of others harmless for a screen: what could move the cursor or hide is shown as a dot."""

from __future__ import annotations

import unicodedata

CONTROL_CHARACTERS = dict.fromkeys((*range(32), 127, *range(128, 160)), "·")
# Cf: direction marks and zero-width characters; Cs: halves that no encoding takes; Zl, Zp: line ends.
HARMFUL_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")
TAB = "    "


def harmless(text: str) -> str:
    """Text with every control character shown as a dot; a tab becomes spaces."""
    text = text.replace("\t", TAB)
    if text.isascii():
        return text.translate(CONTROL_CHARACTERS)
    return "".join("·" if unicodedata.category(one) in HARMFUL_CATEGORIES else one for one in text)


def first_line(text: str) -> str:
    """The first line of a text that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")

"""Text for people and programs: without control characters, its first line, and fields for Docker."""

from __future__ import annotations

import re
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


def docker_fields(*fields: str) -> str:
    """Fields of a Docker option such as --mount, which is parsed as CSV: quoted, so that a path may have a comma."""
    return ",".join(
        '"' + field.replace('"', '""') + '"' if re.search(r'[,"\s]', field) else field for field in fields
    )


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def one_line(text: str) -> str:
    """The text on one line with single spaces, without characters that cannot be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())

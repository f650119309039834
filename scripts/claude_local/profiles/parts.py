"""Types for the parts of a profile: text, names, numbers, and the strict base class."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("should not contain control characters or line breaks")
    return text


def json_text(values: dict[str, Any]) -> dict[str, Any]:
    """The values unchanged. Raises ValueError for a value that JSON cannot hold."""
    try:
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError):
        raise ValueError("should hold text, numbers, true, false, null, lists and mappings") from None
    return values


Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_printable)]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, StringConstraints(pattern=SHA256_PATTERN)]


class ProfilePart(BaseModel):
    """A frozen, strict part of a profile: no unknown keys, no silent conversions."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )

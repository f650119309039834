"""The token that is sent to a model hub, and where it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_local.foundation.errors import HubFailed

VARIABLES = ("HF_OIDC_RESOURCE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""In the order in which huggingface_hub looks; then comes the file that `hf auth login` writes."""


@dataclass(frozen=True)
class Token:
    """A token. Its value is never shown."""

    value: str = field(repr=False)
    source: str
    """A variable, or the path of the file."""

    @property
    def is_from_variable(self) -> bool:
        return self.source in VARIABLES

    @property
    def name(self) -> str:
        """The token in a sentence."""
        return f"the token in {self.source}"

    @property
    def remedy(self) -> str:
        """How to send another one."""
        if self.is_from_variable:
            return f"replace {self.source}, or unset it: it wins over hf auth login"
        return "log in with another token: hf auth login"


def find(hub: Any, environment: Mapping[str, str]) -> Token | None:
    """The token that huggingface_hub would send; None without one. Raises HubFailed."""
    if hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        return None
    source = next((name for name in VARIABLES if environment.get(name)), str(hub.constants.HF_TOKEN_PATH))
    try:
        value = hub.get_token()
    except (OSError, ValueError, hub.errors.OIDCError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = (
            f"unset {source}" if source in VARIABLES else "make it readable, or log in again: hf auth login"
        )
        raise HubFailed(f"no token can be read from {source}: {reason}", hint=hint) from None
    if not value:
        return None
    token = Token(value, source)
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise HubFailed(f"{token.name} has a character that no token has", hint=token.remedy)
    return token

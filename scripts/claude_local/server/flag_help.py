"""The flags of a llama-server, read from its `--help`, and the flags of ours that it lacks. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from claude_local.profiles.profile import Profile
from claude_local.server.flags import options, router_argv

DESCRIPTION_COLUMN = 40


def flags_in(help_text: str) -> set[str]:
    """The long flags that the help lists as options, with their dashes, without removed ones."""
    entries = re.split(r"\n(?=-)", help_text)
    heads = [_head(entry) for entry in entries if "has been removed" not in entry]
    return {flag for head in heads for flag in re.findall(r"(?:^|\s)(--[a-z0-9][a-z0-9.-]*)", head)}


def missing_flags(help_text: str, profiles: Mapping[str, Profile]) -> dict[str, list[str]]:
    """The flags of each profile that this server does not know; the router's own under "router"."""
    known = flags_in(help_text)
    router = [token for token in router_argv() if token.startswith("--")]
    wanted = {"router": router} | {name: _flags_of(profile) for name, profile in profiles.items()}
    lacking = {name: [flag for flag in flags if flag not in known] for name, flags in wanted.items()}
    return {name: flags for name, flags in lacking.items() if flags}


def _head(entry: str) -> str:
    """The names of an option, without its description: that can name other flags."""
    line = entry.partition("\n")[0]
    described = line[DESCRIPTION_COLUMN - 1 : DESCRIPTION_COLUMN] in (" ", "")
    return line[:DESCRIPTION_COLUMN] if described else line


def _flags_of(profile: Profile) -> list[str]:
    return [
        f"--no-{flag}" if value is False else f"--{flag}"
        for flag, value in options(profile, models_dir="/models")
    ]

"""Reads the profiles of a folder, merges each over the defaults, and finds one by name.

The steps are `strict_yaml` (file to data), `profile` (data to profile) and `mistakes` (mistakes to an error); none
of them calls back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from claude_local.foundation.errors import ProfileError, UnknownProfile
from claude_local.foundation.strict_yaml import Mistake, YamlSource, read_yaml
from claude_local.profiles.mistakes import mistake_at, mistakes_of, profile_error
from claude_local.profiles.profile import ACTIVE_ALIAS, Profile

DEFAULTS_FILE = "_defaults.yaml"
LOOKS_LIKE_PROFILE = re.compile(r"\.ya?ml(\W.*)?$", re.IGNORECASE)


class Profiles(dict[str, Profile]):
    """Profiles by name, and the files beside them that look like profiles and are not read."""

    not_read: tuple[str, ...] = ()


def load_profiles(directory: Path) -> Profiles:
    """All profiles of a folder by name, each merged over `_defaults.yaml`.

    Raises ProfileError with every mistake of every file.
    """
    defaults = _read(directory / DEFAULTS_FILE)
    profiles = Profiles()
    profiles.not_read = not_read(directory)
    mistakes = list(defaults.mistakes)
    for file in profile_files(directory):
        source = _read(file)
        profile, found = _validated(source, defaults)
        mistakes += found
        if profile:
            mistakes += _shared_names(profile, profiles, source)
            profiles[profile.name] = profile
    if mistakes:
        raise profile_error(mistakes, directory)
    return profiles


def profile_files(directory: Path) -> list[Path]:
    """Profile files in name order. Skips `_*` (not profiles) and `.*` (editor files)."""
    return sorted(file for file in directory.glob("*.yaml") if not file.name.startswith(("_", ".")))


def not_read(directory: Path) -> tuple[str, ...]:
    """Files that look like profiles and are not read, by another ending or in a folder of their own."""
    found = (file.relative_to(directory) for pattern in ("*", "*/*") for file in directory.glob(pattern))
    return tuple(
        sorted(
            str(file)
            for file in found
            if LOOKS_LIKE_PROFILE.search(file.name)
            and not any(part.startswith(("_", ".")) for part in file.parts)
            and (len(file.parts) > 1 or file.suffix != ".yaml")
        )
    )


def not_read_line(profiles: Mapping[str, Profile]) -> str:
    """What to say of the files that are not read; "" without any."""
    files = profiles.not_read if isinstance(profiles, Profiles) else ()
    if not files:
        return ""
    return f"not read: {', '.join(files)} (a profile is a file NAME.yaml in the profiles folder itself)"


def find_profile(profiles: Mapping[str, Profile], name: str) -> Profile:
    """The profile for `name`: a name, an alias, or an unambiguous beginning of either."""
    names = {profile.name: profile for profile in profiles.values()}
    names |= {alias: profile for profile in profiles.values() for alias in profile.aliases}
    if name in names:
        return names[name]
    candidates = sorted({p.name for known, p in names.items() if name and known.startswith(name)})
    if len(candidates) == 1:
        return profiles[candidates[0]]
    if candidates:
        raise UnknownProfile(
            f"`{name}` matches several profiles", hint=f"choose one of: {', '.join(candidates)}"
        )
    hints = [f"known profiles: {', '.join(sorted(profiles))}", not_read_line(profiles)]
    raise UnknownProfile(f"no profile named `{name}`", hint="\n".join(filter(None, hints)))


def _read(file: Path) -> YamlSource:
    try:
        return read_yaml(file)
    except OSError as error:
        raise ProfileError(f"cannot read {file}: {error.strerror}") from None


def _validated(source: YamlSource, defaults: YamlSource) -> tuple[Profile | None, list[Mistake]]:
    """The profile, or every mistake in its file and in the defaults."""
    if source.mistakes:
        return None, source.mistakes
    if "name" in source.data:
        return None, [mistake_at(source, ("name",), "is not a known key")]
    data = _merged(defaults.data, source.data) | {"name": source.file.stem}
    try:
        return Profile.model_validate(data), []
    except ValidationError as error:
        return None, mistakes_of(error, Profile, source, defaults)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` merged over `base`, section by section. A null in `over` unsets the key."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict) and key == "server":
            section = _merged(base[key], value)
            merged[key] = {name: given for name, given in section.items() if given is not None}
        else:
            merged[key] = value
    return merged


def _shared_names(profile: Profile, others: dict[str, Profile], source: YamlSource) -> list[Mistake]:
    taken = {name: other for other in others.values() for name in (other.name, *other.aliases)}
    own = [(("aliases", i), alias) for i, alias in enumerate(profile.aliases)]
    mistakes = []
    seen: set[str] = set()
    for path, name in [((), profile.name), *own]:
        if name == ACTIVE_ALIAS:
            problem = f"should not be `{ACTIVE_ALIAS}`, which means the active profile"
        elif name in taken:
            problem = f"`{name}` is already a name of profile `{taken[name].name}`"
        elif name in seen:
            problem = f"`{name}` is already a name of this profile"
        else:
            seen.add(name)
            continue
        mistakes.append(mistake_at(source, path, problem))
    return mistakes

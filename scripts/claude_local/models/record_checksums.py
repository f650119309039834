"""`invoke pull NAME --record`: checksums and sizes of pulled files, written into the profile."""

from __future__ import annotations

from claude_local.foundation.strict_yaml import KeyPath
from claude_local.machine.settings import Settings
from claude_local.models.pull import Pulled
from claude_local.profiles.edit import Values, add_values
from claude_local.profiles.model_source import HubFile
from claude_local.profiles.profile import Profile


def record(settings: Settings, profile: Profile, pulled: list[Pulled]) -> str:
    """Adds the missing values to the profile and returns the diff; "" if it has all of them."""
    sections: dict[KeyPath, Values] = {("model",): _values(settings, profile.model, pulled)}
    for name, part in (("mmproj", profile.model.mmproj), ("draft", profile.model.draft)):
        if part:
            sections["model", name] = _values(settings, part, pulled)
    return add_values(settings.profiles_dir / f"{profile.name}.yaml", sections)


def _values(settings: Settings, part: HubFile, pulled: list[Pulled]) -> Values:
    by_target = {file.target: file for file in pulled}
    files = [by_target[settings.models_dir / shard.file] for shard in part.shards()]
    more: Values = {"more_sha256": [file.sha256 for file in files[1:]]} if files[1:] else {}
    return {"sha256": files[0].sha256, **more, "size_bytes": sum(file.size_bytes for file in files)}

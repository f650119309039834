"""Checks that the files of a profile are what llama-server needs: a model, a projector, a draft model."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from claude_local.foundation.errors import BrokenModelFile, EngineUnavailable, NotAModel
from claude_local.foundation.gguf_header import read_header, read_model
from claude_local.foundation.gguf_purpose import PROJECTOR, check_model, check_purpose, purpose
from claude_local.machine import links
from claude_local.machine.settings import Settings
from claude_local.server.engines import registry

if TYPE_CHECKING:
    from claude_local.profiles.profile import Profile


def check_reachable(settings: Settings, profile: Profile) -> None:
    """Raises UserError if llama-server would run in a container that cannot see a file of the profile."""
    for part in profile.model.files:
        for shard in part.shards():
            check_file_reachable(settings, shard.file)


def check_file_reachable(settings: Settings, file: str) -> None:
    """The same for one file below the models folder."""
    if links.way_out(settings.models_dir, file) is None:
        return
    with contextlib.suppress(EngineUnavailable):
        if registry.choose(settings)[0].sees_all_files:
            return
    links.check_inside(settings.models_dir, file)


def check_headers(settings: Settings, profile: Profile, *, force: bool = False) -> None:
    """Raises NotAModel if a file is not what the profile uses it for; with `force` defects are left to llama-server.

    A damaged file passes: llama-server gives the reason.
    """
    try:
        _check_all(settings, profile, force)
    except BrokenModelFile:
        return


def _check_all(settings: Settings, profile: Profile, force: bool) -> None:
    model = settings.models_dir / profile.model.file
    check = check_purpose if force else check_model
    check(read_model(model), str(model))
    if profile.model.draft:
        draft = settings.models_dir / profile.model.draft.file
        check_purpose(read_model(draft), str(draft))
    if profile.model.mmproj:
        check_projector(settings.models_dir / profile.model.mmproj.file)


def check_projector(file: Path) -> None:
    """Raises NotAModel if the file is not a projector."""
    header = read_header(file)
    what = purpose(header)
    if what != PROJECTOR:
        raise NotAModel(
            f"{file} is {what or f'a model ({header.architecture})'}, not {PROJECTOR}",
            hint="name the projector of this model as `mmproj`, or leave `mmproj` out",
        )

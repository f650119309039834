"""What the session takes from the project: its settings as flags and presets, its plan, its reading of the cards.

The only importer of claude_local here. It needs psutil, pydantic, PyYAML and nvidia-ml-py; the models need gguf.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from claude_local.foundation.samples import GpuReading, GpuSample
from claude_local.machine.gpus import read_gpus
from claude_local.machine.settings import Settings, load_settings
from claude_local.models.fit import by_tool, plan
from claude_local.models.fit.verdicts import Device, Hardware
from claude_local.profiles.load import DEFAULTS_FILE, load_profiles
from claude_local.profiles.profile import Profile
from claude_local.server import flags
from claude_local.server.fit_target import DEDICATED_MARGIN_MIB

MIB = 2**20
__all__ = ["Device", "GpuReading", "Project", "cards", "fitted_options", "on_cards"]


def cards() -> GpuReading:
    """The cards as the project reads them from NVML."""
    return read_gpus()


class Project:
    """The project's own settings for models that lie in one folder."""

    def __init__(self, root: Path, work: Path, models: Path) -> None:
        self._models = models
        self._folder = work / "profiles"
        self._defaults = (root / "profiles" / DEFAULTS_FILE).read_text(encoding="utf-8")
        self._settings = _settings(root, work, models)

    def profile(self, model: str, **server: str | int) -> Profile:
        """The profile of a model as a person writes it: a file, a context, and what differs from the defaults."""
        folder = self._folder / "_".join([model, *map(str, server.values())])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DEFAULTS_FILE).write_text(self._defaults, encoding="utf-8")
        content = {"title": model, "description": model, "model": {"file": f"{model}.gguf"}, "server": server}
        (folder / f"{model}.yaml").write_text(json.dumps(content), encoding="utf-8")
        return load_profiles(folder)[model]

    def arguments(self, profile: Profile) -> list[str]:
        """The arguments of llama-server that the embedded engine would pass."""
        return flags.server_argv(profile, str(self._models))

    def presets(self, profiles: Sequence[Profile]) -> str:
        """The file of presets that the router reads."""
        lines = [line for profile in profiles for line in flags.preset_lines(profile)]
        return "\n".join(lines).replace(f"{flags.CONTAINER_MODELS_DIR}/", f"{self._models}/") + "\n"

    def plan(self, profile: Profile, hardware: Hardware | None = None) -> tuple[Device, ...]:
        """What each device would hold by `invoke plan`, from the model file alone."""
        return plan.verdict(self._settings, profile, hardware=hardware, quick=True).devices


def on_cards(free_mib: Sequence[int]) -> Hardware:
    """This machine with cards of which a model may take so much, as the plan counts: its margin comes on top."""
    gpus = tuple(
        GpuSample(index, memory_used_bytes=0, memory_total_bytes=(free + DEDICATED_MARGIN_MIB) * MIB)
        for index, free in enumerate(free_mib)
    )
    return dataclasses.replace(plan.hardware_now(), reading=GpuReading(gpus=gpus))


def fitted_options(line: str) -> Mapping[str, Any]:
    """The options in the line that llama-fit-params prints."""
    return by_tool.parse_fitted(line)


def _settings(root: Path, work: Path, models: Path) -> Settings:
    folders = {
        "HOME": str(work),
        "CLAUDE_LOCAL_MODELS_DIR": str(models),
        "CLAUDE_LOCAL_STATE_DIR": str(work / "state"),
        "CLAUDE_LOCAL_ENGINE": "embedded",
    }
    return load_settings(folders, root, user_id=os.getuid(), group_id=os.getgid())

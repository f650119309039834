"""Checks before each start whether the memory is sufficient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_local.machine.settings import Settings
from claude_local.models.fit import plan

if TYPE_CHECKING:
    from claude_local.profiles.profile import Profile
    from claude_local.server.engines.engine import Engine


def check_memory(settings: Settings, profile: Profile, engine: Engine, *, is_running: bool) -> None:
    """Raises UserError if the model does not fit by `plan.verdict`. The only such check before a start.

    The model that is loaded now does not count: it will be unloaded first.
    """
    hardware = plan.hardware_now()
    # Without cards, the model file is as exact as llama-fit-params, and faster.
    quick = is_running or not hardware.cards or engine.plans_from_file
    plan.check(plan.verdict(settings, profile, hardware=hardware, quick=quick, is_loaded=is_running))

"""Whether the memory is enough, asked once before each start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_local.machine.settings import Settings
from claude_local.models.fit import plan

if TYPE_CHECKING:
    from claude_local.profiles.profile import Profile
    from claude_local.server.engines.engine import Engine


def check_memory(settings: Settings, profile: Profile, engine: Engine, *, is_running: bool) -> None:
    """Raises UserError if the model does not fit by `plan.verdict`. The one place that asks before a start.

    What a running engine has loaded now will have left by then, so it does not count.
    """
    hardware = plan.hardware_now()
    # Without cards the model file tells as much as llama-fit-params does, and at once.
    quick = is_running or not hardware.cards or engine.plans_from_file
    plan.check(plan.verdict(settings, profile, hardware=hardware, quick=quick, is_loaded=is_running))

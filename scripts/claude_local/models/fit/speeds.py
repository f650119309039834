"""The measured speed of each profile on this machine: `speeds.json` in the state folder."""

from __future__ import annotations

import json

from claude_local.foundation.snapshot import Snapshot
from claude_local.machine.files import PRIVATE_FILE, write_atomic
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import SPEEDS


def load(settings: Settings) -> dict[str, float]:
    """Generated tokens per second by profile; empty before the first measurement."""
    try:
        found = json.loads(SPEEDS.below(settings.state_dir).read_text())
        return {str(name): float(speed) for name, speed in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def record(settings: Settings, now: Snapshot) -> None:
    """Stores the speed of the serving profile, if it has generated anything."""
    if now.profile and now.generation_tokens_per_second and settings.state_dir.is_dir():
        speeds = {**load(settings), now.profile: round(now.generation_tokens_per_second, 1)}
        text = json.dumps(speeds, indent=2, sort_keys=True) + "\n"
        write_atomic(SPEEDS.below(settings.state_dir), text.encode(), mode=PRIVATE_FILE)

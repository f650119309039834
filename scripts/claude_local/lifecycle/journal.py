"""The journal on disk: the wanted state and the current attempt. Written atomically; invalid files are ignored."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from claude_local.foundation.errors import StateNotWritten, UserError
from claude_local.lifecycle.transaction import Journal
from claude_local.machine.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import JOURNAL

SIZE_LIMIT_BYTES = 64_000

_journals = TypeAdapter(Journal)


def read(settings: Settings) -> Journal:
    """The last journal written; an empty one if the file is missing or invalid.

    Only the profile to restart and the last switch are lost then: the engine knows what is running.
    """
    try:
        with (JOURNAL.below(settings.state_dir)).open("rb") as file:
            return _journals.validate_json(file.read(SIZE_LIMIT_BYTES), strict=False)
    except (OSError, ValidationError, ValueError):
        return Journal()


def served_last(settings: Settings) -> str:
    """The profile that is running, else the last one that was. Raises UserError if no profile ran yet."""
    record = read(settings)
    last = record.last
    served = record.serving or (
        last and (last.to_profile if last.outcome == "switched" else last.from_profile)
    )
    if not served:
        raise UserError("no model has run yet: which one should start?", hint='name one: {"model": "demo"}')
    return served


def write(settings: Settings, journal: Journal) -> None:
    """Replaces the journal. Raises StateNotWritten if it cannot be written."""
    content: dict[str, Any] = dataclasses.asdict(journal)
    try:
        private_directory(settings.state_dir)
        write_atomic(JOURNAL.below(settings.state_dir), json.dumps(content).encode(), mode=PRIVATE_FILE)
    except OSError as error:
        raise StateNotWritten(
            f"the journal in {settings.state_dir} cannot be written: {error.strerror}",
            hint="free some disk space, or correct the permissions of that folder",
        ) from None

"""What runs llama-server: `docker`, `embedded` or `external`, behind one interface.

An engine only starts things and tells what is true; waiting, locking and going back to the old model
are the business of `lifecycle`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from claude_local.foundation.snapshot import Snapshot
from claude_local.profiles.profile import Profile


class Engine(Protocol):
    """One way to run llama-server. Every method may raise EngineFailed or EngineUnavailable."""

    name: str

    def describe(self) -> str:
        """One line for people: what this engine is, here."""

    def check(self, profile: Profile) -> None:
        """Raises EngineUnavailable, UserError or EngineFailed if `profile` cannot be started."""

    def is_running(self) -> bool:
        """Whether anything of this engine runs, with or without a model."""

    def is_busy(self) -> bool:
        """Whether the model in memory answers somebody, or does not say. Takes no longer than it must."""

    def release(self) -> None:
        """Takes the model out of memory, whatever it does. Does nothing if none is there."""

    def activate(self, profile: Profile) -> None:
        """Makes `profile` the active one, and starts llama-server where none runs; returns while the model loads."""

    def stop(self) -> None:
        """Stops everything that `activate` started. Does nothing if nothing runs."""

    def settle(self) -> None:
        """Returns when nothing is under way any more that a killed command of ours had begun."""

    def pulse(self) -> Snapshot:
        """What can be seen without asking the model: its state, which one it is, why it failed."""

    def snapshot(self) -> Snapshot:
        """All that is true now: the pulse, and what the model tells of itself. Never loads a model."""

    def log_lines(self, *, tail: int, follow: bool) -> Iterator[str]:
        """The last lines of the server's log and, with `follow`, what comes after them."""

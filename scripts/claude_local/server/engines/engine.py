"""The interface of an engine: what runs llama-server.

An engine starts things and says what is true. Waiting, locking and going back to the old model are the
business of `lifecycle`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from claude_local.foundation.errors import EngineUnavailable
from claude_local.foundation.snapshot import Snapshot
from claude_local.profiles.profile import Profile


class Engine(Protocol):
    """One way to run llama-server. Every method may raise EngineFailed or EngineUnavailable."""

    name: str
    is_ours: bool
    """Whether models are started and stopped here; False for a server that we only look at."""
    plans_from_file: bool
    """Whether a plan reads the model file, as there is no llama-fit-params to ask."""

    def describe(self) -> str:
        """One line for people: what this engine is, here."""

    def why_unavailable(self) -> EngineUnavailable | None:
        """Why it cannot be used on this machine, and what helps; None if it can."""

    def why_silent(self) -> str | None:
        """Why nothing can be seen of it or started now, though it is in use; None if all is well. Quick."""

    def check(self, profile: Profile) -> None:
        """Raises EngineUnavailable, UserError or EngineFailed if `profile` cannot be started."""

    def is_running(self) -> bool:
        """Whether anything of this engine runs, with or without a model."""

    def is_busy(self) -> bool:
        """Whether the model in memory is answering, or does not say. Takes no longer than it must."""

    def release(self) -> None:
        """Takes the model out of memory, whatever it does. Does nothing if there is no model."""

    def activate(self, profile: Profile) -> None:
        """Makes `profile` the active one, and starts llama-server if it does not run; returns while it loads."""

    def stop(self) -> None:
        """Stops everything that `activate` started. Does nothing if nothing runs."""

    def settle(self) -> None:
        """Returns when nothing is under way any more that a killed command of ours had begun."""

    def pulse(self) -> Snapshot:
        """What can be seen without asking the model: its state, which one it is, why it failed."""

    def snapshot(self) -> Snapshot:
        """The pulse, and what the model says of itself. Never loads a model."""

    def log_lines(self, *, tail: int, follow: bool) -> Iterator[str]:
        """The last lines of the server's log and, with `follow`, what comes after them."""

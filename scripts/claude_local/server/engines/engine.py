"""The interface of an engine: what runs llama-server.

An engine starts processes and reports their state. `lifecycle` does the waiting, the locking and the way
back to the old model.
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
    """Whether models are started and stopped here; False for a server that is only observed."""
    plans_from_file: bool
    """Whether a plan reads the model file, because the engine has no llama-fit-params."""
    sees_all_files: bool
    """Whether llama-server sees this machine's files; False if it has only the models folder."""

    def describe(self) -> str:
        """One line for people: this engine on this machine."""

    def why_unavailable(self) -> EngineUnavailable | None:
        """Why it cannot be used on this machine, with the next step; None if it can."""

    def why_silent(self) -> str | None:
        """Why an engine in use cannot be observed or started now; None if it can. Quick."""

    def check(self, profile: Profile) -> None:
        """Raises EngineUnavailable, UserError or EngineFailed if `profile` cannot be started."""

    def is_running(self) -> bool:
        """Whether anything of this engine runs, with or without a model."""

    def is_busy(self) -> bool:
        """Whether the model in memory is answering a request, or gives no answer in time."""

    def release(self) -> None:
        """Unloads the model, even if it is busy. Does nothing if no model is loaded."""

    def activate(self, profile: Profile) -> None:
        """Makes `profile` the active one, starting llama-server if necessary; returns while the model loads."""

    def stop(self) -> None:
        """Stops everything that `activate` started. Does nothing if nothing is running."""

    def settle(self) -> None:
        """Waits until nothing is left running of a killed command."""

    def pulse(self) -> Snapshot:
        """The state without asking the model: state, profile, reason of a failure."""

    def snapshot(self) -> Snapshot:
        """The pulse, and the facts that the model reports. Never loads a model."""

    def log_lines(self, *, tail: int, follow: bool) -> Iterator[str]:
        """The last lines of the server's log and, with `follow`, the new ones."""

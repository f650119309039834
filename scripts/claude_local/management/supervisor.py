"""Combines the watcher, the teller and the keeper of the engine."""

from __future__ import annotations

from claude_local.machine.settings import Settings
from claude_local.management.events import Subscriber
from claude_local.management.keeper import Keeper
from claude_local.management.operations import Operations
from claude_local.management.teller import Teller
from claude_local.management.watcher import Watcher


class Supervisor:
    """Runs the three until it is stopped."""

    def __init__(self, settings: Settings, operations: Operations) -> None:
        self.teller = Teller()
        self.keeper = Keeper(settings, operations)
        self.watcher = Watcher(settings, self.teller, self.keeper)

    def start(self) -> None:
        self.watcher.start()

    def stop(self) -> None:
        self.teller.events.close()
        self.watcher.stop()

    def listen(self) -> Subscriber | None:
        """A new listener of events; None if there are too many."""
        subscriber = self.teller.listen(self.watcher.status())
        self.watcher.wake()
        return subscriber

"""Combines the watcher, the publisher and the automation of the engine."""

from __future__ import annotations

from claude_local.machine.settings import Settings
from claude_local.management.automation import Automation
from claude_local.management.events import Subscriber
from claude_local.management.operations import Operations
from claude_local.management.publisher import Publisher
from claude_local.management.watcher import Watcher


class Supervisor:
    """Runs the three until it is stopped."""

    def __init__(self, settings: Settings, operations: Operations) -> None:
        self.publisher = Publisher()
        self.automation = Automation(settings, operations)
        self.watcher = Watcher(settings, self.publisher, self.automation)

    def start(self) -> None:
        self.watcher.start()

    def stop(self) -> None:
        self.publisher.events.close()
        self.watcher.stop()

    def listen(self) -> Subscriber | None:
        """A new listener of events; None if there are too many."""
        subscriber = self.publisher.listen(self.watcher.status())
        self.watcher.wake()
        return subscriber

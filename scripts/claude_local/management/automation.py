"""The automatic actions: restarts after a crash, and `local-llama` follows the model in use."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable

from claude_local.foundation.errors import ProfileError
from claude_local.foundation.snapshot import Snapshot
from claude_local.lifecycle import journal, up_down
from claude_local.machine.settings import Settings
from claude_local.management.automation_limits import FollowDelay, RestartLimit
from claude_local.management.operations import Job, Operations
from claude_local.management.thread_errors import cause_of


class Automation:
    """Acts on each snapshot, one job at a time."""

    def __init__(
        self, settings: Settings, operations: Operations, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self.operations = operations
        self.restarts = 0
        """Since this process started."""
        self._clock = clock
        self._limit = RestartLimit()
        self._delay = FollowDelay()
        self._job: Job | None = None

    def act(self, now: Snapshot) -> None:
        """Starts the necessary job, unless one is running."""
        if now.work or (self._job and self._job.thread.is_alive()):
            return
        if now.state == "failed" and self._may_restart():
            self.restarts += 1
            self._job = self.operations.restart()
        elif self._is_to_follow(now) and now.loaded_profile:
            self._job = self.operations.follow(now.loaded_profile)

    def explained(self, now: Snapshot) -> Snapshot:
        """The snapshot; a failure without a reason gets the reason why the restart failed."""
        job = self._job
        if now.state != "failed" or now.reason or job is None or job.thread.is_alive() or not job.error:
            return now
        return dataclasses.replace(now, reason=cause_of(job.error))

    def has_moved(self, now: Snapshot) -> bool:
        """Whether the profile in memory is not the one that `local-llama` means."""
        if now.state != "unloaded":
            return False
        with contextlib.suppress(ProfileError):  # a switch will report it; the running model is unaffected
            return now.loaded_profile in self.operations.profiles()
        return False

    def _may_restart(self) -> bool:
        record = journal.read(self.settings)
        if record.attempt or not record.serving or not up_down.can_restart(self.settings):
            return False
        return self._limit.allows(self._clock())

    def _is_to_follow(self, now: Snapshot) -> bool:
        """Whether the model that was loaded by its own name has been idle long enough.

        Once `local-llama` means this model, requests to it, such as a subagent's, no longer swap models.
        """
        return self._delay.is_over(self._clock(), is_true=self.has_moved(now) and now.is_idle)

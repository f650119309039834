"""The operations of the management API: start, stop and switch, one at a time."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from claude_local.build import build_folder
from claude_local.foundation.errors import UserError
from claude_local.lifecycle import up_down
from claude_local.lifecycle.request import Observer, Request
from claude_local.lifecycle.time_limits import FOLLOW_LIMIT_SECONDS
from claude_local.machine.settings import Settings
from claude_local.profiles.load import DEFAULTS_FILE, load_profiles, not_read, profile_files
from claude_local.profiles.profile import Profile
from claude_local.server.engines import registry


class Job:
    """An operation in its own thread. A request may wait for it or not."""

    def __init__(self, call: Callable[[Job], None], purpose: str) -> None:
        self.has_begun = False
        """Whether the checks are over and changes have begun."""
        self.error: BaseException | None = None
        self._call = call
        self._progress = threading.Event()
        self.thread = threading.Thread(target=self._run, name=purpose, daemon=True)

    @property
    def observer(self) -> Observer:
        return Observer(on_begin=self.begin)

    def begin(self) -> None:
        """Marks the first change; a request that does not wait for the end is answered now."""
        self.has_begun = True
        self._progress.set()

    def wait(self, *, until_done: bool) -> bool:
        """Whether it is done. Raises the job's own error. Waits at least until changes begin."""
        self._progress.wait()
        if until_done or not self.has_begun:
            self.thread.join()
        if self.thread.is_alive():
            return False
        if self.error:
            raise self.error
        return True

    def _run(self) -> None:
        try:
            self._call(self)
        except BaseException as error:  # raised again in the thread that waits
            self.error = error
            if not isinstance(error, UserError):  # a bug: perhaps no request waits for it
                traceback.print_exception(error)
        finally:
            self._progress.set()


class Operations:
    """Runs jobs. The lock of the state folder admits one at a time, from the API, the CLI or the dashboard."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._profiles: tuple[Any, Mapping[str, Profile]] | None = None
        self._jobs: set[Job] = set()

    def profiles(self) -> Mapping[str, Profile]:
        """All profiles; read again when a file changed. Raises ProfileError."""
        folder = self.settings.profiles_dir
        files = (folder / DEFAULTS_FILE, *profile_files(folder))
        mark = ([(file, _version(file)) for file in files], not_read(folder))
        if self._profiles is None or self._profiles[0] != mark:
            self._profiles = (mark, load_profiles(folder))
        return self._profiles[1]

    def switch(self, request: Request) -> Job:
        """Makes a profile the active one of the running engine."""

        def call(job: Job) -> None:
            self._render(request.profiles)
            up_down.switch(self.settings, request, job.observer)

        return self._start(call, f"switch {request.profile.name}")

    def follow(self, loaded: str) -> Job:
        """Moves `local-llama` to a profile that was loaded by its own name."""

        def call(job: Job) -> None:
            profiles = self._rendered_profiles()
            request = Request(profiles[loaded], profiles, idle_limit_seconds=FOLLOW_LIMIT_SECONDS)
            up_down.follow(self.settings, request, job.observer)

        return self._start(call, f"follow {loaded}")

    def start(self, request: Request) -> Job:
        """Starts a profile with the engine of this machine."""

        def call(job: Job) -> None:
            engine, _ = registry.choose(self.settings)
            self._render(request.profiles)
            up_down.up(self.settings, engine, request, job.observer)

        return self._start(call, f"start {request.profile.name}")

    def stop(self) -> list[str]:
        """Stops all engines and returns the names of those that were running."""
        return up_down.down(self.settings)

    def restart(self) -> Job:
        """Restarts the profile that should run but died."""
        return self._start(lambda _: up_down.restart(self.settings, self._rendered_profiles()), "restart")

    def recover(self) -> Job:
        """Finishes or undoes the attempt of a killed process."""

        def call(_: Job) -> None:
            up_down.recover(self.settings, self._rendered_profiles())

        return self._start(call, "recover")

    def wait_for_jobs(self, timeout_seconds: float) -> None:
        """Waits a limited time for running jobs; the journal records those that do not end."""
        for job in list(self._jobs):
            job.thread.join(timeout_seconds)

    def _rendered_profiles(self) -> Mapping[str, Profile]:
        profiles = self.profiles()
        self._render(profiles)
        return profiles

    def _render(self, profiles: Mapping[str, Profile]) -> None:
        build_folder.refresh(build_folder.last_settings(self.settings), profiles)

    def _start(self, call: Callable[[Job], None], purpose: str) -> Job:
        job = Job(call, purpose)
        self._jobs = {known for known in self._jobs if known.thread.is_alive()} | {job}
        job.thread.start()
        return job


def _version(file: Path) -> tuple[int, int] | None:
    """A value that changes with the file; None for a missing file, such as the target of a broken link."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size

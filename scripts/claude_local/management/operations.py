"""What the management API can do: start, stop and switch, one at a time, while others only look."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from claude_local.build import build_folder
from claude_local.foundation.errors import UserError
from claude_local.lifecycle import journal, up_down
from claude_local.lifecycle.steps import Request
from claude_local.machine.settings import Settings
from claude_local.profiles.load import DEFAULTS_FILE, find_profile, load_profiles, profile_files
from claude_local.profiles.profile import Profile


class Job:
    """Something that goes on in a thread of its own, whether or not somebody waits for it."""

    def __init__(self, call: Callable[[Job], None], purpose: str) -> None:
        self.has_begun = False
        """Whether anything is changed, rather than only checked."""
        self.error: BaseException | None = None
        self._call = call
        self._progress = threading.Event()
        self.thread = threading.Thread(target=self._run, name=purpose, daemon=True)

    def begin(self) -> None:
        """From now on something is changed; who does not want to wait gets an answer."""
        self.has_begun = True
        self._progress.set()

    def wait(self, *, until_done: bool) -> bool:
        """Whether it is done. Raises what it raised. Waits for its beginning at least."""
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
            if not isinstance(error, UserError):  # a bug: perhaps nobody waits
                traceback.print_exception(error)
        finally:
            self._progress.set()


class Operations:
    """Runs jobs. The lock of the state folder lets one through, whoever asks: API, CLI or dashboard."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._profiles: tuple[Any, Mapping[str, Profile]] | None = None
        self._jobs: set[Job] = set()

    def profiles(self) -> Mapping[str, Profile]:
        """All profiles; read again when a file changed. Raises ProfileError."""
        folder = self.settings.profiles_dir
        mark = [(file, _version(file)) for file in (folder / DEFAULTS_FILE, *profile_files(folder))]
        if self._profiles is None or self._profiles[0] != mark:
            self._profiles = (mark, load_profiles(folder))
        return self._profiles[1]

    def switch(self, model: str, *, cut_replies: bool, idle_limit_seconds: float, force: bool = False) -> Job:
        profile = find_profile(self.profiles(), model)

        def call(job: Job) -> None:
            request = Request(
                profile,
                self._rendered_profiles(),
                on_begin=job.begin,
                cut_replies=cut_replies,
                idle_limit_seconds=idle_limit_seconds,
                force=force,
            )
            up_down.switch(self.settings, request)

        return self._start(call, f"switch {profile.name}")

    def follow(self, loaded: str) -> Job:
        """Gives `local-llama` to a profile that somebody loaded by its own name."""

        def call(job: Job) -> None:
            profiles = self._rendered_profiles()
            request = Request(profiles[loaded], profiles, on_begin=job.begin, idle_limit_seconds=0.1)
            up_down.follow(self.settings, request)

        return self._start(call, f"follow {loaded}")

    def start(self, model: str | None, *, force: bool = False) -> Job:
        """Starts a profile; without a name the one that served last."""
        name = model or _served_last(self.settings)
        profile = find_profile(self.profiles(), name)

        def call(job: Job) -> None:
            engine, _ = up_down.choose_engine(self.settings)
            request = Request(profile, self._rendered_profiles(), on_begin=job.begin, force=force)
            up_down.up(self.settings, engine, request)

        return self._start(call, f"start {name}")

    def stop(self) -> list[str]:
        """The names of the engines that were stopped."""
        return up_down.down(self.settings)

    def restart(self) -> Job:
        """Starts again what died."""
        return self._start(lambda _: up_down.restart(self.settings, self._rendered_profiles()), "restart")

    def recover(self) -> Job:
        """Finishes or undoes what a killed process left behind."""

        def call(_: Job) -> None:
            up_down.recover(self.settings, self._rendered_profiles())

        return self._start(call, "recover")

    def wait_for_jobs(self, timeout_seconds: float) -> None:
        """Gives jobs that go on some time to end; the journal knows of those that do not."""
        for job in list(self._jobs):
            job.thread.join(timeout_seconds)

    def _rendered_profiles(self) -> Mapping[str, Profile]:
        profiles = self.profiles()
        build_folder.refresh(build_folder.last_settings(self.settings), profiles)
        return profiles

    def _start(self, call: Callable[[Job], None], purpose: str) -> Job:
        job = Job(call, purpose)
        self._jobs = {known for known in self._jobs if known.thread.is_alive()} | {job}
        job.thread.start()
        return job


def _version(file: Path) -> tuple[int, int] | None:
    """What changes with the file; None for one that is not there, such as what a link once led to."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _served_last(settings: Settings) -> str:
    record = journal.read(settings)
    last = record.last
    served = record.serving or (
        last and (last.to_profile if last.outcome == "switched" else last.from_profile)
    )
    if not served:
        raise UserError("which model? none has served yet", hint='name one: {"model": "demo"}')
    return served

"""The steps of a switch on the machine. `transaction` decides which step comes next."""

from __future__ import annotations

import time
from collections.abc import Mapping

from claude_local.foundation.errors import EngineFailed, NotIdle, StateNotWritten, UserError
from claude_local.foundation.snapshot import Snapshot
from claude_local.lifecycle import journal, preflight
from claude_local.lifecycle.request import UNWATCHED, Observer, Progress, Request, no_progress
from claude_local.lifecycle.time_limits import (
    FIRST_POLL_SECONDS,
    POLL_SECONDS,
    SILENCE_LIMIT_SECONDS,
    UNLOADED_LIMIT_SECONDS,
)
from claude_local.lifecycle.transaction import Journal
from claude_local.machine import ports, state
from claude_local.machine.settings import Settings
from claude_local.models import file_check
from claude_local.profiles.profile import Profile
from claude_local.server import chat_templates, probe
from claude_local.server.engines.engine import Engine
from claude_local.server.llama_http import own_server

LOG_LINES = 8
READ_LOG = "read the log: invoke logs; or choose another model: invoke profiles"


class RecoverySteps:
    """The steps that finish or undo an attempt: the implementation of `transaction.RecoveryEffects`."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        profiles: Mapping[str, Profile],
        observer: Observer = UNWATCHED,
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.profiles = profiles
        self.observer = observer

    def now(self) -> float:
        return time.time()

    def start(self, profile: str) -> None:
        self.engine.activate(self._profile(profile))

    def verify(self, profile: str) -> None:
        wanted = self._profile(profile)
        now = _wait_until_ready(self.engine, wanted, self.observer.progress)
        _check_identity(now, wanted)
        probe.check_locked(self.settings.base_url)
        probe.check_answers(own_server(self.settings), profile)

    def stop_all(self) -> None:
        self.engine.stop()

    def write(self, record: Journal) -> None:
        journal.write(self.settings, record)
        self.observer.on_begin()

    def _profile(self, name: str) -> Profile:
        if name not in self.profiles:
            raise UserError(f"profile `{name}` does not exist any more", hint="see: invoke profiles")
        return self.profiles[name]


class Steps(RecoverySteps):
    """The steps of a switch: the implementation of `transaction.Effects`."""

    def __init__(
        self, settings: Settings, engine: Engine, request: Request, observer: Observer = UNWATCHED
    ) -> None:
        super().__init__(settings, engine, request.profiles, observer)
        self.request = request

    def check(self, profile: str) -> None:
        wanted = self._profile(profile)
        is_running = self.engine.is_running()
        self.engine.check(wanted)
        file_check.check_model_file(self.settings, wanted)
        if not self.request.force:
            preflight.check_memory(self.settings, wanted, self.engine, is_running=is_running)
        try:
            state.prepare(self.settings)
            chat_templates.prepare(self.settings, wanted)
        except OSError as error:
            raise StateNotWritten(
                f"{self.settings.state_dir} cannot be written: {error.strerror}",
                hint="free some disk space, or correct the permissions of that folder",
            ) from None
        if not is_running:
            ports.check_port(self.settings.llama_port)

    def is_busy(self) -> bool:
        return not self.request.cut_replies and self.engine.is_busy()

    def wait_until_idle(self, since: float) -> None:
        while self.is_busy():
            now = self.engine.pulse()
            if now.loaded_profile and self.now() - since > self.request.idle_limit_seconds:
                again = f"invoke switch {self.request.profile.name} --now"
                raise NotIdle(
                    f"`{now.loaded_profile}` is still answering after {self.request.idle_limit_seconds:g} s",
                    hint=f'try again later, or cut the reply off: {again} (API: `"when": "now"`)',
                )
            self.observer.progress(now, "waiting until the running reply is complete")
            time.sleep(POLL_SECONDS)

    def stop_old(self) -> None:
        self.engine.release()


def _check_identity(now: Snapshot, profile: Profile) -> None:
    """Raises EngineFailed if the model in memory is not the profile's."""
    expected = (profile.name, profile.model.file.rsplit("/", 1)[-1])
    if (now.loaded_profile, now.model_file) != expected:
        raise EngineFailed(
            f"llama-server has loaded `{now.model_file}` instead of `{expected[1]}`",
            hint="another program may be loading models on this server: end it and try again",
        )


def _wait_until_ready(engine: Engine, profile: Profile, progress: Progress) -> Snapshot:
    """Waits until the profile is loaded. Raises EngineFailed if loading fails."""
    began_at = last_sign_of_life = time.monotonic()
    shown_at = began_at - POLL_SECONDS
    while True:
        now = engine.pulse()
        if now.state == "ready" and now.profile == profile.name:
            return now
        if now.state in ("failed", "stopped"):
            raise _failure(engine, profile, now.reason or "the engine ended without a reason")
        silence = time.monotonic() - last_sign_of_life
        if now.state == "loading":
            last_sign_of_life = time.monotonic()
        elif now.state == "unloaded" and silence > UNLOADED_LIMIT_SECONDS:
            raise _failure(engine, profile, _why_unloaded(now), hint=_after_unloading(now))
        elif silence > SILENCE_LIMIT_SECONDS:
            raise _failure(engine, profile, f"the engine has been `{now.state}` for {silence:.0f} s")
        if progress is not no_progress and time.monotonic() - shown_at >= POLL_SECONDS:
            shown_at = time.monotonic()
            progress(now, next(iter(engine.log_lines(tail=1, follow=False)), ""))
        # Small models load immediately, large ones take minutes: poll in proportion to the time so far.
        time.sleep(min(POLL_SECONDS, max(FIRST_POLL_SECONDS, (time.monotonic() - began_at) / 200)))


def _why_unloaded(now: Snapshot) -> str:
    if now.loaded_profile:
        return f"a client requested `{now.loaded_profile}` by name, and llama-server loaded that instead"
    return "llama-server unloaded it without giving a reason"


def _after_unloading(now: Snapshot) -> str:
    if now.loaded_profile:
        return f"another session or program is using `{now.loaded_profile}`: end it, then try again"
    return READ_LOG


def _failure(engine: Engine, profile: Profile, reason: str, hint: str = READ_LOG) -> EngineFailed:
    if reason.startswith("out of memory"):
        hint = f"lower ctx_size in profiles/{profile.name}.yaml, or choose a smaller model: invoke profiles"
    return EngineFailed(
        f"`{profile.name}` did not load: {reason}",
        details="\n".join(engine.log_lines(tail=LOG_LINES, follow=False)),
        hint=hint,
    )

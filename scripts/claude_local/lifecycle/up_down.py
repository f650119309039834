"""Start, stop and switch with any engine: checks first, one at a time, back to the old model on failure."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from claude_local.foundation.errors import UserError
from claude_local.foundation.snapshot import STOPPED, Snapshot
from claude_local.lifecycle import journal, lock, status, transaction
from claude_local.lifecycle.request import UNWATCHED, Observer, Request
from claude_local.lifecycle.steps import RecoverySteps, Steps
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import Profile
from claude_local.server.engines import registry
from claude_local.server.engines.engine import Engine


def up(settings: Settings, engine: Engine, request: Request, observer: Observer = UNWATCHED) -> None:
    """Starts a profile, or switches to it if an engine is running; returns when it answers.

    After a failure or Ctrl-C, nothing is left running that was not running before.
    """
    with lock.hold(settings, f"up {request.profile.name}", waiting=_showing(settings, observer)):
        if not engine.is_ours:
            engine.check(request.profile)
            return
        _recover(settings, request.profiles, observer)
        current = registry.running(settings)
        if current and current.name != engine.name:
            raise UserError(
                f"a model is already running with the engine `{current.name}`, and `{engine.name}` was chosen",
                hint="stop that model first: invoke down",
            )
        if current and current.snapshot().state == "failed":
            current.stop()  # the remains of an engine that died
        _switch(settings, engine, request, observer)


def switch(settings: Settings, request: Request, observer: Observer = UNWATCHED) -> None:
    """Makes a profile the active one of the running engine; starts the old one again on failure."""
    with lock.hold(settings, f"switch {request.profile.name}", waiting=_showing(settings, observer)):
        _switch_running(settings, request, observer)


def follow(settings: Settings, request: Request, observer: Observer = UNWATCHED) -> None:
    """Makes a profile active that a client has loaded by its own name."""
    with lock.hold(settings, f"make {request.profile.name} active", automatic=True):
        _switch_running(settings, request, observer)


def restart(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """Restarts the profile that should run but died. Raises UserError if it cannot, or nothing died."""
    wanted = journal.read(settings).serving or ""
    with lock.hold(settings, f"restart {wanted}", automatic=True):
        engine = registry.named(settings, journal.read(settings).engine)
        if wanted not in profiles or engine is None or engine.snapshot().state != "failed":
            raise UserError("there is nothing to restart", hint="see: invoke status")
        steps = RecoverySteps(settings, engine, profiles)
        steps.start(wanted)
        steps.verify(wanted)


def can_restart(settings: Settings) -> bool:
    """Whether a restart can work: a container needs Docker Engine first."""
    engine = registry.named(settings, journal.read(settings).engine)
    return engine is None or engine.why_silent() is None


def recover(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """Finishes or undoes the attempt of a killed process. Raises UserError if neither works."""
    attempt = journal.read(settings).attempt
    if attempt and profiles:
        with lock.hold(settings, f"finish the switch to {attempt.new}", automatic=True):
            _finish(settings, profiles, UNWATCHED)


def down(settings: Settings, waiting: lock.Waiting = lambda _: None) -> list[str]:
    """Stops every running engine of ours and returns their names."""
    with lock.hold(settings, "down", waiting=waiting):
        before = journal.read(settings)
        if before.attempt and (interrupted := registry.named(settings, before.engine)):
            interrupted.settle()
        stopped = [engine for engine in registry.ours(settings) if engine.snapshot() != STOPPED]
        for engine in stopped:
            engine.stop()
        if before != before.stopped():
            journal.write(settings, before.stopped())
        return [engine.name for engine in stopped]


def _showing(settings: Settings, observer: Observer) -> lock.Waiting:
    def waiting(held: lock.Holder) -> None:
        observer.progress(status.pulse(settings), f"waiting for an automatic step to end: {held.purpose}")

    return waiting


def _switch_running(settings: Settings, request: Request, observer: Observer) -> None:
    _recover(settings, request.profiles, observer)
    engine = registry.running(settings)
    if engine is None:
        raise UserError("no engine is running", hint=f"start one: invoke up --model {request.profile.name}")
    _switch(settings, engine, request, observer)


def _recover(settings: Settings, profiles: Mapping[str, Profile], observer: Observer) -> None:
    """Recovery before a new command: a failure is recorded and does not block the command."""
    if journal.read(settings).attempt:
        with contextlib.suppress(UserError):
            _finish(settings, profiles, observer)


def _finish(settings: Settings, profiles: Mapping[str, Profile], observer: Observer) -> None:
    record = journal.read(settings)
    engine = registry.named(settings, record.engine)
    if engine:
        engine.settle()
        steps = RecoverySteps(settings, engine, profiles, observer)
        transaction.recover(steps, record, engine.snapshot())


def _switch(settings: Settings, engine: Engine, request: Request, observer: Observer) -> None:
    before, name = engine.pulse(), request.profile.name
    if before.state == "ready" and (before.profile, before.loaded_profile) == (name, name):
        return
    if not engine.is_ours:
        engine.activate(request.profile)  # raises UserError with the reason
    steps = Steps(settings, engine, request, observer)
    old = _to_bring_back(before, name, request.profiles)
    transaction.run(steps, journal.read(settings), engine=engine.name, old=old, new=name)


def _to_bring_back(before: Snapshot, new: str, profiles: Mapping[str, Profile]) -> str | None:
    """The running profile: the one in memory, else the one that `local-llama` means."""
    if before.state not in ("ready", "unloaded", "loading"):
        return None
    candidates = (before.loaded_profile, before.profile)
    return next((name for name in candidates if name in profiles and name != new), None)

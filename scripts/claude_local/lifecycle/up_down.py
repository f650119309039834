"""Starting, stopping and switching, whatever the engine: checks first, one at a time, and back on failure."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping

from claude_local.foundation.errors import UserError
from claude_local.foundation.snapshot import STOPPED, Snapshot, Work
from claude_local.lifecycle import journal, lock, transaction
from claude_local.lifecycle.steps import Progress, Request, Steps
from claude_local.machine import state
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import Profile
from claude_local.server import probe
from claude_local.server.engines import Engine, docker_client
from claude_local.server.engines.docker import DockerEngine
from claude_local.server.engines.embedded import EmbeddedEngine
from claude_local.server.engines.external import ExternalEngine
from claude_local.server.llama_http import LlamaHttp

__all__ = ["Progress", "Request"]


def choose_engine(settings: Settings) -> tuple[Engine, str]:
    """The engine to start with, and why it is this one.

    Raises EngineUnavailable if Docker was asked for by name and cannot be used.
    """
    if settings.is_external:
        return ExternalEngine(settings), "CLAUDE_LOCAL_EXTERNAL_URL is set"
    if settings.engine == "embedded":
        return EmbeddedEngine(settings), "chosen"
    problem = docker_client.why_unavailable()
    if problem is None:
        return DockerEngine(settings), "chosen" if settings.engine == "docker" else "Docker answers"
    if settings.engine == "docker":
        raise problem
    return EmbeddedEngine(settings), problem.message


def running_engine(settings: Settings) -> Engine | None:
    """The engine that runs now, whichever it is."""
    if settings.is_external:
        return ExternalEngine(settings)
    engines: list[Engine] = [EmbeddedEngine(settings), DockerEngine(settings)]
    return next((engine for engine in engines if engine.is_running()), None)


def up(settings: Settings, engine: Engine, request: Request) -> None:
    """Starts a profile, or switches to it where an engine runs; returns when it answers.

    On failure, Ctrl-C included, nothing that was not running before is left running.
    """
    with lock.hold(settings, f"up {request.profile.name}", waiting=_telling(settings, request)):
        if engine.name == "external":
            engine.check(request.profile)
            return
        _recover(settings, request)
        current = running_engine(settings)
        if current and current.name != engine.name:
            raise UserError(f"the {current.name} engine is running", hint="stop it first: invoke down")
        if current and current.snapshot().state == "failed":
            current.stop()  # what is left of one that died
        _switch(settings, engine, request)


def switch(settings: Settings, request: Request) -> None:
    """Makes a profile the active one of the running engine; brings the old one back on failure."""
    name = request.profile.name
    with lock.hold(settings, f"switch {name}", waiting=_telling(settings, request)):
        _switch_running(settings, request)


def follow(settings: Settings, request: Request) -> None:
    """The same, for what somebody loaded by its own name in the meantime."""
    with lock.hold(settings, f"follow {request.profile.name}", automatic=True):
        _switch_running(settings, request)


def restart(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """Starts again what is meant to serve and died. Raises UserError if it cannot, or nothing died."""
    wanted = journal.read(settings).serving or ""
    with lock.hold(settings, f"restart {wanted}", automatic=True):
        engine = engine_named(settings, journal.read(settings).engine)
        if wanted not in profiles or engine is None or engine.snapshot().state != "failed":
            raise UserError("there is nothing to restart", hint="see: invoke status")
        request = Request(profiles[wanted], profiles, cut_replies=True)
        steps = Steps(settings, engine, request)
        steps.start(wanted)
        steps.verify(wanted)


def can_restart(settings: Settings) -> bool:
    """Whether trying makes sense: without Docker Engine, its containers have to wait for it."""
    return journal.read(settings).engine != "docker" or docker_client.answers()


def recover(settings: Settings, profiles: Mapping[str, Profile]) -> None:
    """Finishes or undoes what a process that was killed left behind. Raises UserError if neither works."""
    attempt = journal.read(settings).attempt
    if attempt and profiles:
        with lock.hold(settings, f"finish the switch to {attempt.new}", automatic=True):
            _finish(settings, Request(next(iter(profiles.values())), profiles))


def down(settings: Settings, waiting: lock.Waiting = lambda _: None) -> list[str]:
    """Stops every engine of ours that runs, and returns their names."""
    with lock.hold(settings, "down", waiting=waiting):
        before = journal.read(settings)
        if before.attempt and (interrupted := engine_named(settings, before.engine)):
            interrupted.settle()
        engines: list[Engine] = [EmbeddedEngine(settings), DockerEngine(settings)]
        stopped = [engine for engine in engines if engine.snapshot() != STOPPED]
        for engine in stopped:
            engine.stop()
        if before != before.stopped():
            journal.write(settings, before.stopped())
        return [engine.name for engine in stopped]


def snapshot(settings: Settings) -> Snapshot:
    """All that is true now, and what goes on."""
    return _seen(settings, lambda engine: engine.snapshot())


def pulse(settings: Settings) -> Snapshot:
    """Of that, what costs next to nothing: who lives, which model it has, why it failed, what goes on."""
    return _seen(settings, lambda engine: engine.pulse())


def _seen(settings: Settings, look: Callable[[Engine], Snapshot]) -> Snapshot:
    record = journal.read(settings)
    engine = running_engine(settings) or engine_named(settings, record.engine)
    now = look(engine) if engine else STOPPED
    if now == STOPPED and record.serving and record.engine == "docker" and not docker_client.answers():
        now = Snapshot(state="failed", engine="docker", reason="Docker Engine does not answer")
    held = lock.holder(settings)
    phase = record.attempt.phase if record.attempt else None
    work = Work(held.purpose, phase, held.since, held.process_id) if held else None
    return dataclasses.replace(now, work=work, last_switch=record.last)


def _telling(settings: Settings, request: Request) -> lock.Waiting:
    def waiting(held: lock.Holder) -> None:
        request.progress(snapshot(settings), f"waiting until `{held.purpose}` is complete")

    return waiting


def _switch_running(settings: Settings, request: Request) -> None:
    _recover(settings, request)
    engine = running_engine(settings)
    if engine is None:
        raise UserError("no engine is running", hint=f"start one: invoke up --model {request.profile.name}")
    _switch(settings, engine, request)


def _recover(settings: Settings, request: Request) -> None:
    """Before something new begins: a failure is written down and does not stand in its way."""
    if journal.read(settings).attempt:
        with contextlib.suppress(UserError):
            _finish(settings, request)


def _finish(settings: Settings, request: Request) -> None:
    record = journal.read(settings)
    engine = engine_named(settings, record.engine)
    if engine:
        engine.settle()
        transaction.recover(Steps(settings, engine, request), record, engine.snapshot())


def _switch(settings: Settings, engine: Engine, request: Request) -> None:
    before, name = engine.pulse(), request.profile.name
    if before.state == "ready" and (before.profile, before.loaded_profile) == (name, name):
        return
    if engine.name == "external":
        engine.activate(request.profile)  # says why not
    steps = Steps(settings, engine, request)
    old = _to_bring_back(before, name, request.profiles)
    transaction.run(steps, journal.read(settings), engine=engine.name, old=old, new=name)


def _to_bring_back(before: Snapshot, new: str, profiles: Mapping[str, Profile]) -> str | None:
    """The profile that serves now: the one in memory, else the one that `local-llama` means."""
    if before.state not in ("ready", "unloaded", "loading"):
        return None
    candidates = (before.loaded_profile, before.profile)
    return next((name for name in candidates if name in profiles and name != new), None)


def warnings_of(settings: Settings, now: Snapshot) -> list[str]:
    """What Claude Code will stumble over with the model that serves now."""
    http = LlamaHttp(settings.base_url, state.client_key(settings))
    return probe.warnings_of(http, now.profile or "")


def engine_named(settings: Settings, name: str | None) -> Engine | None:
    """The engine of ours with this name."""
    engines: list[Engine] = [EmbeddedEngine(settings), DockerEngine(settings)]
    return next((engine for engine in engines if engine.name == name), None)


def log_engine(settings: Settings) -> Engine:
    """The engine whose log is of interest: the running one, else one that failed.

    Raises UserError where there is none.
    """
    engines: list[Engine] = [EmbeddedEngine(settings), DockerEngine(settings)]
    for engine in engines:
        if engine.is_running() or engine.snapshot() != STOPPED:
            return engine
    raise UserError("no engine is running", hint="start one: invoke up")

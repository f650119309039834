"""Starting, stopping and switching, whatever the engine: checks first, one at a time, and back on failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from claude_local import chat_templates, preflight, state
from claude_local.engines import Engine, docker, probe
from claude_local.engines.docker import DockerEngine
from claude_local.engines.embedded import EmbeddedEngine
from claude_local.engines.external import ExternalEngine
from claude_local.engines.http import LlamaHttp
from claude_local.errors import EngineFailed, UserError
from claude_local.profiles import Profile
from claude_local.settings import Settings
from claude_local.snapshot import STOPPED, Snapshot

POLL_SECONDS = 0.15
LOG_LINES = 8

Progress = Callable[[Snapshot, str], None]
"""Called while a model loads, with the snapshot and the last line of the server's log."""


def choose_engine(settings: Settings) -> tuple[Engine, str]:
    """The engine to start with, and why it is this one.

    Raises EngineUnavailable if Docker was asked for by name and cannot be used.
    """
    if settings.is_external:
        return ExternalEngine(settings), "CLAUDE_LOCAL_EXTERNAL_URL is set"
    if settings.engine == "embedded":
        return EmbeddedEngine(settings), "chosen"
    problem = docker.why_unavailable()
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


@dataclass(frozen=True)
class Request:
    """What somebody wants to serve: a profile out of all profiles, with someone watching."""

    profile: Profile
    profiles: Mapping[str, Profile]
    progress: Progress


def up(settings: Settings, engine: Engine, request: Request) -> Snapshot:
    """Starts a profile, or switches to it where an engine runs; returns when it answers.

    On failure, Ctrl-C included, nothing that was not running before is left running.
    """
    with state.lock(settings, f"up {request.profile.name}"):
        current = running_engine(settings)
        if current and current.name != engine.name:
            raise UserError(f"the {current.name} engine is running", hint="stop it first: invoke down")
        if current and current.name != "external":
            if current.snapshot().state != "failed":
                return _switch(settings, current, request)
            current.stop()  # what is left of one that died
        return _start(settings, engine, request)


def switch(settings: Settings, request: Request) -> Snapshot:
    """Makes a profile the active one of the running engine; brings the old one back on failure."""
    name = request.profile.name
    with state.lock(settings, f"switch {name}"):
        engine = running_engine(settings)
        if engine is None:
            raise UserError("no engine is running", hint=f"start one: invoke up --model {name}")
        return _switch(settings, engine, request)


def down(settings: Settings) -> list[str]:
    """Stops every engine of ours that runs, and returns their names."""
    with state.lock(settings, "down"):
        engines: list[Engine] = [EmbeddedEngine(settings), DockerEngine(settings)]
        stopped = [engine for engine in engines if engine.snapshot() != STOPPED]
        for engine in stopped:
            engine.stop()
        return [engine.name for engine in stopped]


def snapshot(settings: Settings) -> Snapshot:
    """What is true now."""
    engine = running_engine(settings)
    return engine.snapshot() if engine else STOPPED


def _start(settings: Settings, engine: Engine, request: Request) -> Snapshot:
    engine.check(request.profile)
    if engine.name != "external":
        preflight.check_model_file(settings, request.profile)
        state.prepare(settings)
        chat_templates.prepare(settings, request.profile)
        preflight.check_port(settings.llama_port)
    try:
        engine.start(request.profile)
        return _wait_until_ready(engine, request.profile, request.progress)
    except BaseException:
        engine.stop()
        raise


def _switch(settings: Settings, engine: Engine, request: Request) -> Snapshot:
    before = engine.snapshot()
    if before.profile == request.profile.name and before.state == "ready":
        return before
    engine.check(request.profile)
    if engine.name != "external":
        preflight.check_model_file(settings, request.profile)
        chat_templates.prepare(settings, request.profile)
    try:
        engine.activate(request.profile)
        return _wait_until_ready(engine, request.profile, request.progress)
    except EngineFailed as error:
        raise _after_going_back(engine, request, before, error) from None
    except KeyboardInterrupt:
        raise _after_going_back(engine, request, before, EngineFailed("interrupted")) from None


def _after_going_back(
    engine: Engine, request: Request, before: Snapshot, failure: EngineFailed
) -> EngineFailed:
    """Brings back what served before, and returns the error that tells both stories."""
    old = request.profiles.get(before.profile or "")
    if before.state != "ready" or old is None:
        return failure
    try:
        engine.activate(old)
        _wait_until_ready(engine, old, request.progress)
    except EngineFailed as error:
        return EngineFailed(
            f"{failure.message}; and `{old.name}` did not come back: {error.message}",
            details=failure.details,
            hint=f"start again: invoke down, then invoke up --model {old.name}",
        )
    return EngineFailed(failure.message, details=failure.details, hint=f"`{old.name}` serves again")


def _wait_until_ready(engine: Engine, profile: Profile, progress: Progress) -> Snapshot:
    while True:
        now = engine.snapshot()
        if now.state == "ready" and now.profile in (profile.name, None):
            return now
        if now.state in ("failed", "stopped"):
            raise EngineFailed(
                f"`{profile.name}` did not load: {now.reason or 'the engine ended'}",
                details="\n".join(engine.log_lines(tail=LOG_LINES, follow=False)),
                hint="choose another model (invoke profiles) or change this profile",
            )
        progress(now, next(iter(engine.log_lines(tail=1, follow=False)), ""))
        time.sleep(POLL_SECONDS)


def warnings_of(settings: Settings, now: Snapshot) -> list[str]:
    """What Claude Code will stumble over with the model that serves now."""
    key_file = settings.client_key_file
    key = key_file.read_text().strip() if key_file else "local"
    return probe.warnings_of(LlamaHttp(settings.base_url, key), now.profile or "")


def log_engine(settings: Settings) -> Engine:
    """The engine whose log is of interest: the running one, else one that failed.

    Raises UserError where there is none.
    """
    engines: list[Engine] = [EmbeddedEngine(settings), DockerEngine(settings)]
    for engine in engines:
        if engine.is_running() or engine.snapshot() != STOPPED:
            return engine
    raise UserError("no engine is running", hint="start one: invoke up")

"""All engines: the one to start with and the one that is running. No other module knows their names."""

from __future__ import annotations

from claude_local.foundation.errors import EngineUnavailable, UserError
from claude_local.foundation.snapshot import STOPPED
from claude_local.machine.settings import Settings
from claude_local.server.engines.docker import DockerEngine
from claude_local.server.engines.embedded import EmbeddedEngine
from claude_local.server.engines.engine import Engine
from claude_local.server.engines.external import ExternalEngine

OURS: tuple[type[DockerEngine | EmbeddedEngine], ...] = (EmbeddedEngine, DockerEngine)
"""The fastest to ask comes first; the automatic choice prefers the last."""


def ours(settings: Settings) -> list[Engine]:
    """The engines that start and stop models here."""
    return [engine(settings) for engine in OURS]


def named(settings: Settings, name: str | None) -> Engine | None:
    """The engine of ours with this name; None for any other name, such as `auto`."""
    return next((engine for engine in ours(settings) if engine.name == name), None)


def running(settings: Settings) -> Engine | None:
    """The engine that is running now."""
    if settings.is_external:
        return ExternalEngine(settings)
    return next((engine for engine in ours(settings) if engine.is_running()), None)


def choose(settings: Settings) -> tuple[Engine, str]:
    """The engine to start with, and the reason for this choice.

    Raises EngineUnavailable if the requested engine cannot be used, or no engine can.
    """
    if settings.is_external:
        return ExternalEngine(settings), "CLAUDE_LOCAL_EXTERNAL_URL is set"
    if wanted := named(settings, settings.engine):
        if problem := wanted.why_unavailable():
            raise problem
        return wanted, "it was requested"
    problems: list[EngineUnavailable] = []
    for engine in reversed(ours(settings)):
        problem = engine.why_unavailable()
        if problem is None:
            return engine, problems[0].message if problems else "it is available"
        problems.append(problem)
    raise EngineUnavailable(
        "no engine can run: " + "; ".join(problem.message for problem in problems),
        hint="\n".join(problem.hint for problem in problems if problem.hint),
    )


def with_log(settings: Settings) -> Engine:
    """The engine whose log is relevant: the running one, else one that failed.

    Raises UserError if there is neither.
    """
    for engine in ours(settings):
        if engine.is_running() or engine.snapshot() != STOPPED:
            return engine
    raise UserError("no engine is running", hint="start one: invoke up")

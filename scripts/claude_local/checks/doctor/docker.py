"""Checks of Docker Engine, Compose and BuildKit, through the `docker` command."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from claude_local.checks.doctor.host import Finding, Host, Level, dotted, version_of
from claude_local.foundation.plain_text import first_line

OLDEST_ENGINE = (20, 10)
"""The oldest version that the tests have run with."""
SAFE_ENGINE = (28,)
"""Before version 28, other machines on the same network could reach ports published on 127.0.0.1."""
OLDEST_COMPOSE = (2,)
ENGINE_REMEDY = "sudo systemctl start docker  # or without Docker: invoke up --engine embedded"
GROUP_REMEDY = "sudo usermod --append --groups docker $USER, then log in again"


@dataclass(frozen=True)
class Docker:
    """The output of `docker info`. `problem` says why the engine did not answer."""

    is_installed: bool = True
    facts: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def runtimes(self) -> set[str]:
        return set(self.facts.get("Runtimes") or {})

    def plugin(self, name: str) -> str | None:
        """Version of a plugin of the `docker` command; None if it is not installed."""
        plugins = (self.facts.get("ClientInfo") or {}).get("Plugins") or []
        found = (plugin for plugin in plugins if plugin.get("Name") == name and not plugin.get("Err"))
        return next((str(plugin.get("Version") or "unknown") for plugin in found), None)


def look(host: Host) -> Docker:
    """Runs `docker info`, which describes the command and the engine."""
    if host.program("docker") is None:
        return Docker(is_installed=False, problem="Docker is not installed")
    answer = host.ask("docker", "info", "--format", "{{json .}}")
    try:
        facts = dict(json.loads(first_line(answer.output)))
    except ValueError:
        facts = {}
    server_errors = facts.get("ServerErrors") or []
    problem = answer.problem or first_line(answer.errors) if answer.code != 0 else ""
    problem = problem or next(iter(map(str, server_errors)), "")
    if not problem and not facts.get("ServerVersion"):
        problem = "`docker info` printed something unexpected"
    return Docker(facts=facts, problem=problem)


def engine(host: Host) -> Finding:
    """Whether Docker Engine answers and is new enough."""
    docker = look(host)
    if not docker.is_installed:
        level: Level = "error" if host.settings.insists_on_docker else "warning"
        text = "not installed: models run in the embedded engine, on the CPU only"
        remedy = f"{host.remedy('docker.io')}; or install Docker's own packages, version 28 or newer"
        return Finding(level, text, remedy)
    if "permission denied" in docker.problem.lower():
        return Finding("error", "this user has no permission to use Docker Engine", GROUP_REMEDY)
    if docker.problem:
        return Finding("error", f"Docker Engine does not answer: {docker.problem}", ENGINE_REMEDY)
    return _engine_version(str(docker.facts["ServerVersion"]))


def _engine_version(reported: str) -> Finding:
    version = version_of(reported)
    if version < OLDEST_ENGINE:
        return Finding(
            "error", f"{reported} is too old; {dotted(OLDEST_ENGINE)} or newer is needed", "update Docker"
        )
    if version < SAFE_ENGINE:
        text = (
            f"{reported} works, but Docker older than 28 "
            "lets other machines on your network reach ports on 127.0.0.1"
        )
        remedy = "update Docker to 28 or newer; until then the API key protects the model"
        return Finding("warning", text, remedy)
    return Finding("ok", reported)


def compose(host: Host) -> Finding:
    """Whether `docker compose` is installed; the old `docker-compose` does not count."""
    docker = look(host)
    if not docker.is_installed:
        return Finding("info", "skipped: Docker is not installed")
    version = docker.plugin("compose")
    remedy = (
        f"{host.remedy('docker-compose-v2')} (Ubuntu); other package names: docker-compose (Debian 13), "
        "docker-compose-plugin (Docker's own)"
    )
    if version is None:
        old = host.ask("docker-compose", "version", "--short") if host.program("docker-compose") else None
        tail = f"; docker-compose {first_line(old.output)} is too old" if old and old.code == 0 else ""
        return Finding("error", f"`docker compose` is missing{tail}", remedy)
    if version != "unknown" and version_of(version) < OLDEST_COMPOSE:
        return Finding("error", f"{version} is too old; version 2 is needed", remedy)
    return Finding("ok", version)


def buildkit(host: Host) -> Finding:
    """Whether BuildKit is installed, which `invoke build-image` needs."""
    docker = look(host)
    if not docker.is_installed:
        return Finding("info", "skipped: Docker is not installed")
    version = docker.plugin("buildx")
    if version is None:
        remedy = f"{host.remedy('docker-buildx')}; in Docker's own packages: docker-buildx-plugin"
        return Finding("warning", "`docker buildx` is missing: `invoke build-image` will fail", remedy)
    return Finding("ok", f"buildx {version}")

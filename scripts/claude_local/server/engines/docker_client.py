"""Read-only calls of the Docker SDK. Nothing is created or changed here."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from claude_local.foundation.errors import EngineFailed, EngineUnavailable
from claude_local.machine.processes import run

TIMEOUT_SECONDS = 20


def why_unavailable() -> EngineUnavailable | None:
    """Why Docker cannot be used here, with the next step; None if it can."""
    try:
        with connected() as client:
            client.ping()
        run(["docker", "compose", "version"], failure="Compose v2 is missing")
    except EngineUnavailable as problem:
        return problem
    except EngineFailed:
        return EngineUnavailable(
            "Docker has no Compose v2",
            hint="install it: sudo apt install docker-compose-v2 (Ubuntu), docker-compose (Debian 13)",
        )
    return None


def answers() -> bool:
    """Whether Docker Engine answers at all."""
    try:
        with connected() as client:
            return bool(client.ping())
    except EngineUnavailable:
        return False


@functools.cache
def _api_version() -> str:
    """Docker Engine's API version, cached: asking takes 7 ms and would happen on every look."""
    import docker

    with contextlib.closing(docker.from_env(timeout=TIMEOUT_SECONDS)) as client:
        return str(client.api.api_version)


@contextlib.contextmanager
def connected() -> Iterator[Any]:
    """A client for a few calls. Raises EngineUnavailable if one of them, or the first contact, fails."""
    import docker

    try:
        client = docker.from_env(timeout=TIMEOUT_SECONDS, version=_api_version())
        with contextlib.closing(client):
            yield client
    except (docker.errors.DockerException, OSError) as error:
        _api_version.cache_clear()  # the next Docker Engine may have another version
        raise EngineUnavailable(_docker_reason(error), hint=_docker_hint(error)) from None


def has_image(name: str) -> bool:
    """Whether Docker has an image. Raises EngineUnavailable."""
    import docker

    with connected() as client:
        try:
            client.images.get(name)
        except docker.errors.ImageNotFound:
            return False
        return True


def last_lines(container: Any, tail: int) -> list[str]:
    """The end of a container's log; empty if Docker or the container went away meanwhile."""
    import docker

    try:
        return list(container.logs(tail=tail).decode(errors="replace").splitlines())
    except (docker.errors.DockerException, OSError):
        return []


def following_pieces(container: Any, tail: int) -> Iterator[bytes]:
    """The end of a container's log and its new output, until Docker or the container goes away."""
    import docker

    with contextlib.suppress(docker.errors.DockerException, OSError):
        yield from container.logs(tail=tail, follow=True, stream=True)


def _docker_reason(error: Exception) -> str:
    if "Permission denied" in str(error):
        return "this user has no permission to use Docker Engine"
    return "Docker Engine does not answer"


def _docker_hint(error: Exception) -> str:
    if "Permission denied" in str(error):
        return "sudo usermod --append --groups docker $USER, then log in again"
    return "start it: sudo systemctl start docker; or run without it: --engine embedded"

"""engines/docker with a real Docker Engine: what it sees of containers that come and go."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator

import pytest

from claude_local.engines.docker import DockerEngine
from claude_local.settings import load_settings
from claude_local.snapshot import STOPPED
from docker_forwarder import DockerForwarder
from machine import Machine

pytestmark = pytest.mark.docker

INSPECT = re.compile(rb"GET /v[0-9.]+/containers/[0-9a-f]{64}/json")

MakeContainer = Callable[..., str]


@pytest.fixture
def container(machine: Machine, test_image: str) -> Iterator[MakeContainer]:
    """Makes a container as Compose labels ours, and returns its name."""
    made = []

    def make(verb: str = "create", *options: str) -> str:
        name = f"claude-local-test-{uuid.uuid4().hex[:8]}"
        labels = {"project": machine.project, "service": "llama"}
        labelled = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
        argv = ["docker", verb, "--name", name, *labelled, "--entrypoint", "sleep", *options]
        made.append(name)
        done = machine.run([*argv, test_image, "600"])
        assert done.returncode == 0, done.stderr
        return name

    yield make
    machine.run(["docker", "rm", "--force", *made])


def engine_of(machine: Machine) -> DockerEngine:
    return DockerEngine(load_settings(machine.environment, machine.checkout, user_id=0, group_id=0))


def test_a_container_that_vanishes_between_two_questions_is_not_there(
    machine: Machine, container: MakeContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = container()

    def remove(sent: bytes) -> None:
        if INSPECT.match(sent):
            machine.run(["docker", "rm", name])

    monkeypatch.setenv("DOCKER_HOST", DockerForwarder(before=remove).start())

    assert engine_of(machine).snapshot() == STOPPED

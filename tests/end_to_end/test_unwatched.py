"""What the management API asks of a real engine while nobody looks: as little as it needs to act."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from claude_local.server.llama_http import LlamaHttp
from support.api_client import Api
from support.counting_proxy import CountingProxy
from support.machine import Machine
from support.management_server import end_server
from support.model_process import model_process

BOTH_ENGINES = pytest.mark.parametrize(
    "engine",
    [
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ],
)
WAIT_SECONDS = 100
LOOKS = 3
PULSE = {"docker": "GET /models", "embedded": "GET /health"}
WHOLE = {"GET /slots", "GET /metrics", "GET /props"}


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def observed(machine: Machine, engine: str) -> Iterator[CountingProxy]:
    """A machine that serves `demo`, and a management API that reaches the model through a proxy."""
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"
    machine.invoke_ok("up", "--model", "demo", "--engine", engine)
    del machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"]
    with CountingProxy(machine.port) as proxy:
        machine.extra["CLAUDE_LOCAL_LLAMA_PORT"] = str(proxy.port)
        server = machine.start("serve")
        try:
            yield proxy
        finally:
            end_server(machine, server)


@BOTH_ENGINES
def test_the_model_is_asked_nothing_until_somebody_looks(machine: Machine, engine: str) -> None:
    with observed(machine, engine) as proxy:
        wait_until(lambda: len(proxy.asked) >= LOOKS)
        unwatched = list(proxy.asked)
        status = Api(machine.management_port).get("/status").json()
        watched = proxy.asked[len(unwatched) :]

    assert set(unwatched) == {PULSE[engine]}
    assert set(watched) == {PULSE[engine], *WHOLE}
    assert (status["state"], status["slots"], len(status["slot_uses"])) == ("ready", 1, 1)
    assert status["build"] and status["system"]


@BOTH_ENGINES
def test_who_stops_looking_costs_nothing_any_more(machine: Machine, engine: str) -> None:
    with observed(machine, engine) as proxy:
        wait_until(lambda: proxy.asked)
        Api(machine.management_port).get("/status")
        seen = len(proxy.asked)

        wait_until(lambda: len(proxy.asked) > seen and set(proxy.asked[-LOOKS:]) == {PULSE[engine]})


@BOTH_ENGINES
def test_what_dies_while_nobody_looks_is_started_again(machine: Machine, engine: str) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", engine)
    dead = model_process(machine.status())

    dead.kill()
    wait_until(lambda: has_another_model_process(machine, dead))

    status = Api(machine.management_port).get("/status").json()
    metrics = Api(machine.management_port).get("/metrics").body.decode()
    assert (status["profile"], status["state"] in ("loading", "ready")) == ("demo", True)
    assert "claude_local_restarts_total 1" in metrics.splitlines()


def has_another_model_process(machine: Machine, dead: psutil.Process) -> bool:
    """Asked of the engine itself: who asks the management API looks."""
    status = machine.status()
    return bool(status["state"] == "ready" and model_process(status) != dead)


@pytest.mark.docker
def test_the_alias_follows_while_nobody_looks(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    body = {"model": "second", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    LlamaHttp(machine.url, machine.key).post("/v1/messages", body)

    wait_until(lambda: machine.status()["profile"] == "second")

    assert machine.status()["loaded_profile"] == "second"

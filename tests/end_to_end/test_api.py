"""The management API with real engines: the documented calls, and restarts after a crash."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from claude_local.server.llama_http import LlamaHttp
from support.api_client import Answer, Api, read_answer, request
from support.machine import Machine
from support.model_process import model_process

BOTH_ENGINES = pytest.mark.parametrize(
    "engine",
    [
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ],
)
WAIT_SECONDS = 100


def up(machine: Machine, engine: str) -> Api:
    """A machine that serves `demo`, with `second` beside it, and its management API."""
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("up", "--model", "demo", "--engine", engine)
    return Api(machine.management_port)


def status_when(api: Api, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first status that meets a condition."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so(status := api.get("/status").json()):
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return dict(status)


def serves(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda status: (status["state"], status["profile"], status["work"]) == ("ready", name, None)


def answer_of(machine: Machine, model: str = "local-llama", tokens: int = 1) -> str:
    """The name of the model that answers a request for `model`."""
    body = {"model": model, "max_tokens": tokens, "messages": [{"role": "user", "content": "hi"}]}
    return str(LlamaHttp(machine.url, machine.key).post("/v1/messages", body)["model"])


def kill_server(status: dict[str, Any]) -> None:
    """Kills the server, in Docker the main process of the container."""
    os.kill(status["server_process_id"], signal.SIGKILL)


def kill_model_process(status: dict[str, Any]) -> None:
    """Kills the process with the model in memory."""
    model_process(status).kill()


@BOTH_ENGINES
def test_the_calls_of_the_documentation(machine: Machine, engine: str) -> None:
    api = up(machine, engine)

    models = api.get("/models").json()["models"]
    switched = api.post("/switch", {"model": "second"})
    again = api.post("/switch", {"model": "second"})
    unknown = api.post("/switch", {"model": "nosuch"})
    missing = api.post("/switch", {"model": "gpt-oss-20b"})
    status = api.get("/status").json()
    lines = api.get("/logs?tail=5").json()["lines"]
    metrics = api.get("/metrics").body.decode()

    marks = {model["name"]: (model["on_disk"], model["active"]) for model in models}
    assert (marks["demo"], marks["second"], marks["gpt-oss-20b"]) == (
        (True, True),
        (True, False),
        (False, False),
    )
    assert (switched.status, switched.json()["outcome"]) == (200, "switched")
    assert (again.status, again.json()["outcome"]) == (200, "already active")
    assert (unknown.status, unknown.code) == (404, "unknown_model")
    assert (missing.status, missing.code) == (409, "refused")
    facts = {name: status[name] for name in ("state", "engine", "profile", "loaded_profile", "slots_busy")}
    assert facts == {
        "state": "ready",
        "engine": engine,
        "profile": "second",
        "loaded_profile": "second",
        "slots_busy": 0,
    }
    assert status["slot_uses"][0]["context_tokens"] == status["context_tokens_per_slot"] == 65536
    last = status["last_switch"]
    assert (last["from_profile"], last["to_profile"], last["outcome"]) == ("demo", "second", "switched")
    statuses = [answer.json()["status"] for answer in (switched, again)]
    assert [(now["last_switch"], now["command"], now["work"]) for now in statuses] == [
        (last, status["command"], None)
    ] * 2
    assert answer_of(machine) == "second"
    assert len(lines) == 5
    assert f'claude_local_active{{profile="second",engine="{engine}"}} 1' in metrics.splitlines()


@BOTH_ENGINES
def test_after_a_broken_model_the_old_one_is_running_again(machine: Machine, engine: str) -> None:
    api = up(machine, engine)
    machine.add_demo("broken", seed=3)
    file = machine.checkout / "models" / "broken.gguf"
    file.write_bytes(file.read_bytes()[:200_000])

    refused = api.post("/switch", {"model": "broken"})

    assert (refused.status, refused.code) == (502, "engine_failed")
    error = refused.json()["error"]
    assert error["message"].startswith("`broken` did not load: ")
    assert error["hint"] == (
        "`demo` is running again; read the log: invoke logs; or choose another model: invoke profiles"
    )
    assert answer_of(machine) == "demo"
    last = api.get("/status").json()["last_switch"]
    assert (last["outcome"], last["reason"]) == ("went back", error["message"])


@BOTH_ENGINES
def test_stop_and_start_and_down_leave_nothing(machine: Machine, engine: str) -> None:
    api = up(machine, engine)

    machine.extra["CLAUDE_LOCAL_ENGINE"] = engine
    stopped = api.post("/stop", {})
    between = api.get("/status").json()["state"]
    nothing = api.post("/stop", {}).json()["outcome"]
    api_pid = json.loads((machine.state_dir / "management" / "process.json").read_text())["pid"]
    down = machine.invoke("down")

    assert (stopped.status, stopped.json()) == (200, {"outcome": "stopped", "engines": [engine]})
    assert (between, nothing) == ("stopped", "nothing was running")
    assert (down.returncode, down.stderr) == (0, "stopped: management API\n")
    assert not psutil.pid_exists(api_pid)
    assert machine.left_in_docker() == []
    assert machine.our_processes() == []


@pytest.mark.embedded
def test_start_without_a_name_uses_the_last_model(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_ENGINE"] = "embedded"
    api = up(machine, "embedded")
    api.post("/switch", {"model": "second"})
    api.post("/stop", {})

    started = api.post("/start", {})

    assert (started.status, started.json()["outcome"]) == (200, "started")
    assert answer_of(machine) == "second"


@BOTH_ENGINES
def test_of_two_simultaneous_switches_one_succeeds_and_the_other_gets_the_holder(
    machine: Machine, engine: str
) -> None:
    api = up(machine, engine)

    first = api.post("/switch", {"model": "second", "wait": False})
    second = api.post("/switch", {"model": "demo"})
    by_hand = machine.invoke("switch", "--model", "demo") if engine == "docker" else None
    status_when(api, serves("second") if not by_hand or by_hand.returncode else serves("demo"))

    assert (first.status, first.json()["outcome"]) == (202, "accepted")
    assert (second.status, second.code) == (409, "busy")
    error = second.json()["error"]
    assert (error["holder"], error["since"] <= time.time()) == ("switch second", True)


@BOTH_ENGINES
def test_a_switch_waits_for_a_running_reply_and_cuts_it_only_on_request(
    machine: Machine, engine: str
) -> None:
    api = up(machine, engine)
    reply = Reply(machine)
    status_when(api, lambda status: status["slots_busy"] == 1)

    impatient = api.post("/switch", {"model": "second", "idle_limit_seconds": 0.2})
    still_busy = api.get("/status").json()
    now = api.post("/switch", {"model": "second", "when": "now"})

    assert (impatient.status, impatient.code) == (409, "not_idle")
    assert (still_busy["profile"], still_busy["last_switch"]["outcome"]) == ("demo", "nothing changed")
    assert (now.status, now.json()["outcome"]) == (200, "switched")
    assert reply.end() is False
    assert answer_of(machine) == "second"


@BOTH_ENGINES
def test_a_reply_that_ends_in_time_is_complete(machine: Machine, engine: str) -> None:
    api = up(machine, engine)
    reply = Reply(machine, tokens=1500)
    status_when(api, lambda status: status["slots_busy"] == 1 or not reply.is_running())

    switched = api.post("/switch", {"model": "second"})

    assert switched.json()["outcome"] == "switched"
    assert reply.end() is True


@BOTH_ENGINES
def test_a_dead_engine_is_restarted_three_times_and_then_the_status_has_the_reason(
    machine: Machine, engine: str
) -> None:
    api = up(machine, engine)
    kill = kill_model_process if engine == "docker" else kill_server
    for _ in range(3):
        kill(status_when(api, serves("demo")))
        status_when(api, lambda status: status["state"] == "failed")
    kill(status_when(api, serves("demo")))

    failed = status_when(api, lambda status: status["state"] == "failed")
    metrics = api.get("/metrics").body.decode()

    assert failed["reason"] in ("the model's process ended", "the server's process ended")
    assert "claude_local_restarts_total 3" in metrics.splitlines()
    machine.invoke_ok("up", "--model", "second", "--engine", engine)
    assert answer_of(machine) == "second"


@pytest.mark.docker
def test_a_dead_container_is_restarted(machine: Machine) -> None:
    api = up(machine, "docker")
    kill_server(api.get("/status").json())

    status_when(api, lambda status: status["state"] == "failed")
    status_when(api, serves("demo"))

    assert answer_of(machine) == "demo"


@pytest.mark.docker
def test_the_alias_follows_a_model_that_was_loaded_by_name(machine: Machine) -> None:
    api = up(machine, "docker")

    by_name = answer_of(machine, "second")
    status_when(api, serves("second"))

    assert (by_name, answer_of(machine)) == ("second", "second")


@BOTH_ENGINES
def test_events_carry_states_progress_and_log_lines(machine: Machine, engine: str) -> None:
    api = up(machine, engine)
    with api.connect() as connection:
        connection.sendall(request("GET", "/events", api.port))
        events = events_of(connection)
        name, first = next(events)
        api.post("/switch", {"model": "second"})
        seen = {name}
        for name, data in events:
            seen.add(name)
            if name == "state" and data["profile"] == "second" and data["state"] == "ready":
                break

    assert (first["state"], first["profile"]) == ("ready", "demo")
    assert {"state", "log_tail", "log"} <= seen


@pytest.mark.embedded
def test_a_status_request_after_a_manual_switch_shows_it_immediately(machine: Machine) -> None:
    api = up(machine, "embedded")

    machine.invoke_ok("switch", "--model", "second")

    status_when(api, serves("second"))


@BOTH_ENGINES
def test_llama_server_refuses_requests_without_the_key_and_from_pages(machine: Machine, engine: str) -> None:
    up(machine, engine)

    without = LlamaHttp(machine.url, "")
    statuses = {path: without.status_of(path) for path in ("/models", "/props", "/slots", "/metrics")}
    asked = llama(machine, "OPTIONS", "/v1/messages", Origin="https://evil.example")
    listening = {
        address.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == "LISTEN"
        and (address := connection.laddr)
        and address.port in (machine.port, machine.management_port)
    }

    assert set(statuses.values()) == {401}
    assert asked.headers.get("access-control-allow-origin") != "https://evil.example"
    assert listening == {"127.0.0.1"}


def llama(machine: Machine, method: str, path: str, **headers: str) -> Answer:
    with Api(machine.port).connect() as connection:
        connection.sendall(request(method, path, machine.port, None, headers))
        return read_answer(connection)


def events_of(connection: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events as they arrive: name and data."""
    name = ""
    for line in connection.makefile("r", encoding="utf-8"):
        if line.startswith("event: "):
            name = line.removeprefix("event: ").strip()
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


class Reply:
    """A long reply, read in the background."""

    def __init__(self, machine: Machine, tokens: int = 100_000) -> None:
        # Only this route can ignore the end of the text; with /v1/messages the model decides when to stop.
        body = {
            "model": "local-llama",
            "n_predict": tokens,
            "ignore_eos": True,
            "stream": True,
            "prompt": "hi",
        }
        data = json.dumps(body).encode()
        self._connection = Api(machine.port).connect(WAIT_SECONDS)
        head = {"Authorization": f"Bearer {machine.key}"}
        self._connection.sendall(request("POST", "/completion", machine.port, data, head))
        self._received = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> bool:
        """Waits for the end and returns whether the reply is complete."""
        self._thread.join(WAIT_SECONDS)
        self._connection.close()
        return b'"stop":true' in self._received

    def _read(self) -> None:
        while piece := self._recv():
            self._received += piece

    def _recv(self) -> bytes:
        try:
            return self._connection.recv(65536)
        except OSError:
            return b""

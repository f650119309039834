"""engines/docker with a real Docker Engine: its view of containers that come and go."""

from __future__ import annotations

import contextlib
import re
import resource
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from claude_local.foundation.errors import EngineUnavailable
from claude_local.foundation.snapshot import STOPPED
from claude_local.machine.settings import load_settings
from claude_local.profiles.load import load_profiles
from claude_local.server import llama_http
from claude_local.server.engines import docker_client
from claude_local.server.engines.container_state import state_of
from claude_local.server.engines.docker import DockerEngine
from support.docker_forwarder import DockerForwarder
from support.machine import Machine
from support.model_process import model_process
from support.runnable_models import Shape, write_model

pytestmark = pytest.mark.docker

LONG_HEADER = Shape("llama", 2, 64, 2, 2, 128, 32, vocabulary=150_000, merges=True)
INSPECT = re.compile(rb"GET /v[0-9.]+/containers/[0-9a-f]{64}/json")

MakeContainer = Callable[..., str]


@pytest.fixture
def container(machine: Machine, test_image: str) -> Iterator[MakeContainer]:
    """Creates a container with Compose's labels of ours, and returns its name."""
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


def test_a_container_that_vanishes_between_two_requests_counts_as_missing(
    machine: Machine, container: MakeContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = container()

    def remove(sent: bytes) -> None:
        if INSPECT.match(sent):
            machine.run(["docker", "rm", name])

    monkeypatch.setenv("DOCKER_HOST", DockerForwarder(before=remove).start())

    assert engine_of(machine).snapshot() == STOPPED


def test_the_log_of_a_container_that_vanishes_ends(
    machine: Machine, container: MakeContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = container()

    def remove(sent: bytes) -> None:
        if b"/logs?" in sent:
            machine.run(["docker", "rm", name])

    monkeypatch.setenv("DOCKER_HOST", DockerForwarder(before=remove).start())

    assert list(engine_of(machine).log_lines(tail=5, follow=True)) == []


def test_a_created_container_is_starting(machine: Machine, container: MakeContainer) -> None:
    container()

    now = engine_of(machine).snapshot()

    assert (now.state, now.reason) == ("starting", None)


def test_a_paused_container_has_that_reason(machine: Machine, container: MakeContainer) -> None:
    name = container("run", "--detach")
    machine.run(["docker", "pause", name])

    now = engine_of(machine).snapshot()

    assert (now.state, now.reason) == ("failed", f"the container is paused: docker unpause {name}")


def test_an_exited_container_has_its_exit_code_as_reason(machine: Machine, container: MakeContainer) -> None:
    name = container("run", "--detach")
    machine.run(["docker", "kill", name])

    now = engine_of(machine).snapshot()

    assert (now.state, now.reason) == ("failed", "the container is exited, exit code 137")


def test_status_requests_write_no_warnings_into_the_log(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"  # it sends status requests, too
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    engine = engine_of(machine)
    engine.snapshot()

    before = [line for line in engine.log_lines(tail=1000, follow=False) if "unauthorized" in line]
    looks = [engine.snapshot().state for _ in range(5)]
    after = [line for line in engine.log_lines(tail=1000, follow=False) if "unauthorized" in line]

    assert (looks, after) == (["ready"] * 5, before)


def test_a_model_that_does_not_reply_is_busy_and_is_killed_soon_to_make_room(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the middle of a long prompt, which may take longer than any request waits."""
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    engine = engine_of(machine)
    model = model_process(engine.snapshot().to_dict())

    before = engine.is_busy()
    model.suspend()
    with monkeypatch.context() as hurry:
        hurry.setattr(llama_http, "TIMEOUT_SECONDS", 1)
        silent = engine.is_busy()
    engine.release()
    released = engine.is_busy()
    engine._router().load("second")

    assert (before, silent, released) == (False, True, False)
    assert engine.pulse().state == "unloaded"  # not failed: it made room
    log = list(engine.log_lines(tail=1000, follow=False))
    assert [line for line in log if "force-killing" in line]
    assert len([line for line in log if "stopping model" in line]) < 20  # not one stop request per poll


@pytest.fixture
def two_with_long_headers(machine: Machine) -> Machine:
    """Serves one of two models with headers that take a while to read, like those of real models."""
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"
    for seed, name in enumerate(("first", "second")):
        machine.add_demo(name, seed=seed)
        write_model(machine.checkout / "models" / f"{name}.gguf", LONG_HEADER)
    machine.invoke_ok("up", "--model", "first", "--engine", "docker")
    return machine


def test_local_llama_is_a_known_name_throughout_a_switch(two_with_long_headers: Machine) -> None:
    machine = two_with_long_headers
    answers: list[str] = []
    done = threading.Event()

    def ask_again_and_again() -> None:
        headers = {"Authorization": f"Bearer {machine.key}"}
        request = Request(f"{machine.url}/props?model=local-llama&autoload=false", headers=headers)
        while not done.is_set():
            try:
                with urlopen(request) as answer:
                    answers.append(answer.read().decode())
            except HTTPError as error:
                answers.append(error.read().decode())

    asking = threading.Thread(target=ask_again_and_again)
    asking.start()
    for name in ("second", "first") * 2:
        machine.invoke_ok("switch", "--model", name)
    done.set()
    asking.join()

    assert [answer for answer in answers if "not found" in answer] == []
    assert any("is not loaded" in answer for answer in answers)  # some requests arrived in the middle


def test_a_switch_waits_only_for_the_new_header(two_with_long_headers: Machine) -> None:
    machine = two_with_long_headers
    engine = engine_of(machine)

    def story() -> list[str]:
        """The number of known models after each reading of the presets, and the starts of a load, in order."""
        events = []
        for line in engine.log_lines(tail=10_000, follow=False):
            if known := re.search(r"Available models \((\d+)\)", line):
                events.append(known[1])
            elif "spawning server instance with name=" in line:
                events.append("load")
        return events

    everything, *_ = before = story()
    machine.invoke_ok("switch", "--model", "second")
    machine.invoke_ok("switch", "--model", "first")

    assert int(everything) > 1
    assert story()[len(before) :] == ["1", "load", everything] * 2


@contextlib.contextmanager
def no_file_larger_than(size_bytes: int) -> Iterator[None]:
    """Makes the kernel refuse larger files to this process, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_next_switch_completes_presets_that_could_not_be_written(
    two_with_long_headers: Machine,
) -> None:
    machine = two_with_long_headers
    engine = engine_of(machine)
    profiles = load_profiles(engine.settings.profiles_dir)
    presets = engine.settings.runtime_dir / "presets.ini"

    def served() -> tuple[str, str | None, list[str]]:
        """The running profile once it is loaded, and the models that the router knows."""
        while (now := engine.snapshot()).state == "loading":
            time.sleep(0.05)
        return now.state, now.profile, [str(model["id"]) for model in engine._router().models()]

    engine.release()
    with no_file_larger_than(presets.stat().st_size - 1):  # enough for only the new section
        engine.activate(profiles["second"])
    in_between = served()
    machine.invoke_ok("switch", "--model", "first")

    assert in_between == ("ready", "second", ["second"])
    assert served() == ("ready", "first", sorted(profiles))


def test_the_version_of_a_replaced_docker_engine_is_not_reused(
    test_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an update, or with another `docker context`, while a server of ours is running."""
    with newer_docker() as address, monkeypatch.context() as before:
        before.setenv("DOCKER_HOST", address)
        docker_client.has_image(test_image)

    with pytest.raises(EngineUnavailable):
        docker_client.has_image(test_image)

    assert docker_client.has_image(test_image)


@contextlib.contextmanager
def newer_docker() -> Iterator[str]:
    """The value of DOCKER_HOST for a Docker Engine that only reports a newer version and has no image."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_version = self.path.endswith("/version")
            content = b'{"ApiVersion": "1.999"}' if is_version else b'{"message": "No such image"}'
            self.send_response(200 if is_version else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Logs nothing."""

    docker_client._api_version.cache_clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    try:
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Container:
    """The used part of the SDK's class: these two states are too short for a real container."""

    status: str
    attrs: dict[str, str]


@pytest.mark.parametrize(
    ("status", "made_at", "expected"),
    [
        ("restarting", "2026-01-01T00:00:00.123456789Z", "starting"),
        ("removing", "2026-01-01T00:00:00.123456789Z", "gone"),
        ("created", "2026-01-01T00:00:00.123456789Z", "failed"),
    ],
)
def test_a_container_status_becomes_a_state(status: str, made_at: str, expected: str) -> None:
    assert state_of(Container(status, {"Created": made_at})) == expected

"""engines: a foreign server on our port gets no key, and its answers are ignored."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from claude_local.foundation.errors import EngineFailed
from claude_local.foundation.snapshot import STOPPED, Snapshot
from claude_local.lifecycle import status
from claude_local.machine import listeners
from claude_local.machine.listeners import ListeningSocket, owner_ids
from claude_local.machine.settings import Settings, load_settings
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.profile import Profile
from claude_local.server.engines.docker import DockerEngine
from claude_local.server.engines.embedded import EmbeddedEngine
from claude_local.server.llama_http import LlamaHttp
from claude_local.server.router import Router

KEY = "the-secret-key"
NO_PROTOCOL = 200
"""An unassigned protocol number: no kernel has a module for it."""
GOOD = {"id": "demo", "aliases": ["local-llama"], "status": {"value": "loaded"}}


@dataclass
class Foreign:
    """A server that gives one answer to every request and records the keys it receives."""

    port: int
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def foreign_server(answer: Any) -> Iterator[Foreign]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            foreign.keys.append(self.headers["Authorization"])
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Logs nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    foreign = Foreign(int(server.server_address[1]))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    try:
        yield foreign
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def without_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user with a key but without Docker Engine."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    return tmp_path


def settings_with(home: Path, port: int, user_id: int | None = None) -> Settings:
    environment = {"HOME": str(home), "CLAUDE_LOCAL_LLAMA_PORT": str(port)}
    settings = load_settings(
        environment, home, user_id=os.getuid() if user_id is None else user_id, group_id=os.getgid()
    )
    settings.runtime_dir.mkdir(parents=True)
    settings.api_key_file.write_text(KEY)
    return settings


def engine_part(now: Snapshot) -> Snapshot:
    """The snapshot without the facts about this machine that do not depend on the engine."""
    return replace(now, cards=None, system=None, api_key_file=None, command=None)


@pytest.mark.parametrize("answer", [{"data": [GOOD]}, {"data": []}, ["a"], "x", {"data": [{"id": "x"}]}])
def test_a_foreign_server_is_no_engine_and_gets_no_key(without_docker: Path, answer: Any) -> None:
    with foreign_server(answer) as foreign:
        now = engine_part(status.snapshot(settings_with(without_docker, foreign.port)))

    assert (now, set(foreign.keys)) == (STOPPED, {None})


@pytest.mark.parametrize("engine", [DockerEngine, EmbeddedEngine])
def test_a_foreign_server_is_not_asked_whether_it_is_busy(
    without_docker: Path, engine: type[DockerEngine | EmbeddedEngine]
) -> None:
    with foreign_server({"data": [GOOD]}) as foreign:
        is_busy = engine(settings_with(without_docker, foreign.port)).is_busy()

    assert (is_busy, set(foreign.keys) - {None}) == (False, set())


def test_no_unload_request_goes_to_a_foreign_server(without_docker: Path) -> None:
    with foreign_server({"data": [GOOD]}) as foreign:
        DockerEngine(settings_with(without_docker, foreign.port)).release()

    assert set(foreign.keys) == {None}


def test_no_load_request_goes_to_a_foreign_server(without_docker: Path) -> None:
    profile = Profile(name="a", title="T", description="D", model=ModelSource(file="a.gguf"))

    with foreign_server({"data": [GOOD]}) as foreign, pytest.raises(EngineFailed, match="did not start"):
        DockerEngine(settings_with(without_docker, foreign.port)).activate(profile)

    assert set(foreign.keys) == {None}


@pytest.mark.parametrize(
    "answer",
    [
        ["a"],
        "x",
        {"data": "x"},
        {"data": [1, "x", {"id": "x"}, {"id": "x", "status": {"value": "loaded"}}]},
        {"data": [GOOD | {"status": "loaded"}, GOOD | {"aliases": None}, GOOD | {"id": 1}]},
    ],
)
def test_a_malformed_list_of_models_counts_as_empty(answer: Any) -> None:
    with foreign_server(answer) as foreign:
        assert Router(LlamaHttp(f"http://127.0.0.1:{foreign.port}", KEY)).models() == []


@pytest.mark.parametrize("answer", [["a"], {"a": 1}, "x"])
def test_malformed_facts_count_as_unknown(answer: Any) -> None:
    with foreign_server(answer) as foreign:
        facts = Router(LlamaHttp(f"http://127.0.0.1:{foreign.port}", KEY)).facts("demo")

    assert (facts["build"], facts["slots"], facts["slot_uses"]) == (None, None, ())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"])
def test_a_server_of_another_user_gets_no_request(without_docker: Path, host: str) -> None:
    with listener_of_another_user(host) as (port, received):
        now = engine_part(status.snapshot(settings_with(without_docker, port)))
        owners = owner_ids(port)

    assert (now, owners, received) == (STOPPED, {65534}, [b""])


@contextmanager
def listener_of_another_user(host: str) -> Iterator[tuple[int, list[bytes]]]:
    """Its port, and after the block what its first connection sent: the one that ends it."""
    script = (
        "import socket, sys\n"
        "family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
        "own = socket.socket(family)\n"
        "if family == socket.AF_INET6: own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)\n"
        "own.bind((sys.argv[1], 0)); own.listen()\n"
        "print(own.getsockname()[1], flush=True)\n"
        "sys.stdin.read(); own.setblocking(False)\n"
        "try: print(own.accept()[0].recv(1000))\n"
        "except BlockingIOError: pass\n"
    )
    argv = ["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/env", "python3", "-c", script, host]
    received: list[bytes] = []
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", env={"PATH": "/usr/bin:/bin"}
    ) as other:
        assert other.stdout
        yield int(other.stdout.readline()), received
        received.append(other.communicate()[0])


@pytest.mark.parametrize("way", ["netlink", "table"])
def test_a_listener_on_another_address_does_not_own_our_port(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    other = {"netlink": "listeners_by_table", "table": "listeners_by_netlink"}[way]
    monkeypatch.setattr(listeners, other, kernel_without_an_answer)
    with (
        socket.create_server(("127.0.0.2", 0)) as elsewhere,
        socket.create_server(("127.0.0.1", 0)) as ours,
        socket.create_connection(ours.getsockname()) as connection,
    ):
        here, there = ours.getsockname()[1], elsewhere.getsockname()[1]
        found = [owner_ids(port) for port in (here, there, connection.getsockname()[1])]

    assert found == [{os.getuid()}, set(), set()]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::", "::ffff:127.0.0.1"])
def test_netlink_and_the_table_list_the_same_listeners(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind((host, 0))
        server.listen()
        port = server.getsockname()[1]
        expected = ListeningSocket(
            socket.inet_pton(family, host), port, os.getuid(), os.fstat(server.fileno()).st_ino
        )
        by_netlink = [one for one in listeners.listeners_by_netlink(port) if one.address == expected.address]
        by_table = [one for one in listeners.listeners_by_table() if one[:2] == expected[:2]]

    assert by_netlink == by_table == [expected]


def test_a_kernel_without_the_netlink_module_raises_instead_of_listing_no_listeners() -> None:
    with pytest.raises(FileNotFoundError):
        list(listeners.listeners_by_netlink(8080, protocol=NO_PROTOCOL))


def test_a_missing_table_means_no_listeners(tmp_path: Path) -> None:
    assert list(listeners.listeners_by_table(tmp_path)) == []


def kernel_without_an_answer(*_: int) -> Iterator[ListeningSocket]:
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

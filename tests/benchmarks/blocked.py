"""Measures the waiting time of a well-behaved client during attacks: part of bench_api.py.

A separate process sends each request over a new connection, for as long as an attack lasts.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from claude_local.checks.verify.recorder import Recorder  # noqa: E402
from jail.test_door import HOSTILE, MESSAGE, REFUSED_PATHS, open_door  # noqa: E402
from management.test_api_hostile import BODY, CASES  # noqa: E402
from support.api_client import Served, request  # noqa: E402  the path comes first
from support.runnable_models import LARGE, write_model  # noqa: E402

IDLE_SECONDS = 5.0
ATTACK_SECONDS = 0.7
LIMIT_MS = 100
SHOWN = 6
MODELS = 10

Attack = Callable[[], None]
"""One round of an attack; repeated until the measurement ends."""


@dataclass(frozen=True)
class Target:
    """A server, and the request of a well-behaved client."""

    name: str
    connect: Callable[[], socket.socket]
    question: bytes


@dataclass(frozen=True)
class Waits:
    """The duration of each answer in milliseconds, shortest first."""

    took_ms: list[float]
    refused: int

    @property
    def worst(self) -> float:
        return self.took_ms[-1]

    @property
    def p99(self) -> float:
        return self.took_ms[len(self.took_ms) * 99 // 100]


def ask(target: Target, seconds: float, results: multiprocessing.Queue[Waits]) -> None:
    took, refused, end = [], 0, time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        with target.connect() as connection:
            connection.sendall(target.question)
            answer = read_all(connection)
        took.append((time.perf_counter() - began) * 1e3)
        refused += b" 200 " not in answer[:20]
    results.put(Waits(sorted(took), refused))


def read_all(connection: socket.socket) -> bytes:
    pieces = []
    with contextlib.suppress(OSError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def waits_during(target: Target, attack: Attack | None, seconds: float) -> Waits:
    """The waiting times of a client while `attack` is repeated."""
    with target.connect() as connection:  # the first reading of the engine is shared by all clients
        connection.sendall(target.question)
        read_all(connection)
    results: multiprocessing.Queue[Waits] = multiprocessing.Queue()
    client = multiprocessing.Process(target=ask, args=(target, seconds, results))
    client.start()
    while attack and results.empty():
        attack()
    waits = results.get()
    client.join()
    return waits


def sends(target: Target, data: bytes) -> Attack:
    """Sends bytes, closes the sending side and reads the whole answer."""

    def attack() -> None:
        with target.connect() as connection, contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)

    return attack


def holds(target: Target, data: bytes, *, connections: int, seconds: float = 0.6) -> Attack:
    """Many parallel connections that send only `data`."""

    def attack() -> None:
        with ExitStack() as stack:
            for _ in range(connections):
                connection = stack.enter_context(target.connect())
                with contextlib.suppress(OSError):
                    connection.sendall(data)
            time.sleep(seconds)

    return attack


def reads_again(served: Served, model_files: list[Path]) -> Attack:
    """Requests the models after all their files have changed."""

    def attack() -> None:
        for file in model_files:
            file.touch()
        assert len(served.api.get("/models").json()["models"]) == len(model_files)

    return attack


def measured(target: Target, attack: Attack) -> Waits:
    """Repeats a measurement above the limit twice, because a pause of this machine alone does not recur each time."""
    waits = waits_during(target, attack, ATTACK_SECONDS)
    again = [waits_during(target, attack, ATTACK_SECONDS) for _ in range(2) if waits.worst > LIMIT_MS]
    return min([waits, *again], key=lambda waits: waits.worst)


def compare(target: Target, attacks: dict[str, Attack]) -> bool:
    """Prints the waiting times and returns whether all are within the limit."""
    idle = waits_during(target, None, IDLE_SECONDS)
    print(f"{target.name}, idle: p99 {idle.p99:.1f} ms, worst {idle.worst:.1f} ms", flush=True)
    seen = {name: measured(target, attack) for name, attack in attacks.items()}
    everything = Waits(sorted(took for waits in seen.values() for took in waits.took_ms), 0)
    for name, waits in sorted(seen.items(), key=lambda item: -item[1].worst)[:SHOWN]:
        print(
            f"  {name}: p99 {waits.p99:.1f} ms ({waits.p99 / idle.p99:.1f} × idle), worst {waits.worst:.1f} ms"
            f" ({waits.worst / idle.worst:.1f} ×), {len(waits.took_ms)} answers, {waits.refused} refused"
        )
    is_good = everything.worst <= LIMIT_MS and not any(waits.refused for waits in seen.values())
    print(
        f"{target.name}, {len(attacks)} attacks, {len(everything.took_ms):,} answers: p99 {everything.p99:.1f} ms"
        f" ({everything.p99 / idle.p99:.1f} × idle), worst {everything.worst:.1f} ms:"
        f" {'no answer takes' if is_good else 'AN ANSWER TAKES'} longer than {LIMIT_MS} ms",
        flush=True,
    )
    return is_good


def add_models(folder: Path) -> list[Path]:
    """Model files with vocabularies of realistic size, and a profile for each."""
    for name in ("profiles", "models"):
        (folder / name).mkdir()
    shutil.copy(ROOT / "profiles" / "_defaults.yaml", folder / "profiles")
    names = [f"model{number}" for number in range(MODELS)]
    for name in names:
        profile = f"title: {name}\ndescription: for a measurement\nmodel: {{file: {name}.gguf}}\n"
        (folder / "profiles" / f"{name}.yaml").write_text(profile)
    return [write_model(folder / "models" / f"{name}.gguf", LARGE) for name in names]


def api_is_open() -> bool:
    """The management API during every case of test_api_hostile.py, and while it reads many model files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = add_models(folder)
        with Served(folder, CLAUDE_LOCAL_PROFILES_DIR=str(folder / "profiles")) as served:
            return _api_is_open(served, files)


def _api_is_open(served: Served, model_files: list[Path]) -> bool:
    port = served.api.port
    api = Target("management API, /status", served.api.connect, request("GET", "/status", port))
    attacks = {case.name: sends(api, case.bytes_for(port)) for case in CASES}
    half = request("POST", "/switch", port, BODY)[:-5]
    attacks |= {
        "60 unfinished heads": holds(api, b"GET /status HTTP/1.1\r\nHost: ", connections=60),
        "60 unfinished bodies": holds(api, half, connections=60),
        "100 silent connections": holds(api, b"", connections=100),
        "new model files": reads_again(served, model_files),
        "16 event streams without a reader": holds(api, request("GET", "/events", port), connections=16),
    }
    return compare(api, attacks)


def serve_model(address: multiprocessing.Queue[str]) -> None:
    """A recorder in place of the model, in a separate process."""
    with (
        Path(os.devnull).open("w") as sys.stderr,
        Recorder() as model,
    ):  # it reports closed connections on stderr
        address.put(model.url)
        time.sleep(3600)


@contextlib.contextmanager
def model_server() -> Iterator[Any]:
    address: multiprocessing.Queue[str] = multiprocessing.Queue()
    process = multiprocessing.Process(target=serve_model, args=(address,))
    process.start()
    yield SimpleNamespace(url=address.get())
    process.kill()
    process.join()


def door_is_open() -> bool:
    """The door to the model during the cases of test_door.py."""
    with tempfile.TemporaryDirectory() as folder, model_server() as model:
        opened = open_door(Path(folder), model, switching="no")
        head = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        question = head % len(MESSAGE) + MESSAGE
        door = Target("door, /v1/messages", opened.connect, question)
        refused = {
            f"GET {path}": f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in REFUSED_PATHS
        }
        attacks = {name: sends(door, data) for name, data in {**HOSTILE, **refused}.items()}
        attacks |= {
            "20 unfinished heads": holds(door, b"POST /v1/messages HTTP/1.1\r\nHost", connections=20),
            "20 unfinished bodies": holds(door, question[:-5], connections=20),
            "20 silent connections": holds(door, b"", connections=20),
        }
        try:
            return compare(door, attacks)
        finally:
            opened.process.terminate()
            opened.process.wait(10)

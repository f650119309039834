"""Measures the cost of the jail: python tests/benchmarks/bench_jail.py [--small]

The start compared with `--sandbox off`, with a program that does nothing instead of Claude Code; the scans of
100,000 files before and after a session; the first token and the tokens per second of the embedded server with
and without the door. The weights are random: the figures show the overhead, not the speed of a model.
Fails if a target is missed. `--small` runs each measurement once, to check that it works.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from claude_local.checks.verify.recorder import Recorder  # noqa: E402  the path comes first
from claude_local.models.demo_model import DemoShape, write_demo_model  # noqa: E402  the path comes first
from jail.host import Host, close_account, make_host, open_account  # noqa: E402

FILES = 100_000
REQUESTS = 5
SLOWER = DemoShape(embedding=768, layers=10, heads=12, feed_forward=3072)
"""Gives as many tokens per second as a real model on a card, not the thousands of the small demo model."""
PROFILE = """title: demo
description: for a measurement
model: {file: demo.gguf}
server: {ctx_size: 65536, parallel: 1, threads: 1, threads_batch: 1}
"""  # one thread: a model on a card leaves the CPU free
FOLDERS = 1000

# Sends a few requests to a server by its socket or port: milliseconds to the first token, pieces of text per second.
ASK = """
import http.client, json, socket, sys, time
class Door(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)
where, key, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for _ in range(count):
    connection = Door(where) if where.startswith("/") else http.client.HTTPConnection(where)
    body = {"model": "local-llama", "max_tokens": 150, "stream": True, "messages": [{"role": "user", "content": "count"}]}
    begin = time.perf_counter()
    connection.request("POST", "/v1/messages", json.dumps(body), {"Content-Type": "application/json", "Authorization": "Bearer " + key})
    times = []
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    for line in answer:
        if b"content_block_delta" in line and line.startswith(b"data"):
            times.append(time.perf_counter())
    if times:  # random weights may end the answer immediately
        print(json.dumps([(times[0] - begin) * 1000, len(times) / (times[-1] - begin)]))
"""


@dataclass(frozen=True)
class Row:
    """One figure and its maximum."""

    name: str
    value: float
    target: float
    unit: str

    @property
    def missed(self) -> bool:
        return self.value > self.target

    def __str__(self) -> str:
        verdict = "  too slow" if self.missed else ""
        return f"{self.name:44} {self.value:9.2f} {self.unit:3} {self.target:7.2f} {self.unit}{verdict}"


def milliseconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def session(host: Host, mode: str, script: str) -> subprocess.CompletedProcess[str]:
    host.mode = mode
    done = host.session(script)
    assert done.returncode == 0, done.stderr
    return done


def start_cost(host: Host, runs: int) -> Iterator[Row]:
    """Alternates both ways, so that both have the same load from other programs."""
    host.fresh()
    host.unconfined("git init -q . && git commit -q --allow-empty -m x")
    times: dict[str, list[float]] = {"jail": [], "off": []}
    for _ in range(runs):
        for mode, found in times.items():
            found.append(milliseconds(lambda mode=mode: session(host, mode, "true")))  # type: ignore[misc]
    jail, off = (statistics.median(times[mode]) for mode in ("jail", "off"))
    print(
        f"start to end with a program that does nothing: jail {jail:.0f} ms, off {off:.0f} ms, ratio {jail / off:.2f}"
    )
    yield Row("the jail adds to a start and end", jail - off, 100, "ms")


def audit_cost(host: Host, runs: int) -> Iterator[Row]:
    """The cost of a session in a workspace of many files, above one in an empty workspace."""
    host.fresh()
    empty = statistics.median(milliseconds(lambda: session(host, "jail", "true")) for _ in range(runs))
    for folder in range(FOLDERS):
        place = host.work / f"d{folder}"
        place.mkdir()
        for name in range(FILES // FOLDERS):
            (place / f"f{name}").touch()
    host.give(host.work)
    full = statistics.median(milliseconds(lambda: session(host, "jail", "true")) for _ in range(runs))
    yield Row(f"one scan of {FILES:,} files", (full - empty) / 2000, 0.5, "s")


@contextmanager
def embedded_server() -> Iterator[tuple[str, str]]:
    """The embedded engine with the demo model, in its own home folder: address and key."""
    with tempfile.TemporaryDirectory() as home, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        places = {
            "MODELS_DIR": f"{home}/models",
            "STATE_DIR": f"{home}/state",
            "BUILD_DIR": f"{home}/build",
            "PROFILES_DIR": f"{home}/profiles",
        }
        choices = {"ENGINE": "embedded", "LLAMA_PORT": str(port)}
        settings = {f"CLAUDE_LOCAL_{name}": value for name, value in {**places, **choices}.items()}
        environment = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", **settings}

        def invoke(*arguments: str) -> None:
            subprocess.run(
                [sys.executable, "-m", "invoke", *arguments],
                cwd=ROOT,
                env=environment,
                check=True,
                capture_output=True,
            )

        write_demo_model(Path(home, "models", "demo.gguf"), seed=1, shape=SLOWER)
        Path(home, "profiles").mkdir()
        shutil.copy(ROOT / "profiles" / "_defaults.yaml", Path(home, "profiles"))
        Path(home, "profiles", "demo.yaml").write_text(PROFILE)
        invoke("up", "--model", "demo")
        try:
            yield f"127.0.0.1:{port}", Path(home, "state", "llama", "api_key").read_text()
        finally:
            invoke("down")


def door_cost(host: Host, runs: int) -> Iterator[Row]:
    """Alternates requests from a jail through the door with requests without either."""
    with embedded_server() as (address, key):
        (host.base / "key").write_text(key)
        host.render(external_url=f"http://{address}")
        host.fresh()
        (host.work / "ask.py").write_text(ASK)
        host.give(host.work)
        ask = f"/usr/bin/python3 ask.py {address} {key} {REQUESTS}"
        found: dict[str, list[list[float]]] = {"door": [], "direct": []}
        for _ in range(runs + 1):
            inside = session(host, "jail", ask.replace(f"{address} {key}", "$ANTHROPIC_UNIX_SOCKET none"))
            found["door"] += [json.loads(line) for line in inside.stdout.splitlines()]
            found["direct"] += [json.loads(line) for line in host.unconfined(ask).stdout.splitlines()]
    first = {way: statistics.median(row[0] for row in rows[REQUESTS:]) for way, rows in found.items()}
    speed = {way: statistics.median(row[1] for row in rows[REQUESTS:]) for way, rows in found.items()}
    print(f"first token: door {first['door']:.2f} ms, direct {first['direct']:.2f} ms")
    print(
        f"tokens per second: door {speed['door']:.0f}, direct {speed['direct']:.0f}, ratio {speed['door'] / speed['direct']:.3f}"
    )
    yield Row("the door adds to the first token", first["door"] - first["direct"], 2, "ms")
    yield Row("the door takes of the tokens per second", 100 * (1 - speed["door"] / speed["direct"]), 1, "%")


def main() -> int:
    """Prints the figures next to their targets and returns the number of missed ones."""
    small = "--small" in sys.argv
    account = open_account()
    rows: list[Row] = []
    with Recorder() as server:
        host = make_host(account, server)
        try:
            host.render()
            for measure, runs in ((start_cost, 31), (audit_cost, 5), (door_cost, 31)):
                rows += measure(host, 1 if small else runs)
        finally:
            host.close()
            close_account(account)
    print(f"\n{'':44} {'value':>13} {'target':>11}", *rows, sep="\n")
    return sum(row.missed for row in rows)


if __name__ == "__main__":
    sys.exit(main())

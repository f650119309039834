"""Measures the speed of the management API and of its switches.

    bench_api.py [status | blocked | switch [disk] [LAYERS] | many N [ENGINE]]

Everything runs on this machine, one after the other; only the ratios of one run are comparable with other machines.
The model of `switch` has 24 layers of 0.7 GB, or the given number: memory must hold it once. It needs root to reserve
that memory.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from benchmarks import blocked  # noqa: E402
from claude_local.lifecycle import up_down  # noqa: E402
from claude_local.lifecycle.request import Request  # noqa: E402
from claude_local.lifecycle.status import snapshot  # noqa: E402
from claude_local.lifecycle.steps import Steps  # noqa: E402
from claude_local.machine.settings import Settings, load_settings  # noqa: E402
from claude_local.models.demo_model import DemoShape, write_demo_model  # noqa: E402
from claude_local.profiles.load import load_profiles  # noqa: E402
from claude_local.server import probe  # noqa: E402
from claude_local.server.flags import HUGE_PAGES  # noqa: E402
from claude_local.server.llama_http import LlamaHttp  # noqa: E402
from claude_local.server.router import Router  # noqa: E402
from support.api_client import Api, Served, request  # noqa: E402  the path comes first
from support.machine import Machine  # noqa: E402
from support.runnable_models import LARGE, Shape, write_model  # noqa: E402

SECONDS = 5
CLIENTS = 2
LISTENERS = 4
ROUNDS = 10
WARM = 20
"""Switches before growth is measured."""
SETTLE_SECONDS = 4
"""A virtual machine may return freed memory to its host after two seconds, and gets it back slowly."""
DISK_BYTES_PER_SECOND = 550 * 10**6
"""Read speed of a SATA SSD."""
EVERY = 50
HUGE_PAGES_SET_ASIDE = "glibc.malloc.hugetlb=2"
HUGE_PAGE_BYTES = 2 * 2**20
CONTEXT_BYTES = 2**30


def ask_for_seconds(port: int, results: multiprocessing.Queue[list[float]]) -> None:
    """Requests /status repeatedly over one connection and returns the duration of each answer."""
    asked = request("GET", "/status", port, headers={"Connection": "keep-alive"})
    took = []
    with Api(port).connect() as connection:
        end = time.perf_counter() + SECONDS
        while (began := time.perf_counter()) < end:
            connection.sendall(asked)
            answer = connection.recv(65536)
            head, _, body = answer.partition(b"\r\n\r\n")
            missing = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) - len(body)
            while missing > 0:
                missing -= len(connection.recv(65536))
            took.append(time.perf_counter() - began)
    results.put(took)


def status() -> None:
    """Requests per second, slowest percent and memory, while other clients listen to events."""
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder)) as served:
        listeners = [served.api.connect() for _ in range(LISTENERS)]
        for listener in listeners:
            listener.sendall(request("GET", "/events", served.api.port))
        results: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
        workers = [
            multiprocessing.Process(target=ask_for_seconds, args=(served.api.port, results))
            for _ in range(CLIENTS)
        ]
        for worker in workers:
            worker.start()
        took = sorted(seconds for _ in workers for seconds in results.get())
        resident = psutil.Process(served.process.pid).memory_info().rss
        for connection in listeners:
            connection.close()
    print(f"/status: {len(took) / SECONDS:,.0f} requests/s over {CLIENTS} connections, {LISTENERS} listeners")
    print(f"/status: p50 {took[len(took) // 2] * 1e3:.2f} ms, p99 {took[len(took) * 99 // 100] * 1e3:.2f} ms")
    print(f"resident memory {resident / 1e6:.1f} MB")


def on_a_machine(
    then: Callable[[Machine], None],
    shape: DemoShape | Shape,
    engine: str = "docker",
    *,
    on_disk: bool = False,
) -> None:
    """An action on a machine that serves one of two models."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        port, management_port = first.getsockname()[1], second.getsockname()[1]
        own = Machine(
            ROOT,
            Path(folder),
            port,
            f"claude-local-bench-{port}",
            places(folder),
            management_port=management_port,
        )
        add_models(Path(folder), shape, on_disk=on_disk)
        for probe in (first, second):
            probe.close()
        try:
            own.invoke_ok("up", "--model", "one", "--engine", engine)
            then(own)
        finally:
            own.invoke("down")


def places(folder: str) -> dict[str, str]:
    return {
        f"CLAUDE_LOCAL_{name.upper()}_DIR": f"{folder}/{name}" for name in ("build", "models", "profiles")
    }


def add_models(folder: Path, shape: DemoShape | Shape, *, on_disk: bool) -> None:
    """Two models that are read completely while loading, as onto a card, not lazily by mmap.

    Large ones share their bytes and bypass the page cache, so that memory must hold only the loaded one. Without
    zeros on the disk they are sparse files, which the kernel reads as fast as from the cache.
    """
    for name in ("profiles", "models"):
        (folder / name).mkdir()
    shutil.copy(ROOT / "profiles" / "_defaults.yaml", folder / "profiles")
    for seed, name in enumerate(("one", "two"), start=1):
        path = folder / "models" / f"{name}.gguf"
        if not isinstance(shape, Shape):
            write_demo_model(path, seed=seed, shape=shape)
        elif seed == 1:
            write_model(path, shape)
            if on_disk:
                fill_hole(path)
        else:
            path.hardlink_to(folder / "models" / "one.gguf")
        load_mode = "dio" if isinstance(shape, Shape) else "none"
        (folder / "profiles" / f"{name}.yaml").write_text(
            f"title: {name}\ndescription: for a measurement\nmodel: {{file: {name}.gguf}}\n"
            f"server: {{ctx_size: 65536, parallel: 1, load_mode: {load_mode}}}\n"
        )


def fill_hole(path: Path) -> None:
    """Fills the sparse file of `write_model` with zeros on disk, so that reading it reads the disk."""
    piece = bytes(16 * 2**20)
    with path.open("r+b") as file:
        missing = path.stat().st_size - file.seek(0, os.SEEK_HOLE)
        while missing > 0:
            missing -= file.write(piece[:missing])
        os.fsync(file.fileno())


@contextlib.contextmanager
def memory_set_aside(own: Machine) -> Iterator[None]:
    """Restarts the container with its models in huge pages reserved for it. Needs root.

    A virtual machine may return freed memory to its host and get it back so slowly that a load sometimes takes three
    times as long. It keeps these pages.
    """
    build, model = (Path(own.environment[f"CLAUDE_LOCAL_{name}_DIR"]) for name in ("BUILD", "MODELS"))
    compose, count = build / "docker-compose.yml", Path("/proc/sys/vm/nr_hugepages")
    wanted = (model / "one.gguf").stat().st_size * 1.15 + CONTEXT_BYTES
    before = count.read_text()
    pages = int(before) + int(wanted / HUGE_PAGE_BYTES)
    compose.write_text(compose.read_text().replace(HUGE_PAGES, HUGE_PAGES_SET_ASIDE))

    def run(name: str, *arguments: str) -> None:
        subprocess.run(
            [build / "bin" / name, *arguments], env=own.environment, check=True, capture_output=True
        )

    try:
        run("llama-down")
        for name in ("drop_caches", "compact_memory"):
            (count.parent / name).write_text("1")
        count.write_text(str(pages))
        if int(count.read_text()) < pages:
            found = f"of {pages:,} huge pages this machine gave {int(count.read_text()):,}"
            sys.exit(f"{found}: restart it, or use fewer layers (bench_api.py switch 8)")
        run("llama-up", "one")
        yield
    finally:
        count.write_text(before)


LOAD, ALONE, WHOLE = "plain load", "the router alone", "a switch"


def load(router: Router, model: str) -> None:
    """The time of llama-server's router to load a model while no other one is loaded."""
    router.load(model)
    while not any(model["status"]["value"] == "loaded" for model in router.models()):
        time.sleep(0.01)


def ask_for_one_token(http: LlamaHttp, model: str) -> None:
    """A switch by the router alone: the old model is unloaded, the new one is loaded and answers."""
    answer = http.post("/completion", {"model": model, "prompt": "a", "n_predict": 1}, timeout_seconds=300)
    assert answer["model"] == model, answer


def settings_of(own: Machine) -> Settings:
    return load_settings(own.environment, own.checkout, user_id=os.getuid(), group_id=os.getgid())


def step_seconds(own: Machine) -> dict[str, list[float]]:
    """The time of a switch and of each step, compared with a plain load and the router alone.

    They alternate, so that all see the same machine; the switch runs in this process.
    """
    settings = settings_of(own)
    profiles, http = load_profiles(settings.profiles_dir), LlamaHttp(own.url, own.key)
    router = Router(http)
    took: dict[str, list[float]] = {}

    def timed(name: str, step: Callable[..., Any]) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            began = time.perf_counter()
            step(*arguments)
            took.setdefault(name, []).append(time.perf_counter() - began)

        return run

    plain, alone = timed(LOAD, load), timed(ALONE, ask_for_one_token)
    switch = timed(WHOLE, up_down.switch)
    names = ("check", "wait_until_idle", "stop_old", "start", "verify")
    steps = type("TimedSteps", (Steps,), {name: timed(f"  {name}", getattr(Steps, name)) for name in names})
    setattr(up_down, "Steps", steps)  # noqa: B010  it is a type, too
    setattr(probe, "check_answers", timed("    of that, the first token", probe.check_answers))  # noqa: B010
    for number in range(ROUNDS):
        new, old = ("two", "one")[:: 1 if number % 2 == 0 else -1]
        time.sleep(SETTLE_SECONDS)
        router.unload_all()
        plain(router, new)
        time.sleep(SETTLE_SECONDS)
        alone(http, old)
        time.sleep(SETTLE_SECONDS)
        switch(settings, Request(profiles[new], profiles))
    return took


def switch_seconds(own: Machine) -> list[float]:
    """The time of a switch through the management API."""
    Api(own.management_port).post("/switch", {"model": "one"})
    took = []
    for number in range(ROUNDS):
        time.sleep(SETTLE_SECONDS)
        began = time.perf_counter()
        answer = Api(own.management_port).post("/switch", {"model": ("two", "one")[number % 2]})
        assert answer.json().get("outcome") == "switched", answer
        took.append(time.perf_counter() - began)
    return took


def container_seconds(own: Machine) -> list[float]:
    """The time to stop the container and to start it with the other model."""
    scripts = Path(own.environment["CLAUDE_LOCAL_BUILD_DIR"]) / "bin"
    took = []
    for number in range(ROUNDS // 2):
        time.sleep(SETTLE_SECONDS)
        began = time.perf_counter()
        for argv in ([scripts / "llama-down"], [scripts / "llama-up", ("two", "one")[number % 2]]):
            subprocess.run(argv, env=own.environment, check=True, capture_output=True)
        took.append(time.perf_counter() - began)
    return took


def end_management(own: Machine) -> None:
    """Ends the management API, which would move the alias to each model that the router loads."""
    management = json.loads((own.state_dir / "management" / "process.json").read_text())["pid"]
    psutil.Process(management).terminate()
    psutil.wait_procs([psutil.Process(management)], timeout=30)


def compare(own: Machine) -> None:
    """A switch compared with the router alone and with a new container, without disk reads.

    The containers come first: a switch through the API rewrites build/ without the reserved memory.
    """
    with memory_set_aside(own):
        container = statistics.median(container_seconds(own))
        through_api = statistics.median(switch_seconds(own))
        end_management(own)
        print_steps(own)
    print(f"through the API {through_api:.2f} s, container {container:.2f} s")
    print(f"a switch through the API / stop and compose up = {through_api / container:.2f}")


def compare_from_disk(own: Machine) -> None:
    """A switch compared with the router alone, with files read from a disk of constant speed."""
    end_management(own)
    with memory_set_aside(own):
        server = snapshot(settings_of(own)).server_process_id
        assert server
        limit_reading(server, own.state_dir, DISK_BYTES_PER_SECOND)
        print_steps(own)


def limit_reading(process_id: int, folder: Path, bytes_per_second: int) -> None:
    """Limits the read speed of a process's control group on the disk of `folder`. Needs root."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    groups = Path("/sys/fs/cgroup")
    for line in Path(f"/proc/{process_id}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "blkio":
            group = groups / "blkio" / path.strip("/")
            (group / "blkio.throttle.read_bps_device").write_text(f"{number} {bytes_per_second}")
            return
    (groups / path.strip("/") / "io.max").write_text(f"{number} rbps={bytes_per_second}")


def print_steps(own: Machine) -> None:
    steps = step_seconds(own)
    for name, seconds in steps.items():
        print(f"{name}: median {statistics.median(seconds) * 1e3:.0f} ms, best {min(seconds) * 1e3:.0f} ms")
    for name in (LOAD, ALONE):
        switches, others = steps[WHOLE], steps[name]
        rounds = statistics.median(ours / other for ours, other in zip(switches, others, strict=True))
        medians = statistics.median(switches) / statistics.median(others)
        best = min(switches) / min(others)
        print(f"a switch / {name} = {medians:.2f}, by rounds {rounds:.2f}, best of each {best:.2f}")


@dataclass(frozen=True)
class Held:
    """The resources held by the management API and Docker at one moment."""

    resident_mb: float
    descriptors: int
    threads: int
    in_docker: int
    processes: int
    """Processes on this machine: the management API and, if embedded, the model."""

    def __str__(self) -> str:
        return (
            f"{self.resident_mb:.1f} MB, {self.descriptors} descriptors, {self.threads} threads, "
            f"{self.in_docker} objects in Docker, {self.processes} processes"
        )

    def grown_since(self, before: Held) -> list[str]:
        """The resources that have grown; small changes of memory and threads are ignored."""
        slack = {"resident_mb": 2.0 + before.resident_mb / 20, "threads": 2, "descriptors": 2}
        now, then = asdict(self), asdict(before)
        return [name for name in now if now[name] > then[name] + slack.get(name, 0)]


def held(own: Machine) -> Held:
    record = json.loads((own.state_dir / "management" / "process.json").read_text())
    process = psutil.Process(record["pid"])
    resident = process.memory_info().rss / 1e6
    in_docker, processes = len(own.left_in_docker()), len(own.our_processes())
    return Held(resident, process.num_fds(), process.num_threads(), in_docker, processes)


def many(count: int) -> Callable[[Machine], None]:
    """Switches repeatedly and prints what has grown. The first switches fill caches and are ignored."""

    def then(own: Machine) -> None:
        before, failed = held(own), 0
        warm = min(WARM, count // 2)
        for number in range(1, count + 1):
            answer = Api(own.management_port).post("/switch", {"model": ("one", "two")[number % 2]})
            failed += answer.status != 200
            if number == warm:
                before = held(own)
            if number in (warm, count) or number % EVERY == 0:
                print(f"after {number}: {held(own)}, {failed} failed", flush=True)
        grown = held(own).grown_since(before)
        verdict = f"GROWN since switch {warm}: {', '.join(grown)}" if grown else "nothing grew"
        print(f"{count} switches: {failed} failed; {verdict}")
        sys.exit(bool(failed or grown))

    return then


def large(layers: int = LARGE.layers) -> Shape:
    return replace(LARGE, layers=layers)


def main() -> None:
    if sys.argv[1:2] == ["switch"] and os.geteuid() != 0:
        sys.exit("`switch` reserves memory, which needs root: run it with sudo")
    match sys.argv[1:]:
        case ["many", number, *engine]:
            on_a_machine(many(int(number)), DemoShape(), *engine)
        case ["blocked"]:
            sys.exit(not all([blocked.api_is_open(), blocked.door_is_open()]))
        case ["switch", "disk", *layers]:
            on_a_machine(compare_from_disk, large(*map(int, layers)), on_disk=True)
        case ["switch", *layers]:
            on_a_machine(compare, large(*map(int, layers)))
        case [] | ["status"]:
            status()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()

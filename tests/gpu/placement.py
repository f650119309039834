"""A model over two uneven devices: where llama-fit-params puts it, what is taken there, and what the plan expects."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpu.load_log import ListedDevice, allocations, listed_devices, memory_lines
from gpu.project import fitted_options, on_cards
from gpu.server import Programs, ServerFailed, free_port, running
from gpu.speed import OURS, Bench, as_mib

TWO_OF_ONE = {"GGML_CUDA_DEVICES": "2"}
"""ggml's CUDA backend shows one card as two, each with half of its memory."""
NO_CARD = {"CUDA_VISIBLE_DEVICES": ""}
WORKER_SECONDS = 30
SHARES = {"fits": (0.8, 0.5), "too small": (0.45, 0.25)}
"""The room of each device, as a share of all that the model takes."""
TOOL_FLAGS = {"--model", "--ctx-size", "--parallel", "--flash-attn", "--cache-type-k", "--cache-type-v"}


@dataclass(frozen=True)
class Devices:
    """What llama.cpp is to see: arguments, variables, and better names for its buffers."""

    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)


@contextlib.contextmanager
def two_cuda_devices(_: Programs) -> Iterator[Devices]:
    yield Devices(variables=TWO_OF_ONE)


@contextlib.contextmanager
def two_workers(programs: Programs) -> Iterator[Devices]:
    """Two RPC workers on the card, the first with half of its memory; on the CPU where there is no card."""
    ports = [free_port(), free_port()]
    has_card = "CUDA0" in programs.output("llama-server", "--list-devices")
    with contextlib.ExitStack() as stack:
        for port, variables in zip(ports, (TWO_OF_ONE, {}), strict=True):
            argv = programs.argv("ggml-rpc-server", "-H", "127.0.0.1", "-p", str(port))
            argv += ["-d", "CUDA0"] if has_card else ["-t", "1"]
            log = programs.work / f"worker-{port}.log"
            stack.enter_context(running(argv, log, programs.environment(variables)))
        arguments = ("--rpc", ",".join(f"127.0.0.1:{port}" for port in ports))
        names = {f"RPC0[127.0.0.1:{port}]": f"RPC{index}" for index, port in enumerate(ports)}
        devices = Devices(arguments, NO_CARD, names)
        _wait_for(programs, devices)
        yield devices


def measure(bench: Bench, model: str, devices: Devices, room: str, keep_log: Any) -> Iterator[dict[str, Any]]:
    """One row for each device, then one for the RAM."""
    programs = bench.programs
    found = _listed(programs, devices)
    if len(found) != 2:
        raise LookupError(f"two devices are needed, llama-server lists {[d.name for d in found]}")
    profile = bench.profile(model, OURS)
    needed = sum(device.used_bytes for device in bench.project.plan(profile)) / 2**20
    rooms = [int(needed * share) for share in SHARES[room]]
    targets = ",".join(str(device.free_mib - mib) for device, mib in zip(found, rooms, strict=True))
    arguments = [*bench.project.arguments(profile), *devices.arguments, "--fit-target", targets]
    tool = [*_known(bench.project.arguments(profile)), *devices.arguments, "--fit-target", targets]
    line = programs.output("llama-fit-params", *tool, more=devices.variables).strip().splitlines()[-1]
    planned = as_mib(bench.project.plan(profile, on_cards(rooms)))
    with programs.serving(*arguments, more=devices.variables) as served:
        log = served.log_text()
        answer = served.ask(served.words(bench.sizes.prompts[0]), bench.sizes.generated_tokens)
    keep_log(f"{model}, {devices.arguments or devices.variables}, {room}", [line, *memory_lines(log)])
    taken = allocations(log, devices.names)
    names = [*(device.name for device in found), *sorted(set(taken) - {device.name for device in found})]
    for index, name in enumerate(names):
        yield {
            "device": name,
            "free_mib": found[index].free_mib if index < len(found) else None,
            "room_mib": rooms[index] if index < len(rooms) else None,
            "allocated": dataclasses.asdict(taken[name]) if name in taken else None,
            "planned": planned.get(f"CUDA{index}" if index < len(found) else name),
            "load_seconds": served.load_seconds,
            "generation": answer.generated_per_second,
            "options": dict(fitted_options(line)),
        }


def _known(arguments: Sequence[str]) -> list[str]:
    """Those that llama-fit-params knows too."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return [token for flag, value in pairs if flag in TOOL_FLAGS for token in (flag, value)]


def _listed(programs: Programs, devices: Devices) -> list[ListedDevice]:
    return listed_devices(
        programs.output("llama-server", *devices.arguments, "--list-devices", more=devices.variables)
    )


def _wait_for(programs: Programs, devices: Devices) -> None:
    """Until both workers answer: a client aborts where one does not."""
    deadline = time.perf_counter() + WORKER_SECONDS
    while True:
        try:
            if len(_listed(programs, devices)) == 2:
                return
        except ServerFailed:
            if time.perf_counter() > deadline:
                raise
        time.sleep(0.2)

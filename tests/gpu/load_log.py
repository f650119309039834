"""What llama-server and its companions say of devices and memory, read from their output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

CPU = "CPU"
LOADING = "loading model tensors"

# llama_kv_cache:      CUDA0 KV buffer size =  4352.00 MiB
BUFFER = re.compile(r"(?P<name>\S+) +(?P<kind>model|KV|RS|compute|output) buffer size = +(?P<mib>[\d.]+) MiB")
FIELDS = {"model": "weights_mib", "KV": "cache_mib", "RS": "cache_mib"}

#   CUDA0: NVIDIA H100 80GB HBM3 (81079 MiB, 80560 MiB free)
LISTED = re.compile(r"^ +(?P<name>\w+): .*\((?P<total>\d+) MiB, (?P<free>\d+) MiB free\)$", re.MULTILINE)


@dataclass(frozen=True)
class Allocation:
    """What a server holds on one device, in MiB."""

    weights_mib: float = 0
    cache_mib: float = 0
    """KV cache and the states of recurrent layers."""
    compute_mib: float = 0

    @property
    def total_mib(self) -> float:
        return self.weights_mib + self.cache_mib + self.compute_mib


@dataclass(frozen=True)
class ListedDevice:
    """A device as `--list-devices` shows it."""

    name: str
    total_mib: int
    free_mib: int


def allocations(log: str, names: Mapping[str, str] | None = None) -> dict[str, Allocation]:
    """What each device holds after the last load in this log; all kinds of RAM are one device.

    `names` are better ones: the buffers of every RPC worker are called RPC0[host:port].
    """
    found: dict[str, Allocation] = {}
    compute: dict[tuple[str, str], float] = {}
    for match in BUFFER.finditer(log[max(0, log.rfind(LOADING)) :]):
        device, mib = _device(match["name"], names or {}), float(match["mib"])
        held = found.setdefault(device, Allocation())
        if field := FIELDS.get(match["kind"]):
            found[device] = replace(held, **{field: getattr(held, field) + mib})
        else:  # reserved anew, it is said again
            compute[device, match["name"] + match["kind"]] = mib
    for (device, _), mib in compute.items():
        found[device] = replace(found[device], compute_mib=found[device].compute_mib + mib)
    return found


def listed_devices(text: str) -> list[ListedDevice]:
    """The devices that `--list-devices` prints."""
    return [ListedDevice(m["name"], int(m["total"]), int(m["free"])) for m in LISTED.finditer(text)]


def memory_lines(log: str) -> list[str]:
    """The lines from which the figures come, without time stamps."""
    marks = (
        "buffer size",
        "using device",
        "offloaded",
        "llama_context: n_ctx ",
        "llama_context: flash_attn",
        "sched copies",
    )
    return [line.split(" I ", 1)[-1] for line in log.splitlines() if any(mark in line for mark in marks)]


def _device(buffer: str, names: Mapping[str, str]) -> str:
    if buffer.startswith("CPU") or buffer.endswith("_Host"):
        return CPU
    return names.get(buffer, buffer)

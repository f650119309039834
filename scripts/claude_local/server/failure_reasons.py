"""Why a model failed, in one line, from llama-server's log."""

from __future__ import annotations

import re

MODEL_LINE = re.compile(r"\[(?P<port>\d+)\] (?P<text>.*)")
NO_ROOM = re.compile(r"allocating (?P<mib>[\d.]+) MiB on device (?P<gpu>\d+): \w+ failed: out of memory")
FREE = re.compile(r"using device [A-Za-z]+(?P<gpu>\d+) .* - (?P<mib>\d+) MiB free")
MIB_PER_GB = 1e9 / 2**20


def reason_in(lines: list[str], otherwise: str = "") -> str:
    """The line of a router's log with the reason for the last failure, else `otherwise` or the last lines.

    The router puts `[port] ` before the lines of a model's process. Its own lines also report every profile
    without a file, which is not a failure.
    """
    models = [match for line in lines if (match := MODEL_LINE.match(line))]
    if models:
        last = models[-1]["port"]
        lines = [match["text"] for match in models if match["port"] == last]
    if words := _out_of_memory(lines):
        return words
    wrong = [line for line in lines if " E " in line or "error" in line.lower()]
    if otherwise and not wrong:
        return otherwise
    return " / ".join(_without_prefix(line) for line in (wrong[:1] or lines[-2:]))


def _out_of_memory(lines: list[str]) -> str:
    """`out of memory on GPU 0: no room for a buffer of 21.3 GB (…)`; "" for any other reason.

    Reads the lines of llama.cpp's CUDA backend. The free memory is that at the start of the load, so it may
    be more than this one buffer: others were allocated first.
    """
    missing = [match for line in lines if (match := NO_ROOM.search(line))]
    if not missing:
        return ""
    gpu = missing[-1]["gpu"]
    free = [float(match["mib"]) for line in lines if (match := FREE.search(line)) and match["gpu"] == gpu]
    size = float(missing[-1]["mib"]) / MIB_PER_GB
    room = f" ({free[-1] / MIB_PER_GB:.1f} GB were free before loading)" if free else ""
    if free and free[-1] / MIB_PER_GB >= size:
        room = room[:-1] + "; earlier buffers took part of that)"
    return f"out of memory on GPU {gpu}: no room for a buffer of {size:.1f} GB{room}"


def _without_prefix(line: str) -> str:
    return re.sub(r"^[\d.]+ [A-Z] \S*\s+", "", line)

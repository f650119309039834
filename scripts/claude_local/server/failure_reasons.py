"""Why a model failed, in one line, from llama-server's log."""

from __future__ import annotations

import re

MODEL_LINE = re.compile(r"\[(?P<port>\d+)\] (?P<text>.*)")
NO_ROOM = re.compile(r"allocating (?P<mib>[\d.]+) MiB on device (?P<gpu>\d+): \w+ failed: out of memory")
FREE = re.compile(r"using device [A-Za-z]+(?P<gpu>\d+) .* - (?P<mib>\d+) MiB free")
MIB_PER_GB = 1e9 / 2**20

NO_CODE = re.compile(r"no kernel image is available|kernel image is invalid|no device code available")
CUDA_CARD = re.compile(r"current device: (?P<gpu>\d+)")
CARDS = (
    re.compile(r"using device [A-Za-z]+(?P<gpu>\d+) \((?P<name>[^)]+)\)"),
    re.compile(r"Device (?P<gpu>\d+): (?P<name>[^,]+), compute capability (?P<capability>\d+\.\d+)"),
)

TELLING = (
    r"unsupported toolchain|driver version is insufficient|unsupported display driver",
    r"out of memory|failed to allocate|unable to allocate|cannot allocate memory|bad_alloc|not enough (memory|space)",
    r"unknown (model )?(architecture|pre-tokenizer)|unsupported (model )?(architecture|version)",
    r"corrupted or incomplete|not within the file bounds|invalid magic|bad magic|no such file|permission denied"
    r"|missing tensor|tensor '[^']*' (not found|has wrong)|wrong number of tensors|key not found|wrong shape",
    r"invalid argument|unknown argument|error while handling argument|error parsing|failed to parse",
    r"(CUDA|HIP|cublas|vulkan) error: |vk::|device lost|what\(\):",
    r"error loading model: ",
)
"""The kinds of lines that explain a failure, the best first. Within a kind the first line counts."""
REPEATING = re.compile(
    r"\w+ failed$|failed to load model|model loading error|GGML_ASSERT|terminate called|encountered an error while"
    r"|failed to fit|exiting|mlock|mmap failed",
    re.IGNORECASE,
)
"""Lines that only repeat that something failed, or that a load survives."""


def reason_in(lines: list[str], otherwise: str = "") -> str:
    """The line of a router's log that tells most about the last failure, else `otherwise` or the last lines.

    The router puts `[port] ` before the lines of a model's process. Its own lines also report every profile
    without a file, which is not a failure.
    """
    models = [match for line in lines if (match := MODEL_LINE.match(line))]
    if models:
        last = models[-1]["port"]
        lines = [match["text"] for match in models if match["port"] == last]
    if words := _out_of_memory(lines) or _no_code_for_card(lines):
        return words
    wrong = [line for line in lines if _is_wrong(line)]
    if otherwise and not wrong:
        return otherwise
    return " / ".join(_without_prefix(line) for line in (sorted(wrong, key=_kind)[:1] or lines[-2:]))


def _is_wrong(line: str) -> bool:
    if " W " in line:
        return False
    return " E " in line or "what():" in line or bool(re.search(r"error| failed$", line, re.IGNORECASE))


def _kind(line: str) -> int:
    """How much a line explains; less is better."""
    if REPEATING.search(line):
        return len(TELLING) + 1
    found = (kind for kind, pattern in enumerate(TELLING) if re.search(pattern, line, re.IGNORECASE))
    return next(found, len(TELLING))


def _no_code_for_card(lines: list[str]) -> str:
    """`this image has no code for GPU 0 (NVIDIA …)`; "" for any other reason."""
    if not any(NO_CODE.search(line) for line in lines):
        return ""
    cards: dict[str, dict[str, str]] = {}
    for line in lines:
        for card in filter(None, (pattern.search(line) for pattern in CARDS)):
            cards.setdefault(card["gpu"], {}).update(card.groupdict())
    current = next((match["gpu"] for line in lines if (match := CUDA_CARD.search(line))), "0")
    known = cards.get(current, {})
    capability = known.get("capability", "")
    name = ", ".join(filter(None, [known.get("name", ""), capability and f"compute capability {capability}"]))
    build = f'invoke build-image --architectures "{capability.replace(".", "")}-real"' if capability else ""
    return (
        f"this image has no code for GPU {current}{f' ({name})' if name else ''}; "
        f"build one for it: {build or 'invoke build-image'}"
    )


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
        room = room[:-1] + "; earlier buffers used some of it)"
    return f"out of memory on GPU {gpu}: no room for a buffer of {size:.1f} GB{room}"


def _without_prefix(line: str) -> str:
    return re.sub(r"^[\d.]+ [A-Z] \S*\s+", "", line).strip()

"""What a session measured, as Markdown. Ratios are to llama-server with its own settings, from the same session."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
OWN = "llama-server's own"
KINDS = ("weights_mib", "cache_mib", "compute_mib")


def markdown(machine: Row, rows: Sequence[Row]) -> str:
    """All tables that these rows fill."""
    parts = [
        *_machine(machine),
        *_section("Speed", speed_tables(machine, rows)),
        *_section("Planned and allocated memory", plan_table(rows)),
        *_section("Two uneven devices", placement_table(rows)),
        *_section("First token", first_token_table(rows)),
        *_section("A switch in router mode", router_table(rows)),
        *_section("Sensors under load", sensor_table(rows)),
        *_section("What failed", failures(rows)),
    ]
    return "\n".join(parts) + "\n"


def speed_tables(machine: Row, rows: Sequence[Row]) -> Iterator[str]:
    """For each model the medians of all rounds in tokens/s, and behind them the ratio to llama-server's own."""
    good = [row for row in rows if row["step"] == "speed" and "error" not in row]
    columns = [f"{what} {size}" for what in ("prompt", "generation") for size in machine["prompts"]]
    for model in dict.fromkeys(row["model"] for row in good):
        of_model = [row for row in good if row["model"] == model]
        own = {column: _median(of_model, OWN, column) for column in columns}
        yield ""
        yield from _head([model, "rounds", *columns])
        for setting in dict.fromkeys(row["setting"] for row in of_model):
            count = sum(row["setting"] == setting for row in of_model)
            medians = {column: _median(of_model, setting, column) for column in columns}
            yield _line([setting, count, *(_with_ratio(medians[c], own[c]) for c in columns)])
        yield ""
        most, middle = (_spread(of_model, columns, of) for of in (max, statistics.median))
        yield f"The rounds of {model} differ by {most:.1%} at most, in the median by {middle:.1%}."


def plan_table(rows: Sequence[Row]) -> Iterator[str]:
    """Planned / allocated in MiB of each device, and the error of the planned total."""
    yield from _head(["model", "setting", "device", "weights", "cache", "compute", "total", "error"])
    seen = set()
    for row in rows:
        key = (row.get("model"), row.get("setting"))
        if row["step"] != "speed" or "error" in row or key in seen or not row["planned"]:
            continue
        seen.add(key)
        for device, taken in row["allocated"].items():
            planned = row["planned"].get(device)
            yield _line([*key, device, *_beside(planned, taken)])


def placement_table(rows: Iterable[Row]) -> Iterator[str]:
    """Room, plan and allocation of each device, and the options that llama-fit-params chose."""
    columns = [
        "devices",
        "model",
        "room",
        "device",
        "room MiB",
        "weights",
        "cache",
        "compute",
        "total",
        "error",
    ]
    yield from _head([*columns, "llama-fit-params"])
    for row in rows:
        if row["step"] == "placement" and "error" not in row:
            place = [row[key] for key in ("devices", "model", "room", "device")]
            beside = _beside(row["planned"], row["allocated"])
            yield _line([*place, row["room_mib"] or "", *beside, _chosen(row["options"])])


def first_token_table(rows: Iterable[Row]) -> Iterator[str]:
    """Seconds to the first token, and as a share of a cold one."""
    yield from _head(["model", "way", "seconds", "of cold", "tokens read", "tokens cached", "GB"])
    cold: dict[str, float] = {}
    for row in rows:
        if row["step"] == "first token" and "error" not in row:
            if row["way"] == "cold":
                cold[row["model"]] = row["seconds"]
            share = f"{row['seconds'] / cold[row['model']]:.1%}"
            size = f"{row['bytes'] / 1e9:.2f}" if "bytes" in row else ""
            tokens = [row.get("prompt_tokens", ""), row.get("cached_tokens", "")]
            yield _line([row["model"], row["way"], f"{row['seconds']:.3f}", share, *tokens, size])


def router_table(rows: Iterable[Row]) -> Iterator[str]:
    """Seconds of each load with its first token, and against the plain load of the same model."""
    yield from _head(["way", "model", "unload", "load", "to the first token", "of a plain load"])
    plain: dict[str, float] = {}
    for row in rows:
        if row["step"] == "router" and "error" not in row:
            if row["way"] == "plain load":
                plain[row["model"]] = row["seconds"]
            unload = f"{row['unload_seconds']:.2f}" if "unload_seconds" in row else ""
            times = [unload, f"{row['load_seconds']:.2f}", f"{row['seconds']:.2f}"]
            yield _line([row["way"], row["model"], *times, f"{row['seconds'] / plain[row['model']]:.2f}"])


def sensor_table(rows: Sequence[Row]) -> Iterator[str]:
    """The project's reading / nvidia-smi's, each from its smallest to its largest."""
    good = [row for row in rows if row["step"] == "sensors" and "error" not in row]
    yield from _head(["load", "readings", "sensor", "ours", "nvidia-smi", "largest difference"])
    for load in dict.fromkeys(row["load"] for row in good):
        pairs = [row for row in good if row["load"] == load]
        for sensor in pairs[0]["ours"]:
            ours, theirs = ([row[who][sensor] for row in pairs] for who in ("ours", "nvidia_smi"))
            if None in ours or None in theirs:
                yield _line([load, len(pairs), sensor, ours[0], theirs[0], "not known"])
                continue
            most = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
            yield _line([load, len(pairs), sensor, _range(ours), _range(theirs), f"{most:,.1f}"])


def _chosen(options: Row) -> str:
    """The options that llama-fit-params chose, those that move tensors only by their number."""
    moved = options.get("override-tensor", "").count("=CPU")
    named = [f"{key} {options[key]}" for key in ("n-gpu-layers", "tensor-split") if key in options]
    return ", ".join([*named, *([f"{moved} groups of tensors on the CPU"] if moved else [])])


def failures(rows: Iterable[Row]) -> Iterator[str]:
    yield from _head(["step", "where", "why"])
    for row in rows:
        if "error" in row:
            where = ", ".join(str(v) for k, v in row.items() if k not in ("step", "error"))
            yield _line([row["step"], where, _cut(row["error"].replace("|", "/"), 300)])


def _machine(machine: Row) -> Iterator[str]:
    yield from _head(["machine", ""])
    for key, value in machine.items():
        yield _line([key, ", ".join(map(str, value)) if isinstance(value, list) else value])


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return ["", f"## {title}", "", *lines]


def _median(rows: Iterable[Row], setting: str, column: str) -> float | None:
    values = [row[column] for row in rows if row["setting"] == setting]
    return statistics.median(values) if values else None


def _spread(rows: Sequence[Row], columns: Sequence[str], of: Callable[[Sequence[float]], float]) -> float:
    """By what share the rounds of one setting differ: the largest difference of all, or their median."""
    values = [
        [row[column] for row in rows if row["setting"] == setting]
        for setting in dict.fromkeys(row["setting"] for row in rows)
        for column in columns
    ]
    return of([max(each) / min(each) - 1 for each in values])


def _with_ratio(value: float | None, own: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} ({value / own:.2f})" if own else f"{value:,.0f}"


def _beside(planned: Row | None, taken: Row | None) -> list[str]:
    """Planned / taken of each kind and of all, and how much the plan is off."""
    if not planned or not taken:
        values = planned or taken or {}
        one = [f"{values[kind]:,.0f}" if values else "" for kind in KINDS]
        side = "planned only" if planned else "taken only"
        return [*one, f"{sum(values.get(kind, 0) for kind in KINDS):,.0f}", side]
    sums = [sum(side[kind] for kind in KINDS) for side in (planned, taken)]
    each = [f"{planned[kind]:,.0f} / {taken[kind]:,.0f}" for kind in KINDS]
    off = f"{sums[0] / sums[1] - 1:+.1%}" if sums[1] else ""
    return [*each, f"{sums[0]:,.0f} / {sums[1]:,.0f}", off]


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:,.1f}" if low == high else f"{low:,.1f} to {high:,.1f}"


def _cut(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _head(cells: Sequence[Any]) -> Iterator[str]:
    yield _line(cells)
    yield _line(["---"] * len(cells))


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"

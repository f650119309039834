"""What a session measured: rows that are kept as soon as they are known, and steps that cannot stop the others."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from gpu import tables

LEAST_SECONDS = 8.0
"""No step begins with less left."""
ERROR_LENGTH = 900
Row = Mapping[str, Any]


class TookTooLong(Exception):
    """A step had its time, or the session had."""


class Record:
    """The rows of a session, written to its folder after each step."""

    def __init__(self, folder: Path, machine: Row, seconds: float) -> None:
        self._folder, self._machine, self._seconds = folder, dict(machine), seconds
        self._started = time.perf_counter()
        self._allocations: list[str] = []
        self.rows: list[dict[str, Any]] = []

    def say(self, text: str) -> None:
        """A line of progress, with the seconds since the session began."""
        print(f"[{time.perf_counter() - self._started:6.1f}] {text}", flush=True)

    def seconds_left(self) -> float:
        return self._seconds - (time.perf_counter() - self._started)

    def step(self, facts: Row, limit: float, measure: Callable[[], Iterable[Row]]) -> None:
        """Adds the rows of a measurement; a failure becomes a row as well. `facts` are in every row."""
        started = time.perf_counter()
        before = len(self.rows)
        left = self.seconds_left()
        if left < LEAST_SECONDS:
            self._add({**facts, "error": "no time left"})
        else:
            try:
                with _time_limit(min(limit, left)):
                    for row in measure():
                        self._add({**facts, **row})
            except Exception as error:  # what fails must not end the rest
                self._add(
                    {**facts, "error": " ".join(f"{type(error).__name__}: {error}".split())[:ERROR_LENGTH]}
                )
        seconds = time.perf_counter() - started
        for row in self.rows[before:]:
            values = {key: _short(value) for key, value in row.items() if not isinstance(value, (list, dict))}
            self.say(" ".join(f"{key}={value}" for key, value in values.items()))
        self.say(f"{facts['step']}: {seconds:.1f} s, {self.seconds_left():.0f} s left")
        self.write()

    def keep_log(self, title: str, lines: Iterable[str]) -> None:
        """Lines of a server's log, from which figures come."""
        self._allocations += [f"== {title}", *lines]

    def write(self) -> None:
        """result.json, tables.md and allocations.log, as far as they are known."""
        self._machine["seconds"] = round(time.perf_counter() - self._started, 1)
        rows = ",\n".join(json.dumps(row) for row in self.rows)
        result = f'{{"machine": {json.dumps(self._machine)}, "rows": [\n{rows}\n]}}\n'
        (self._folder / "result.json").write_text(result, encoding="utf-8")
        (self._folder / "tables.md").write_text(tables.markdown(self._machine, self.rows), encoding="utf-8")
        (self._folder / "allocations.log").write_text("\n".join(self._allocations) + "\n", encoding="utf-8")

    def _add(self, row: Row) -> None:
        self.rows.append(dict(row))


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise TookTooLong(f"stopped after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _short(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value

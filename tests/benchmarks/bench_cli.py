"""Measures the start time of the command line: python tests/benchmarks/bench_cli.py

Prints the median of seven runs in wall seconds next to the target. Fails if a target is missed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = 7
TARGET_SECONDS = {"--list": 0.4, "render": 0.6}


def median_seconds(argument: str) -> float:
    """The median wall time of `invoke <argument>`."""
    return statistics.median(_seconds([sys.executable, "-m", "invoke", argument]) for _ in range(RUNS))


def _seconds(argv: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(argv, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> int:
    """Prints the table and returns the number of missed targets."""
    print(f"{'command':18} {'median':>8} {'target':>8}")
    missed = 0
    for argument, target in TARGET_SECONDS.items():
        seconds = median_seconds(argument)
        missed += seconds > target
        verdict = "" if seconds <= target else "  too slow"
        print(f"{'invoke ' + argument:18} {seconds:6.2f} s {target:6.2f} s{verdict}")
    return missed


if __name__ == "__main__":
    sys.exit(main())

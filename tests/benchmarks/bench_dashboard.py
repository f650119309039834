"""Measures the cost of the dashboard and the page: python tests/benchmarks/bench_dashboard.py [--page]

The dashboard runs at a pseudo-terminal of 120 columns and 40 rows, in front of a server that sends a
recorded snapshot once a second. Prints each figure next to its target and fails if one is missed. With
--page it also measures the page, in a real Chromium in front of the same server.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

MEGABYTE = 1e6
IDLE_SECONDS = 20
KEY_PRESSES = 40
LINES_PER_SECOND = 10_000
GROWTH_UPDATES = 900


@contextlib.contextmanager
def flood(lines_per_second: int) -> Iterator[int]:
    """The port of a server that sends this many log lines per second."""
    argv = [sys.executable, str(ROOT / "tests" / "event_flood.py"), str(lines_per_second)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield int(server.stdout.readline())
        server.kill()


def lines_sent(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sent") as answer:
        return int(json.load(answer)["lines"])


class Dashboard:
    """`invoke dashboard` at a pseudo-terminal."""

    def __init__(self, port: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        with tempfile.TemporaryDirectory() as home:
            environment = {
                "PATH": os.defpath,
                "HOME": home,
                "LANG": "C.UTF-8",
                "TERM": "xterm-256color",
            }
            program = (
                "import os, sys; sys.path.insert(0, 'scripts')\n"
                "from claude_local.dashboard import session\n"
                f"client = session.ApiClient({port})\n"
                "session.run(client, session.look_of(os.environ, 'auto'))\n"
            )
            self.process = subprocess.Popen(
                [sys.executable, "-c", program],
                cwd=ROOT,
                env=environment,
                stdin=slave,
                stdout=slave,
                stderr=slave,
            )
        os.close(slave)
        self.usage = psutil.Process(self.process.pid)
        self.bytes_received = 0
        self.read_until(b"? help", 30)

    def read_for(self, seconds: float) -> bytes:
        """The bytes that it draws within the time."""
        received = b""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([self.master], [], [], left)
            if ready:
                received += os.read(self.master, 65536)
        self.bytes_received += len(received)
        return received

    def read_until(self, text: bytes, seconds: float) -> float:
        """Seconds until `text` is drawn; earlier output is discarded."""
        began = time.perf_counter()
        received = b""
        while text not in received:
            ready, _, _ = select.select([self.master], [], [], seconds)
            if not ready:
                raise SystemExit(f"{text!r} was not drawn: {received[-500:]!r}")
            received = received[-200:] + os.read(self.master, 65536)
        return time.perf_counter() - began

    def cpu_percent(self, seconds: float) -> float:
        """Percentage of one core over the time."""
        times = self.usage.cpu_times()
        self.read_for(seconds)
        after = self.usage.cpu_times()
        return 100 * (after.user + after.system - times.user - times.system) / seconds

    def key_milliseconds(self) -> list[float]:
        """The time from a key press to the drawn result, for help and back."""
        taken = []
        for _ in range(KEY_PRESSES // 2):
            for key, text in ((b"?", b"press any key to go back"), (b"x", b"m model")):
                self.read_for(0.03)
                os.write(self.master, key)
                taken.append(1000 * self.read_until(text, 10))
        return taken

    def close(self) -> None:
        os.write(self.master, b"qk")
        self.process.wait(10)
        os.close(self.master)


def dashboard_figures() -> list[tuple[str, float, float, str]]:
    """Name, figure, target and unit of each measurement in the terminal."""
    with flood(0) as port:
        dashboard = Dashboard(port)
        dashboard.read_for(2)
        drawn_before = dashboard.bytes_received
        cpu = dashboard.cpu_percent(IDLE_SECONDS)
        traffic = (dashboard.bytes_received - drawn_before) / IDLE_SECONDS
        quiet = statistics.median(dashboard.key_milliseconds())
        dashboard.close()
    with flood(LINES_PER_SECOND) as port:
        dashboard = Dashboard(port)
        dashboard.read_for(2)
        sent, began = lines_sent(port), time.monotonic()
        busy = dashboard.key_milliseconds()
        rate = (lines_sent(port) - sent) / (time.monotonic() - began)
        resident = dashboard.usage.memory_info().rss / MEGABYTE
        dashboard.close()
    return [
        ("terminal, 1 sample per second", cpu, 2, "% of a core"),
        ("terminal, memory after the flood", resident, 60, "MB resident"),
        ("terminal, sent to the screen", traffic, 4000, "bytes per second"),
        ("key, quiet, median", quiet, 100, "ms"),
        (f"key, {rate:,.0f} lines per second, median", statistics.median(busy), 100, "ms"),
        (f"key, {rate:,.0f} lines per second, slowest", max(busy), 100, "ms"),
    ]


def growth_megabytes() -> float:
    """Memory growth from 15 minutes of samples and a flood of log lines, sent as fast as they are accepted."""
    program = (
        "import sys; sys.path[:0] = ['scripts', 'tests']\n"
        "import psutil\n"
        "from claude_local.dashboard.feed import Feed\n"
        "from claude_local.dashboard.api_client import ApiClient\n"
        "from claude_local.dashboard.ansi import AnsiWriter\n"
        "from claude_local.dashboard.panel_layout import frame\n"
        "from claude_local.dashboard.view_state import View\n"
        "from claude_local.dashboard import feed as module\n"
        "from dashboard_screens import READY, LOG_LINES\n"
        "module.SAMPLE_SECONDS = 0\n"
        "feed, writer = Feed(ApiClient(1), lambda: None), AnsiWriter(colors=True, ascii_only=False)\n"
        "def update(times):\n"
        "    for _ in range(times):\n"
        "        feed.take('sample', READY.to_dict())\n"
        "        feed.take('log', {'lines': LOG_LINES})\n"
        "        writer.rows(frame(feed.scene(0.0), View(), 120, 40))\n"
        "    return psutil.Process().memory_info().rss\n"
        f"before = update({GROWTH_UPDATES})\n"
        f"print(update({GROWTH_UPDATES}) - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(re.findall(r"-?\d+", done.stdout)[-1]) / MEGABYTE


def main() -> int:
    """Prints the table and returns the number of missed targets."""
    figures = dashboard_figures()
    figures.append(("terminal, growth in 15 minutes", growth_megabytes(), 2, "MB"))
    if "--page" in sys.argv[1:]:
        from benchmarks.page_figures import page_figures

        with flood(0) as port:
            figures += page_figures(f"http://127.0.0.1:{port}/")
    missed = 0
    for name, figure, target, unit in figures:
        missed += figure > target
        verdict = "" if figure <= target else "  missed"
        print(f"{name:45} {figure:10.2f}  at most {target:8,} {unit}{verdict}")
    return missed


if __name__ == "__main__":
    sys.exit(main())

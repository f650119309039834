"""sensors: CPU and memory of this machine and of one process with its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_local.machine.sensors import SystemReader

BUSY_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('busy', flush=True)\\nwhile True: pass"])
child.wait()
"""


def end(parent: subprocess.Popen[str]) -> None:
    """Ends a process and its child."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()


@pytest.fixture
def busy_family() -> Iterator[subprocess.Popen[str]]:
    """A process that waits for its child, which uses all of a core."""
    with subprocess.Popen(
        [sys.executable, "-c", BUSY_CHILD], stdout=subprocess.PIPE, text=True, process_group=0
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "busy\n"
        yield parent
        end(parent)


def test_memory_is_that_of_the_kernel() -> None:
    sample = SystemReader().read()

    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert sample.memory_total_bytes == int(lines["MemTotal"].split()[0]) * 1024
    assert 0 < (sample.memory_used_bytes or 0) < sample.memory_total_bytes


def test_the_first_reading_has_no_cpu_share() -> None:
    reader = SystemReader()

    sample = reader.read()

    assert (sample.cpu_percent, sample.container_cpu_percent) == (None, None)


def test_the_children_of_the_server_are_included(busy_family: subprocess.Popen[str]) -> None:
    reader = SystemReader()
    reader.read(busy_family.pid)
    sum(range(3_000_000))

    sample = reader.read(busy_family.pid)

    assert (sample.container_cpu_percent or 0) > 1  # the parent alone uses nothing
    assert (sample.container_memory_bytes or 0) > 5_000_000
    assert 0 < (sample.cpu_percent or 0) <= 100


def test_a_server_that_ended_is_unknown(busy_family: subprocess.Popen[str]) -> None:
    reader = SystemReader()
    reader.read(busy_family.pid)
    end(busy_family)

    sample = reader.read(busy_family.pid)

    assert (sample.container_cpu_percent, sample.container_memory_bytes) == (None, None)

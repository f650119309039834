"""What limits a session's memory: systemd's user manager if it can, otherwise a limit for each process."""

from __future__ import annotations

import os
import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jail.host import Host
from jail.user_manager import user_manager
from support.machine import Done

pytestmark = pytest.mark.tools

OWN_LIMIT = f"{8192 * 1024}\n"  # of each process, in KiB
WARNING = (
    "claude-local: systemd does not limit this session's memory ({}); each process has its own limit instead"
)


@contextmanager
def dead_socket(host: Host) -> Iterator[dict[str, str]]:
    """A socket without a listener, as a killed user manager leaves it."""
    place = host.base / "dead" / "systemd" / "private"
    place.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
    host.give(place.parents[1])
    yield {"XDG_RUNTIME_DIR": str(place.parents[1])}
    place.unlink()
    place.parent.rmdir()
    place.parents[1].rmdir()


def at_a_terminal(argv: list[str]) -> list[str]:
    return ["script", "--quiet", "--return", "--command", shlex.join(argv), "/dev/null"]


def screen(done: Done) -> list[str]:
    """The lines printed at a terminal, without the sequences that reset the terminal."""
    return re.sub(r"\x1b\[[?0-9]*[a-z]", "", done.stdout).splitlines()


def test_a_user_manager_limits_memory_and_processes_of_the_whole_session(host: Host) -> None:
    fifo = host.work / "fifo"
    os.mkfifo(fifo)
    host.give(fifo)
    script = "echo begun >fifo; read <fifo; rm fifo; ulimit -d; echo problem >&2; exit 7"
    with user_manager(host) as manager, manager.started(host.wrapper_argv(script)) as process:
        fifo.read_text()
        limits = manager.limits("memory.limit_in_bytes", "memory.max", "pids.max")
        fifo.write_text("continue\n")
        out, error = process.communicate(timeout=100)

    assert sorted(limits.values()) == ["1024", str(8192 << 20)]
    assert (process.returncode, out, error) == (7, b"unlimited\n", b"problem\n")


def test_a_session_in_a_scope_that_fails_does_not_run_again(host: Host) -> None:
    with user_manager(host) as manager:
        done = manager.run(host.wrapper_argv("echo once; exit 1"))

    assert (done.returncode, done.stdout, done.stderr) == (1, "once\n", "")


def test_a_session_in_a_scope_has_the_terminal(host: Host) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && ps -o stat= -p $$ && ulimit -d; exit 7"
    with user_manager(host) as manager:
        done = manager.run(at_a_terminal(host.wrapper_argv(script)))

    state, limit = screen(done)
    assert "+" in state  # in the foreground
    assert (done.returncode, limit) == (7, "unlimited")


def test_a_user_manager_that_may_not_limit_memory_leaves_it_to_each_process(host: Host) -> None:
    with user_manager(host, limits_memory=False) as manager:
        done = manager.run(host.wrapper_argv("ulimit -d"))
        shown = manager.run(at_a_terminal(host.wrapper_argv("true")))

    assert (done.returncode, done.stdout, done.stderr) == (0, OWN_LIMIT, "")
    assert screen(shown) == [WARNING.format("the user manager may not limit memory")]


def test_a_property_that_systemd_does_not_know_leaves_memory_to_each_process(host: Host) -> None:
    part = host.base / "build" / "lib" / "confine" / "jail.bash"
    text = part.read_text()
    part.write_text(text.replace("OOMPolicy=kill", "FromTheFuture=kill"))
    argv = host.wrapper_argv("ulimit -d")
    with user_manager(host) as manager:
        done = manager.run(argv)
        shown = manager.run(at_a_terminal(argv))
    part.write_text(text)

    assert (done.returncode, done.stdout, done.stderr) == (0, OWN_LIMIT, "")
    assert screen(shown) == [
        WARNING.format("Unknown assignment: FromTheFuture=kill"),
        OWN_LIMIT.strip(),
    ]


def test_a_dead_user_manager_leaves_memory_to_each_process(host: Host) -> None:
    with dead_socket(host) as extra:
        done = host.session("ulimit -d", extra=extra)
        shown = host.run(at_a_terminal(host.wrapper_argv("exit 1")), extra=extra)

    assert (done.returncode, done.stdout, done.stderr) == (0, OWN_LIMIT, "")
    (line,) = screen(shown)
    assert shown.returncode == 1
    assert line.startswith(WARNING.partition("{}")[0] + "Failed to connect to ")
    assert line.endswith(WARNING.partition("{}")[2])


def test_without_a_user_manager_nothing_is_printed(host: Host) -> None:
    done = host.run(at_a_terminal(host.wrapper_argv("ulimit -d")))

    assert (done.returncode, screen(done)) == (0, [OWN_LIMIT.strip()])

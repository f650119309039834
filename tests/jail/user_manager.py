"""A real `systemd --user` of the attacked user, also on machines that were not booted with systemd.

It runs in a mount namespace that looks like a booted system, and in new control groups that belong to the user. The
rest of the machine is not affected.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jail.host import SYSTEM_PATH, Host
from support.machine import Done

WAIT_SECONDS = 100
HIERARCHIES = (
    "",
    "systemd",
    "unified",
    "memory",
    "pids",
)  # version 2 has one hierarchy for all controllers, version 1 one for each

START = """
for place in "${@:3}"; do echo $$ >"$place/cgroup.procs"; done
mount --make-rprivate / && mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/system
exec setpriv --reuid="$1" --regid="$2" --clear-groups /lib/systemd/systemd --user --unit=basic.target
"""


class UserManager:
    """The manager, and the environment in which sessions find it."""

    def __init__(self, host: Host, *, limits_memory: bool) -> None:
        self.host = host
        self.runtime_dir = host.base / "runtime"
        self.extra = {"XDG_RUNTIME_DIR": str(self.runtime_dir)}
        name = f"claude-local-{os.getpid()}"
        names = [folder for folder in HIERARCHIES if limits_memory or folder != "memory"]
        roots = [Path("/sys/fs/cgroup", folder) for folder in names]
        self.groups = [root / name for root in roots if (root / "cgroup.procs").exists()]

    @contextmanager
    def started(self, argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """Starts a program as in a login of the user: in control groups that the user's manager may use."""
        stopped = ["bash", "-c", 'kill -STOP $$; exec "$@"', "bash", *argv]
        with self.host.started(stopped, extra=self.extra) as process:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            for group in self.groups:
                (group / "login" / "cgroup.procs").write_text(str(process.pid))
            os.kill(process.pid, signal.SIGCONT)
            yield process

    def run(self, argv: list[str]) -> Done:
        """The same, to its end."""
        with self.started(argv) as process:
            out, error = process.communicate(timeout=WAIT_SECONDS)
        return Done(argv, process.returncode, out.decode(), error.decode())

    def limits(self, *names: str) -> dict[str, str]:
        """The kernel's limits of the one running scope: the contents of the files with these names."""
        found = [path for group in self.groups for path in group.glob("app.slice/run-*.scope/*")]
        return {path.name: path.read_text().strip() for path in found if path.name in names}


@contextmanager
def user_manager(host: Host, *, limits_memory: bool = True) -> Iterator[UserManager]:
    """Runs the user's manager; removes it, its scopes and its control groups at the end.

    Without `limits_memory` it may not use the kernel's memory controller, as on machines that do not delegate it.
    """
    if os.getuid():
        pytest.fail("only root's tests can start a user's systemd: sudo scripts/test")
    manager = UserManager(host, limits_memory=limits_memory)
    manager.runtime_dir.mkdir(mode=0o700)
    for group in manager.groups:
        (group / "login").mkdir(parents=True)
        host.give(group)
        control = group / "cgroup.subtree_control"
        if control.exists() and not limits_memory:
            os.chown(control, 0, 0)
    host.give(manager.runtime_dir)
    uid, gid = str(host.account.uid), str(host.account.gid)
    argv = ["unshare", "--mount", "bash", "-ec", START, "bash", uid, gid, *map(str, manager.groups)]
    environment = {"PATH": SYSTEM_PATH, "HOME": str(host.home), **manager.extra}
    process = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL)
    try:
        wait_for(manager.runtime_dir / "systemd" / "private", process)
        yield manager
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)
        subprocess.run(["rm", "-r", manager.runtime_dir], check=True)
        for group in manager.groups:
            subprocess.run(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], check=True)


def wait_for(socket: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not socket.is_socket():
        assert process.poll() is None, "systemd does not start: apt install systemd"
        assert time.monotonic() < deadline, "systemd does not listen"
        time.sleep(0.02)

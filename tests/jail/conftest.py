"""The machine that is attacked. If a program is missing, the tests fail; nothing is skipped."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from claude_local.checks.verify.recorder import Recorder
from jail.host import Host, close_account, make_host, open_account

PROGRAMS = {
    "bwrap": "bubblewrap",
    "haproxy": "haproxy",
    "git": "git",
    "setpriv": "util-linux",
    "systemd-run": "systemd",
    "node": "nodejs",
    "curl": "curl",
    "gcc": "gcc",
}


@pytest.fixture(scope="session")
def machine_with_secrets() -> Iterator[Host]:
    """One attacked machine for all tests: the wrapper is rendered once."""
    path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    missing = [package for name, package in PROGRAMS.items() if not shutil.which(name, path=path)]
    assert not missing, f"the jail's tests need: apt install {' '.join(missing)}"
    account = open_account()
    with Recorder() as server:
        host = make_host(account, server)
        try:
            host.render()
            host.fresh()
            subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], check=True)
            yield host
        finally:
            host.close()
            close_account(account)


@pytest.fixture
def host(machine_with_secrets: Host) -> Host:
    """The attacked machine with a new home and an empty workspace."""
    machine_with_secrets.fresh()
    return machine_with_secrets

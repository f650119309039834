"""The disk of the state folder is full: an incomplete list must not make the user's files look new."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jail.host import Host
from support.machine import ROOT, Done

pytestmark = pytest.mark.tools

SMALL_KIB = 96  # a small record takes some ten pages of 4 KiB
LARGE_KIB = 16 * 1024
MANY = "for i in {1..1500}; do mkdir d$i; echo x >d$i/.envrc; done"  # their list is larger than SMALL_KIB


@contextmanager
def small_state_dir(host: Host, size_kib: int = SMALL_KIB) -> Iterator[None]:
    """The state folder on a small disk."""
    if os.getuid():
        pytest.fail("only root's tests can make a small disk: sudo scripts/test")
    subprocess.run(["mount", "-t", "tmpfs", "none", host.state_dir], check=True)
    try:
        resize(host, size_kib)
        host.give(host.state_dir)
        yield
    finally:
        subprocess.run(["umount", "--lazy", host.state_dir], check=True)


def resize(host: Host, size_kib: int) -> None:
    options = f"remount,size={size_kib}k"
    subprocess.run(["mount", "-o", options, host.state_dir], check=True)


def prepare(host: Host, script: str) -> None:
    done = host.unconfined(f"set -e\n{script}")
    assert done.returncode == 0, done.stderr


def files(host: Host) -> dict[str, bytes]:
    """The workspace's files and their contents."""
    return {
        str(path.relative_to(host.work)): path.read_bytes() for path in host.work.rglob("*") if path.is_file()
    }


def quarantined(host: Host) -> int:
    """The number of files in quarantines."""
    return sum(path.is_file() for path in host.state_dir.glob("quarantine/*/**/*"))


def records(host: Host) -> list[str]:
    return [path.name for path in host.state_dir.glob("sessions/*")]


def assert_refused(host: Host, done: Done) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "claude-local: cannot list the files of this folder, which the audit after the session needs: "
        f"cannot write into {host.state_dir}: No space left on device",
        f"claude-local: free disk space (check: df -h {host.state_dir}), "
        f"or choose another folder: set state_dir in settings.yaml, then: cd '{ROOT}' && invoke render",
    ]
    assert records(host) == []


def test_a_list_that_does_not_fit_stops_the_start_and_moves_nothing(host: Host) -> None:
    prepare(host, MANY)
    before = files(host)

    with small_state_dir(host):
        done = host.session("echo it runs")

        assert_refused(host, done)
        assert quarantined(host) == 0
    assert files(host) == before


def test_copies_that_do_not_fit_stop_the_start(host: Host) -> None:
    prepare(host, f"head --bytes {SMALL_KIB * 2}K /dev/urandom >.envrc")

    with small_state_dir(host):
        assert_refused(host, host.session("echo it runs"))


@pytest.mark.parametrize("size_kib", range(4, 40, 4))
def test_a_disk_without_room_for_a_record_names_the_disk(host: Host, size_kib: int) -> None:
    """Whichever file is the first that does not fit: a session that could not be audited does not begin."""
    prepare(host, "git init -q . && echo x >.envrc")

    with small_state_dir(host, size_kib):
        done = host.session("echo it runs")

        assert (done.returncode, done.stdout) in ((1, ""), (0, "it runs\n"))
        assert done.returncode == 0 or "No space left on device" in done.stderr
        assert quarantined(host) == 0


def test_an_audit_that_failed_on_a_full_disk_is_repeated_at_the_next_start(host: Host) -> None:
    prepare(host, "echo mine >.envrc; mkdir .vscode; echo mine >.vscode/tasks.json")
    before = files(host)
    with small_state_dir(host):
        first = host.session(f"{MANY}; exit 7")
        (record,) = records(host)
        second = host.session("echo it runs")
        unmoved = (quarantined(host), len(files(host)))
        resize(host, LARGE_KIB)
        third = host.session("echo it runs")

        assert quarantined(host) == 1500
        assert records(host) == []
    reason = (
        f"claude-local: the session in {host.work} could not be audited: "
        f"cannot write into {host.state_dir}: No space left on device"
    )
    step = (
        f"claude-local: do not use what it left; free disk space (check: df -h {host.state_dir}) "
        "and start claude-local here again, which audits first"
    )
    again = "claude-local: the audit of the last session in this folder did not finish; auditing it again"
    assert (first.returncode, first.stderr.splitlines()) == (7, [reason, step])
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.splitlines() == [again, reason, step]
    assert unmoved == (0, 1502)
    assert (third.returncode, third.stdout) == (0, "it runs\n")
    assert third.stderr.splitlines()[:2] == [
        again,
        "claude-local: 1500 file(s) that other programs run or follow without asking were moved out of the workspace:",
    ]
    assert files(host) == before
    assert record


def test_an_unreadable_folder_is_not_taken_for_a_full_disk(host: Host) -> None:
    prepare(host, "mkdir closed; echo x >closed/.envrc; chmod 0 closed; echo x >.envrc; chmod 0 .envrc")

    done = host.session("echo it runs")

    assert (done.returncode, done.stdout) == (0, "it runs\n"), done.stderr


def test_a_workspace_that_a_session_made_unreadable_is_audited(host: Host) -> None:
    done = host.session("echo evil >.envrc; chmod 0 .")

    assert done.returncode == 0, done.stderr
    assert quarantined(host) == 1


def write_record(host: Host, **lists: bytes) -> None:
    """Writes the record of a session that was cut off, with the given contents of its lists."""
    record = host.state_dir / "sessions" / "999999999-1"
    (record / "old").mkdir(parents=True)
    (record / "workspace").write_text(str(host.work))
    (record / "stamp").write_text("")
    (record / "begun").write_text("")
    for name, text in lists.items():
        (record / name).write_bytes(text)
    host.give(host.state_dir)


@pytest.mark.parametrize("text", [b"", b"o f 1 1.0 2 644\0a", b"o f 1 1.0 2 644\0a/.envrc\0"])
def test_after_a_power_failure_a_lost_list_moves_nothing(host: Host, text: bytes) -> None:
    prepare(host, "echo mine >.envrc")
    write_record(host, before=text)
    stamp = "@HOME@/.local/state/claude-local/sessions/999999999-1/stamp"
    prepare(host, f"until [[ new -nt {stamp} ]]; do touch new; done; mkdir .vscode")

    done = host.session("echo it runs")

    assert (done.returncode, done.stdout) == (0, "it runs\n")
    assert (quarantined(host), records(host), (host.work / ".envrc").read_text()) == (0, [], "mine\n")
    assert done.stderr.splitlines() == [
        "claude-local: the last session in this folder was cut off; auditing what it left",
        "claude-local: the list of files from before the session is lost (power failure?), so nothing was moved: check the changed files yourself",
        "claude-local: changed in this session; read them before you build, test or run:",
        "  .vscode",
    ]

"""Things that a session inherits or leaves: descriptors, signals, exit codes, processes, records, the key."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jail.attack import PRELUDE
from jail.cases_processes import FORGET_THE_PARENT
from jail.host import KEY, SECRET, Host
from support.machine import ROOT

pytestmark = pytest.mark.tools

# Uses every descriptor above 2: reads it, writes it, and climbs out of folders.
USE_DESCRIPTORS = """
for fd in /proc/self/fd/*; do
  n=${fd##*/}
  ((n > 2 && n < 200)) || continue
  cat "/proc/self/fd/$n/../.netrc" "/proc/self/fd/$n/.netrc" "/proc/self/fd/$n/../../.netrc" 2>/dev/null
  eval "head -c 200 <&$n" 2>/dev/null
  eval "echo evil >&$n" 2>/dev/null
done
true
"""


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


DESCRIPTORS = {
    "a folder": ("", os.O_RDONLY),
    "a folder as a path": (".", os.O_PATH),
    "a secret to read": (".ssh/id_ed25519", os.O_RDONLY),
    "a file to write": (".bashrc", os.O_RDWR | os.O_APPEND),
}


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_an_inherited_descriptor_does_not_reach_the_session(host: Host, name: str) -> None:
    path, flags = DESCRIPTORS[name]
    with opened(host.home / path, flags) as descriptor:
        done = host.run(host.wrapper_argv(USE_DESCRIPTORS), pass_fds=[descriptor])
        effects = host.effects(done.stdout, done.stderr)
        without = host.unconfined(USE_DESCRIPTORS, pass_fds=[descriptor])

    assert effects == [], done.stdout + done.stderr
    assert host.effects(without.stdout) != []


def test_an_inherited_socket_does_not_reach_the_session(host: Host) -> None:
    ours, theirs = socket.socketpair()
    script = 'for n in /proc/self/fd/*; do [[ $(readlink "$n") != socket:* ]] || echo ESCAPED; done'
    with ours, theirs:
        done = host.run(host.wrapper_argv(script), pass_fds=[theirs.fileno()])
        without = host.unconfined(script, pass_fds=[theirs.fileno()])

    assert "ESCAPED" not in done.stdout
    assert "ESCAPED" in without.stdout


def test_only_three_descriptors_are_open(host: Host) -> None:
    done = host.session("ls /proc/$BASHPID/fd; ls /proc/1/fd")

    inside, first = done.stdout.split("/proc/1/fd")[0].split(), done.stdout.split()
    assert {"0", "1", "2"} <= set(inside)
    assert not {"7", "8", "9"} & set(first)


def test_the_exit_code_is_passed_on(host: Host) -> None:
    codes = [host.session(f"exit {code}").returncode for code in (0, 1, 42, 130)]

    assert codes == [0, 1, 42, 130]


def test_a_signal_to_the_group_stays_inside_and_the_audit_follows(host: Host) -> None:
    done = host.session("echo evil >.envrc; kill -9 0")

    assert "moved out of the workspace" in done.stderr
    assert not (host.work / ".envrc").exists()


def test_no_process_of_a_session_is_left_running(host: Host) -> None:
    before = running(host)

    host.session("for i in {1..50}; do (setsid sleep 1000 >/dev/null 2>&1 &); done")

    assert running(host) - before == set()


def running(host: Host) -> set[str]:
    """Numbers of the attacked user's processes that are not dead."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.stat().st_uid == host.account.uid and "State:\tZ" not in (entry / "status").read_text():
                found.add(entry.name)
        except OSError:
            continue
    return found


def started_session(host: Host, script: str) -> Iterator[int]:
    """Runs until the script has written into the pipe `go`; yields the wrapper's process number."""
    pipe = host.work / "go"
    os.mkfifo(pipe)
    host.give(pipe)
    with host.started(host.wrapper_argv(f"{script}; echo x >go; sleep 1000")) as process:
        with pipe.open() as waiting:
            waiting.read()
        pipe.unlink()
        yield process.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_wrapper_leaves_nothing_running_and_the_next_start_audits(
    host: Host, number: signal.Signals
) -> None:
    before = running(host)
    for pid in started_session(host, "echo evil >.envrc"):
        os.kill(pid, number)
    end = time.monotonic() + 10
    while running(host) - before and time.monotonic() < end:
        pass
    left = running(host) - before

    done = host.session("true")

    assert left == set()
    assert "the last session in this folder was cut off; auditing what it left" in done.stderr
    assert not (host.work / ".envrc").exists()


def test_a_process_that_outlived_a_killed_wrapper_ends_at_the_next_start(host: Host) -> None:
    """It has removed the death signal that ends process 1 with bubblewrap."""
    before = running(host)
    (host.work / "forget.py").write_text(f"{PRELUDE}{FORGET_THE_PARENT}in_its_name(1, 157, 1, 0)\n")
    host.give(host.work)
    pipe = host.work / "go"
    os.mkfifo(pipe)
    host.give(pipe)
    wrapper = host.start(host.wrapper_argv("/usr/bin/python3 forget.py; echo x >go; sleep 1000"))
    with pipe.open() as waiting:
        waiting.read()
    pipe.unlink()
    wrapper.kill()
    wrapper.wait()
    left = running(host) - before

    host.session("true")

    assert left != set()
    assert running(host) - before == set()


def test_the_record_is_deleted_after_its_session(host: Host) -> None:
    host.session("true")

    assert list((host.state_dir / "sessions").iterdir()) == []


def test_a_deleted_record_is_reported(host: Host) -> None:
    pipe = host.work / "go"
    os.mkfifo(pipe)
    host.give(pipe)
    with host.started(host.wrapper_argv("read line <go; exit 3")) as process:
        with pipe.open("w") as waiting:  # until the session reads
            shutil.rmtree(host.state_dir / "sessions")
            waiting.write("on\n")
        _, error = process.communicate(timeout=100)

    assert process.returncode == 1
    assert error.decode().splitlines() == [
        f"claude-local: the record of this session was deleted from {host.state_dir}, so it cannot be audited",
        f"claude-local: check the files in {host.work} yourself before you use them: git status --ignored",
    ]


def test_only_the_user_can_read_the_state_folder(host: Host) -> None:
    host.session("echo evil >.envrc")

    modes = {path.stat().st_mode & 0o077 for path in host.state_dir.rglob("*") if path.is_dir()}
    assert modes == {0}


@pytest.mark.parametrize("place", ["environment", "arguments", "files", "answers"])
def test_the_key_is_never_inside(host: Host, place: str) -> None:
    scripts = {
        "environment": "cat /proc/[0-9]*/environ | tr '\\0' '\\n'",
        "arguments": "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'",
        "files": "grep -rs 'CANARY-key' @HOME@ @BASE@ /run /tmp /etc --exclude-dir=ws; cat @BASE@/key",
        "answers": "for p in /v1/models /v1/messages /slots /props / /health /v1/chat/completions; do for m in GET POST TRACE OPTIONS; do "
        "curl --silent --include --max-time 2 --unix-socket $ANTHROPIC_UNIX_SOCKET -X $m http://x$p -d '{}'; done; done",
    }

    done = host.session(scripts[place])

    assert KEY not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    if place == "answers":
        assert {request.headers["authorization"] for request in host.server.requests} == {f"Bearer {KEY}"}


def test_only_four_requests_get_through_the_door_from_inside(host: Host) -> None:
    paths = "/v1/models /v1/messages /v1/messages/count_tokens /slots /props / /v1/../slots /v1/models/../../slots /v1/%6dodels //v1/models"
    script = (
        'ask() { curl --silent --output /dev/null --max-time 2 --path-as-is --unix-socket $ANTHROPIC_UNIX_SOCKET "$@"; };'
        f"for p in {paths}; do for v in --http1.1 --http2-prior-knowledge; do ask $v --head http://x$p; ask $v http://x$p;"
        "for m in POST PUT DELETE OPTIONS; do ask $v -X $m http://x$p -d '{}'; done; done; done; echo done"
    )

    done = host.session(script)

    assert done.stdout == "done\n"
    seen = {(request.method, request.path) for request in host.server.requests}
    assert seen == {
        ("GET", "/v1/models"),
        ("POST", "/v1/messages"),
        ("POST", "/v1/messages/count_tokens"),
        ("HEAD", "/"),
    }


SWITCH_ANSWERS = {
    "an engine that is missing": (
        b'{"error": {"code": "x", "message": "Docker does not answer", "hint": "start it"}}',
        ["claude-local-switch: Docker does not answer", "claude-local-switch: start it"],
    ),
    "no hint": (
        b'{"error": {"code": "x", "message": "no profile", "hint": ""}}',
        ["claude-local-switch: no profile"],
    ),
    "no answer": (
        b"",
        [
            "claude-local-switch: the management server does not answer",
            f"claude-local-switch: start it: cd '{ROOT}' && invoke serve; or switch outside: claude-local switch NAME",
        ],
    ),
}


def read_request(connection: socket.socket) -> None:
    """Reads a whole request: to a server that hangs up earlier, the door reacts differently."""
    received = b""
    while not received.endswith(b"}"):
        piece = connection.recv(10000)
        assert piece, received
        received += piece


def test_a_switch_that_fails_is_reported_in_the_words_of_the_api(host: Host) -> None:
    """A small server gives the API's error answers: the real API would need a broken Docker."""
    shown = {}
    with socket.create_server(("127.0.0.1", 0)) as server:
        host.render(management_port=str(server.getsockname()[1]))
        server.settimeout(100)
        try:
            for name, (body, _) in SWITCH_ANSWERS.items():
                with host.started(host.wrapper_argv("claude-local-switch some")) as process:
                    connection, _ = server.accept()
                    with connection:
                        read_request(connection)
                        head = (
                            b"HTTP/1.1 503 No\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                        )
                        if body:
                            connection.sendall(head % len(body) + body)
                    _, error = process.communicate(timeout=100)
                    shown[name] = error.decode().splitlines()
        finally:
            host.render()

    assert shown == {name: lines for name, (_, lines) in SWITCH_ANSWERS.items()}


def test_an_answer_with_hostile_headers_is_not_passed_on(host: Host) -> None:
    """Raw bytes from the model server: HAProxy does not pass on what it cannot parse."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\nX: \x1b[31m\r\n evil: folded\r\nContent-Length: 5\r\n\r\nok"
    with socket.create_server(("127.0.0.1", 0)) as server:
        host.render(external_url=f"http://127.0.0.1:{server.getsockname()[1]}")
        try:
            with host.started(
                host.wrapper_argv(
                    "curl --silent --include --max-time 5 --unix-socket $ANTHROPIC_UNIX_SOCKET http://x/v1/models"
                )
            ) as process:
                server.settimeout(100)
                connection, _ = server.accept()
                with connection:
                    connection.recv(10000)
                    connection.sendall(answer)
                out, _ = process.communicate(timeout=100)
        finally:
            host.render()

    assert b"a=b" not in out
    assert out.startswith(b"HTTP/1.1 502")

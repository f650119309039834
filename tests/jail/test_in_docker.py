"""`--sandbox container`: sessions of an ordinary user in real containers, with and without a real Claude Code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from claude_local.checks.verify import sandbox
from claude_local.checks.verify.recorder import Recorded, Recorder
from claude_local.checks.verify.trial import Outcome
from claude_local.client.claude_image_pins import PINS
from claude_local.machine.settings import load_settings
from jail.docker_user import KEY, DockerUser, docker_user
from support.machine import CLIENT_FOLDERS, ROOT
from support.terminal import Terminal

pytestmark = [pytest.mark.docker, pytest.mark.tools]
BASE = "claude-local/test-client-base:latest"
IMAGE = "claude-local/test-client"
FEW_PACKAGES = "git ripgrep jq less python3"
CERTIFICATES = Path(os.environ.get("NODE_EXTRA_CA_CERTS", "/etc/ssl/certs/ca-certificates.crt"))
IN_PIECES = ["--output-format", "json"]

# Replaces Claude Code: the last argument is a script, which runs where the model's commands would.
STUB = """FROM {image}
USER root
RUN printf '#!/bin/bash\\neval "${{!#}}"\\n' >/usr/local/bin/claude
USER claude
"""
OLD = "FROM {image}\nUSER root\nCOPY claude /usr/local/bin/claude\nLABEL claude-local.claude=2.1.197\nUSER claude\n"


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The image as a user builds it, on a base made here; one with the older Claude Code; one with a stub."""
    environment = {**os.environ, "CLAUDE_LOCAL_CLIENT_IMAGE": IMAGE}
    argv = [sys.executable, "-m", "invoke", "build-client-image", "--base", BASE, "--packages", FEW_PACKAGES]
    built = subprocess.run(
        [*argv, "--certificates", str(CERTIFICATES)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    derived = {"old": (OLD, CLIENT_FOLDERS["old"].resolve()), "stub": (STUB, ROOT / "tests" / "jail")}
    for name, (dockerfile, folder) in derived.items():
        subprocess.run(
            ["docker", "build", "--quiet", "--tag", f"{IMAGE}-{name}", "--file", "-", str(folder)],
            input=dockerfile.format(image=IMAGE).encode(),
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            check=True,
            capture_output=True,
        )
    return {"new": IMAGE, "old": f"{IMAGE}-old", "stub": f"{IMAGE}-stub"}


@pytest.fixture
def server() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def user(server: Recorder, images: dict[str, str]) -> Iterator[DockerUser]:
    """A user whose image has the stub in Claude Code's place."""
    with docker_user(server, images["stub"]) as made:
        yield made


@pytest.fixture(params=["new", "old"])
def real_user(
    request: pytest.FixtureRequest, server: Recorder, images: dict[str, str]
) -> Iterator[DockerUser]:
    """A user whose image has a real Claude Code."""
    with docker_user(server, images[request.param]) as made:
        yield made


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def inspect(name: str) -> dict[str, Any]:
    done = subprocess.run(["docker", "container", "inspect", name], capture_output=True, check=True)
    return dict(json.loads(done.stdout)[0])


def started(user: DockerUser, script: str = "") -> subprocess.Popen[bytes]:
    """A session that has run `script` and then runs until it is killed."""
    process = user.start(f"{script}\necho >started; sleep 1000")
    wait_until(lambda: (user.workspace / "started").exists() or process.poll() is not None)
    assert process.poll() is None
    (user.workspace / "started").unlink()
    return process


# ---- With a real Claude Code


@pytest.mark.real_cli
def test_claude_code_answers_through_the_door_and_the_key_stays_outside(
    real_user: DockerUser, server: Recorder
) -> None:
    done = real_user.claude_local("-p", "hi", *IN_PIECES)

    assert done.returncode == 0, done.stderr
    assert "claude-local:" not in done.stderr
    assert json.loads(done.stdout)["result"] == "ok"
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert real_user.containers() == []


@pytest.mark.real_cli
def test_files_that_claude_code_writes_belong_to_the_user(real_user: DockerUser, server: Recorder) -> None:
    file = real_user.workspace / "made.txt"
    command = "git init -q . && git commit -q --allow-empty -m first && rg -c made made.txt"
    server.script = play(
        {"name": "Write", "input": {"file_path": str(file), "content": "made\n"}},
        {"name": "Bash", "input": {"command": command, "description": "commit"}},
    )
    (real_user.home / ".gitconfig").write_text(
        '[user]\n\tname = Ada\n\temail = private@example.com\n[includeIf "gitdir:~/"]\n\tpath = work\n'
    )
    (real_user.home / "work").write_text("[user]\n\temail = ada@example.com\n")
    real_user.own(real_user.home)

    done = real_user.claude_local("--dangerously-skip-permissions", "-p", "go", *IN_PIECES)

    assert done.returncode == 0, done.stderr
    assert (file.read_text(), file.stat().st_uid, file.stat().st_gid) == (
        "made\n",
        real_user.uid,
        real_user.gid,
    )
    author = ["git", "-c", "safe.directory=*", "log", "--format=%an <%ae>"]
    logged = subprocess.run(author, cwd=real_user.workspace, capture_output=True, text=True, check=True)
    assert logged.stdout == "Ada <ada@example.com>\n"


@pytest.mark.real_cli
def test_the_screen_follows_its_terminal_and_ctrl_z_does_not_freeze_it(real_user: DockerUser) -> None:
    with Terminal(columns=110, rows=30) as terminal:
        terminal.run(real_user.argv(), env=real_user.environment, cwd=real_user.workspace)
        terminal.wait_for("· container")
        terminal.resize(columns=90, rows=30)
        terminal.wait_for("\n" + "─" * 90 + "\n")
        terminal.keys("C-z")
        terminal.keys("-l", "still here")
        terminal.wait_for("still here")
        terminal.press_until("C-c", "exit code: 0")

    assert real_user.containers() == []


def play(*uses: dict[str, Any]) -> Callable[[Recorded], list[dict[str, Any]]]:
    """A model that uses these tools one after the other, whatever the results, and then answers ok."""

    def script(request: Recorded) -> list[dict[str, Any]]:
        done = json.dumps(request.json()["messages"]).count('"type": "tool_result"')
        if done < len(uses) and request.json().get("tools"):
            return [{"type": "tool_use", "id": f"toolu_{done}", **uses[done]}]
        return [{"type": "text", "text": "ok"}]

    return script


@pytest.mark.real_cli
@pytest.mark.parametrize("client", ["new", "old"])
def test_a_hostile_model_does_not_get_out(images: dict[str, str], client: str) -> None:
    given = {"HOME": "/nowhere", "CLAUDE_LOCAL_CLIENT_IMAGE": images[client]}
    settings = load_settings(given, ROOT, user_id=os.geteuid(), group_id=os.getegid())
    environment = {**os.environ, "PATH": f"{CLIENT_FOLDERS[client]}:/usr/local/bin:/usr/bin:/bin"}

    outcomes = sandbox.run(settings, environment, ["container"])

    assert outcomes == [Outcome("container")]


# ---- The image


def test_the_image_has_the_pinned_claude_code_and_tools_and_a_user_of_its_own(images: dict[str, str]) -> None:
    script = "claude --version; id -un; for name in git rg jq node npm python3 socat; do type -P $name; done | wc -l"

    argv = ["docker", "run", "--rm", "--network", "none", images["new"], "bash", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [f"{PINS.claude} (Claude Code)", "claude", "7"]


def test_a_missing_image_names_the_command_that_builds_it(user: DockerUser) -> None:
    user.image = "claude-local/there-is-none"
    user.render()

    done = user.claude_local("true")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "claude-local: there is no image claude-local/there-is-none",
        f"claude-local: build it: cd '{ROOT}' && invoke build-client-image",
    ]


def test_an_image_that_is_not_ours_is_refused(user: DockerUser) -> None:
    user.image = BASE
    user.render()

    done = user.claude_local("true")

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"claude-local: the image {BASE} was not built for claude-local"


# ---- Docker itself


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (
            "Debian GNU/Linux 12 (bookworm) name=seccomp,profile=default name=rootless",
            "this Docker is rootless",
        ),
        (
            "Docker Desktop name=seccomp,profile=unconfined",
            "Docker Desktop runs containers in a virtual machine",
        ),
        (
            "Fedora Linux 41 name=seccomp,profile=default name=selinux",
            "SELinux labels of this Docker keep containers from reading your files",
        ),
    ],
)
def test_a_docker_without_access_to_the_users_files_is_refused(
    user: DockerUser, facts: str, reason: str
) -> None:
    programs = user.home / "programs"
    programs.mkdir()
    (programs / "docker").write_text(f"#!/bin/sh\necho '{facts}'\n")
    (programs / "docker").chmod(0o755)
    user.extra["PATH"] = f"{programs}:/usr/bin:/bin"

    done = user.claude_local("true")

    assert done.returncode == 1
    assert done.stderr.startswith(f"claude-local: {reason}")


def test_a_docker_that_does_not_answer_is_reported_with_the_next_step(user: DockerUser) -> None:
    user.extra["DOCKER_HOST"] = "unix:///nonexistent.sock"

    done = user.claude_local("true")

    assert done.returncode == 1
    assert done.stderr.startswith("claude-local: Docker does not answer: ")
    assert "sudo systemctl start docker" in done.stderr


# ---- The confinement


def test_the_container_is_as_closed_as_it_can_be(user: DockerUser) -> None:
    process = started(user)
    (name,) = user.containers()
    found = inspect(name)
    process.kill()
    process.wait()

    host = found["HostConfig"]
    keys = (
        "NetworkMode",
        "ReadonlyRootfs",
        "CapAdd",
        "CapDrop",
        "Privileged",
        "SecurityOpt",
        "Memory",
        "IpcMode",
    )
    assert {key: host[key] for key in keys} == {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "Privileged": False,
        "SecurityOpt": ["no-new-privileges"],
        "Memory": 8192 << 20,
        "IpcMode": "private",
    }
    assert (host["PidsLimit"], host["LogConfig"]["Type"], host["PortBindings"]) == (1024, "none", {})
    assert (host["Devices"], host["PidMode"], host["Init"]) == ([], "", True)
    assert found["Config"]["User"] == f"{user.uid}:{user.gid}"
    config = user.home / ".claude-local"
    writable = {mount["Source"] for mount in found["Mounts"] if mount["RW"]}
    kept = ("projects", "plans", "todos", "tasks", "file-history", "history.jsonl")
    assert writable == {str(user.workspace), *(str(config / name) for name in kept)}


PROBE = """
import ctypes, errno, fcntl, os, pty, socket
libc = ctypes.CDLL(None, use_errno=True)
_, terminal = pty.openpty()
def tried(name, action):
    try: action(); print(name, "works")
    except OSError as error: print(name, errno.errorcode[error.errno])
def done(result):
    if result < 0: raise OSError(ctypes.get_errno(), "")
tried("TIOCSTI", lambda: fcntl.ioctl(terminal, 0x5412, b"x"))
tried("unshare", lambda: done(libc.unshare(0x10000000)))
tried("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
tried("connect", lambda: socket.create_connection(("1.1.1.1", 53), 2))
tried("root", lambda: open("/made", "w"))
tried("etc", lambda: open("/etc/passwd", "a"))
tried("settings", lambda: open(os.environ["CLAUDE_CONFIG_DIR"] + "/CLAUDE.md", "a"))
tried("docker", lambda: open("/var/run/docker.sock"))
tried("home", lambda: open(os.environ["HOME"] + "/key"))
"""


def test_the_kernel_refuses_calls_that_namespaces_allow(user: DockerUser) -> None:
    (user.workspace / "probe.py").write_text(PROBE)

    done = user.claude_local(
        "python3 probe.py; grep -E 'CapBnd|NoNewPrivs|Seccomp_filters' /proc/self/status"
    )

    assert [tuple(line.split()) for line in done.stdout.splitlines()] == [
        ("TIOCSTI", "EPERM"),
        ("unshare", "EPERM"),
        ("vsock", "EAFNOSUPPORT"),
        ("connect", "ENETUNREACH"),
        ("root", "EROFS"),
        ("etc", "EROFS"),
        ("settings", "EROFS"),
        ("docker", "ENOENT"),
        ("home", "ENOENT"),
        ("CapBnd:", "0000000000000000"),
        ("NoNewPrivs:", "1"),
        ("Seccomp_filters:", "2"),
    ]


def test_no_secret_of_the_environment_or_of_docker_settings_reaches_the_session(user: DockerUser) -> None:
    settings = user.home / ".docker"
    settings.mkdir()
    proxy = "http://user:canary@proxy:3128"
    (settings / "config.json").write_text(
        json.dumps({"proxies": {"default": {"httpProxy": proxy, "noProxy": "canary"}}})
    )
    user.own(settings)

    done = user.claude_local("env; cat /proc/1/environ | tr '\\0' '\\n'")

    names = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert done.returncode == 0, done.stderr
    assert "ANTHROPIC_UNIX_SOCKET" in names
    assert "AWS_SECRET_ACCESS_KEY" not in names
    assert "canary" not in done.stdout
    assert KEY not in done.stdout


# ---- Input, output and the end


def test_input_output_and_exit_code_are_passed_on(user: DockerUser) -> None:
    done = user.claude_local("cat; echo problem >&2; exit 37", stdin="given\n")

    assert (done.stdout, done.stderr, done.returncode) == ("given\n", "problem\n", 37)


@pytest.mark.parametrize("reason", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_killed_wrapper_leaves_no_container_and_the_next_session_audits_its_files(
    user: DockerUser, reason: signal.Signals
) -> None:
    process = started(user, "echo '{}' >.mcp.json")

    process.send_signal(reason)
    process.wait(30)
    wait_until(lambda: user.containers() == [])
    left = (user.workspace / ".mcp.json").exists()
    done = user.claude_local("true")

    assert (process.returncode, left, done.returncode) == (-reason, True, 0)
    assert "the last session in this folder was cut off" in done.stderr
    assert not (user.workspace / ".mcp.json").exists()


def test_a_container_left_behind_is_removed_before_the_next_session_begins(user: DockerUser) -> None:
    process = started(user)
    (name,) = user.containers()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):  # the process that would remove it, first
        if b"libexec/leash" in (command := entry.read_bytes()) and name.encode() in command:
            os.kill(int(entry.parent.name), signal.SIGKILL)
    process.kill()
    process.wait()
    left = user.containers()
    done = user.claude_local("true")

    assert left == [name]
    assert (done.returncode, user.containers()) == (0, [])


def test_files_that_other_programs_would_obey_are_put_aside(user: DockerUser) -> None:
    subprocess.run(["git", "init", "--quiet", str(user.workspace)], check=True)
    (user.workspace / ".envrc").write_text("export OLD=1\n")
    user.own(user.workspace)

    script = (
        "mkdir .claude; echo '{}' >.claude/settings.json; mv .git x; echo x >.git/hooks/a; echo x >>.envrc"
    )
    done = user.claude_local(f"{script}; echo kept >kept.txt")

    assert done.stderr.count("Read-only file system") == 2
    assert (
        "1 file(s) that other programs run or follow without asking were moved out of the workspace:"
        in done.stderr
    ), done.stderr
    found = sorted(path.name for path in user.workspace.iterdir())
    assert found == [".envrc", ".git", "kept.txt"]
    assert (user.workspace / ".envrc").read_text() == "export OLD=1\n"


@contextmanager
def mounted(user: DockerUser, *folders: str) -> Iterator[None]:
    """Mounts file systems in folders of the workspace, in the machine's namespace, where Docker sees them."""
    if os.getuid():
        pytest.fail("only root's tests can mount: sudo scripts/test")
    places = [user.workspace / folder for folder in folders]
    try:
        for place in places:
            place.mkdir(exist_ok=True)
            options = f"mode=755,uid={user.uid},gid={user.gid}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
        yield
    finally:
        for place in reversed(places):
            subprocess.run(["umount", place], check=True)


ODD = "a, \"b'\n"


def test_mounts_below_the_workspace_are_read_only_and_named(user: DockerUser) -> None:
    with mounted(user, "sub", "sub/deep", ODD):
        done = user.claude_local('for d in * sub/deep; do echo evil >"$d/.envrc"; done; echo fine >file')
        found = sorted(path.name for path in user.workspace.rglob(".envrc"))

    assert done.stderr.count("Read-only file system") == 3, done.stderr
    named = "claude-local: these mounts are read-only in this session: sub sub/deep $'a, \"b\\'\\n'"
    assert named in done.stderr.splitlines()
    assert found == []
    assert (user.workspace / "file").read_text() == "fine\n"


def test_a_mount_made_during_a_session_does_not_reach_it_and_is_named(user: DockerUser) -> None:
    """The mount hides from the audit what the session writes under it, until it is unmounted."""
    for name in ("ready", "go"):
        os.mkfifo(user.workspace / name)
    (user.workspace / "late").mkdir()
    user.own(user.workspace)
    script = "echo >ready; read -r _ <go; echo fine >late/file; ls late"
    argv = user.argv(script)
    with subprocess.Popen(
        argv,
        cwd=user.workspace,
        env=user.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        (user.workspace / "ready").read_text()
        with mounted(user, "late"):
            (user.workspace / "go").write_text("\n")
            out, errors = process.communicate(timeout=150)
            in_it = list((user.workspace / "late").iterdir())

    assert (out, in_it) == ("file\n", [])
    assert (
        "  late was mounted during the session: check the files in it, and those that it hides"
        in errors.splitlines()
    )


def test_a_workspace_that_is_replaced_at_the_last_moment_is_not_used(user: DockerUser) -> None:
    programs = user.home / "programs"
    programs.mkdir()
    aside = user.home / "aside"
    swap = f"mv '{user.workspace}' '{aside}'; mkdir '{user.workspace}'"
    (programs / "docker").write_text(
        f'#!/bin/bash\n[[ $1 != start ]] || {{ {swap}; }}\nexec /usr/bin/env PATH="${{PATH#*:}}" docker "$@"\n'
    )
    (programs / "docker").chmod(0o755)
    user.own(user.home)
    user.extra["PATH"] = f"{programs}:{user.environment['PATH']}"

    done = user.claude_local("echo >reached")

    assert done.returncode == 1
    assert "claude-local: the path of the workspace now leads to another folder; start again" in done.stderr
    assert (list(user.workspace.iterdir()), list(aside.iterdir())) == ([], [])


def test_a_session_that_needs_too_much_memory_is_ended_with_a_message(user: DockerUser) -> None:
    config = user.home / "build" / "config.bash"
    config.write_text(config.read_text().replace("readonly MEMORY_MIB='8192'", "readonly MEMORY_MIB='64'"))

    done = user.claude_local("exec python3 -c \"x = b'x' * (500 << 20)\"")

    assert done.returncode == 137
    assert "claude-local: the session needed more memory than its 64 MiB and was ended" in done.stderr

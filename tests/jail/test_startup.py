"""The start of a session: odd workspaces, and attacks by a workspace on the start itself."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from claude_local.client.jail_rules import OBEYED_FILES, OBEYED_FOLDERS
from jail.host import Host

pytestmark = pytest.mark.tools


@dataclass(frozen=True)
class Place:
    """A workspace that is refused."""

    name: str
    folder: str
    prepare: str
    reason: str


HARMLESS = "mkdir -p @HOME@/projects/good"
GOOD = "@HOME@/projects/good"
PLACES = [
    Place("the whole machine", "/", "true", "it is the whole machine"),
    Place("the home", "@HOME@", "true", "it is or contains your home folder"),
    Place("above the home", "@BASE@", "true", "it is or contains your home folder"),
    Place("/tmp", "/tmp", "true", "/tmp cannot be a workspace"),
    Place("/var/tmp", "/var/tmp", "true", "every program of this machine writes there"),
    Place("/dev/shm", "/dev/shm", "true", "every program of this machine writes there"),
    Place("the system", "/usr/lib", "true", "it belongs to the system"),
    Place("the system's settings", "/etc", "true", "it belongs to the system"),
    Place("the kernel's files", "/proc/self", "true", "it belongs to the system"),
    Place("the keys", "@HOME@/.ssh", "true", "other programs keep settings or secrets there"),
    Place("settings", "@HOME@/.config/autostart", "true", "other programs keep settings or secrets there"),
    Place(
        "above programs",
        "@HOME@/.local",
        "mkdir -p @HOME@/.local/bin",
        "other programs keep settings or secrets there",
    ),
    Place(
        "the normal Claude Code's folder",
        "@HOME@/.claude",
        "true",
        "other programs keep settings or secrets there",
    ),
    Place(
        "the session's own folder", "@HOME@/.claude-local", "true", "claude-local or claude itself lives in"
    ),
    Place("the state folder", "@HOME@/.local/state/claude-local", "true", "other programs keep settings"),
    Place("the wrapper's folder", "@BASE@/build/bin", "true", "claude-local or claude itself lives in"),
    Place(
        "a link to the home",
        "@HOME@/projects/l",
        "ln -s @HOME@ @HOME@/projects/l",
        "it is or contains your home folder",
    ),
    Place(
        "a link to the keys",
        "@HOME@/projects/l",
        "ln -s @HOME@/.ssh @HOME@/projects/l",
        "other programs keep settings or secrets there",
    ),
    Place(
        "a name with a control character",
        "@HOME@/projects/a\nb",
        "mkdir $'@HOME@/projects/a\\nb'",
        "its name has control characters",
    ),
    Place(
        "a name with an escape sequence",
        "@HOME@/projects/a\x1b[31mb",
        "mkdir $'@HOME@/projects/a\\e[31mb'",
        "its name has control characters",
    ),
    Place(
        "a folder that may not be written",
        f"{GOOD}",
        f"{HARMLESS} && chmod 500 {GOOD}",
        "you may not write there",
    ),
    *(
        Place(
            f"{name} leads out",
            GOOD,
            f"{HARMLESS} && ln -s @HOME@/other {GOOD}/{name}",
            f"{name} is a link that leads out of it",
        )
        for name in (".git", *OBEYED_FOLDERS[::3])
    ),
    *(
        Place(
            f"{name} leads out",
            GOOD,
            f"{HARMLESS} && mkdir -p $(dirname {GOOD}/{name}) && ln -s @HOME@/.bashrc {GOOD}/{name}",
            f"{name} is a link that leads out of it",
        )
        for name in OBEYED_FILES[::6]  # one list for all; each is a start
    ),
    Place(
        ".vscode leads nowhere",
        GOOD,
        f"{HARMLESS} && ln -s @HOME@/none {GOOD}/.vscode",
        ".vscode is a link that leads out of it",
    ),
    Place(
        "a repository whose hooks lead out",
        GOOD,
        f"{HARMLESS} && git init -q {GOOD} && rm -rf {GOOD}/.git/hooks && ln -s @HOME@/other {GOOD}/.git/hooks",
        ".git/hooks is a link that leads out of it",
    ),
    Place(
        "a .git that leads to another repository",
        GOOD,
        f"{HARMLESS} && git init -q @HOME@/other && echo 'gitdir: @HOME@/other/.git' >{GOOD}/.git",
        "its .git points to a repository that does not list it as a worktree",
    ),
    Place(
        "a .git that claims another's worktree",
        GOOD,
        f"{HARMLESS} && cd @HOME@/other && git init -q && git commit -q --allow-empty -m x && git worktree add -q ../tree && cp @HOME@/tree/.git {GOOD}/.git",
        "its .git points to a repository that does not list it as a worktree",
    ),
    Place(
        "a file with a name outside",
        GOOD,
        f"{HARMLESS} && ln @HOME@/.bashrc {GOOD}/notes",
        "are hard links to files outside",
    ),
    Place(
        "a file with a name outside and an odd one here",
        GOOD,
        f"{HARMLESS} && ln @HOME@/.bashrc {GOOD}/$'no\\e[31mtes'",
        "are hard links to files outside",
    ),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_an_unsuitable_workspace_is_refused_with_a_reason(host: Host, place: Place) -> None:
    prepared = host.unconfined(place.prepare)
    assert prepared.returncode == 0, prepared.stderr
    host.start_watching()

    script = f"cd {host.fill_in(place.folder)!r} && exec {host.wrapper} 'echo ESC''APED'"
    if not place.folder.isprintable():
        script = f"cd $'{host.fill_in(place.folder).encode('unicode_escape').decode()}' && exec {host.wrapper} 'echo ESC''APED'"
    done = host.unconfined(script)

    assert done.returncode == 1
    assert place.reason in done.stderr
    assert "\x1b" not in done.stderr
    assert host.effects(done.stdout, done.stderr) == []


def test_an_ordinary_workspace_is_not_refused(host: Host) -> None:
    done = host.session("echo it runs")

    assert (done.returncode, done.stdout) == (0, "it runs\n"), done.stderr


def test_a_folder_of_another_user_is_refused(host: Host) -> None:
    if os.getuid():
        pytest.fail("only root's tests can make a folder of another user: sudo scripts/test")
    foreign = host.base / "foreign"
    foreign.mkdir(exist_ok=True)
    foreign.chmod(0o777)
    os.chown(foreign, 0, 0)

    done = host.session("echo it runs", cwd=foreign)

    assert (
        done.stderr.splitlines()[0]
        == f"claude-local: {foreign} cannot be a workspace: it belongs to another user"
    )


NAMES = [
    "a b",
    "ä",
    "-n",
    "--",
    "a'b",
    'a"b',
    "a\\b",
    "$(touch x)",
    "`x`",
    "*",
    "[a]",
    "a:b",
    "a,b",
    ".vscode",
    ".cursor",
    "#",
    "~",
    "!",
    "\udcff",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_workspace_with_an_odd_name_works_and_is_audited(host: Host, name: str) -> None:
    folder = host.home / "projects" / name
    folder.mkdir()
    host.give(host.home / "projects")

    done = host.session("pwd && echo fine >file && echo evil >.envrc", cwd=folder)

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["file"]


PIPES = [
    ".git",
    ".git/config",
    ".git/HEAD",
    ".git/hooks",
    ".git/commondir",
    ".envrc",
    ".mcp.json",
    ".gitmodules",
    "HEAD",
    ".vscode",
    ".claude",
]


@pytest.mark.parametrize("name", PIPES)
def test_a_pipe_in_the_place_of_a_file_does_not_block(host: Host, name: str) -> None:
    prepared = host.unconfined(
        f"set -e; case {name} in .git/*) git init -q . ;; esac; rm -rf {name}; mkfifo {name}"
    )
    assert prepared.returncode == 0, prepared.stderr

    done = host.session("echo it runs; git init -q sub; rm sub/.git/config; mkfifo sub/.git/config")

    assert "TIMED OUT" not in done.stderr
    assert done.stdout == "it runs\n"
    assert not (host.work / "sub" / ".git" / "config").exists()


def test_a_configuration_that_is_a_pipe_does_not_block_the_audit(host: Host) -> None:
    script = "mkdir objects refs; echo 'ref: refs/heads/x' >HEAD; mkfifo config; git init -q sub; git -C sub config user.name x"

    done = host.session(script)

    assert "TIMED OUT" not in done.stderr
    assert not (host.work / "config").exists()


def test_a_workspace_that_is_replaced_while_a_session_begins_is_not_mixed_up(host: Host) -> None:
    """The path is a link that changes between two places as fast as possible."""
    exchange = "i=0; while :; do ln -sfn @HOME@/projects/a l; ln -sfn @HOME@/other l; done"
    prepared = host.unconfined("mkdir ../a && cd .. && ln -s a l")
    assert prepared.returncode == 0
    host.start_watching()

    with host.started(["bash", "-c", host.fill_in(exchange)], cwd=host.home / "projects"):
        for _ in range(10):
            done = host.unconfined(f"cd ../l && exec {host.wrapper} 'cat notes.txt; echo evil >planted'")
            refused = "cannot be a workspace" in done.stderr or "No such file" in done.stderr
            assert done.returncode in (0, 1)
            assert refused or done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "first", ["@WORK@/.venv/bin", "@HOME@/projects/tools"], ids=["by its path", "by a link"]
)
def test_programs_of_the_workspace_do_not_run_outside(host: Host, first: str) -> None:
    """An active virtual environment puts the workspace's programs first."""
    evil = f"#!/bin/sh\ntouch {host.home}/escaped\n"
    folder = host.work / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in (
        "bash",
        "env",
        "claude",
        "bwrap",
        "haproxy",
        "setpriv",
        "git",
        "find",
        "realpath",
        "systemd-run",
        "ss",
        "socat",
        "cp",
        "mv",
    ):
        (folder / name).write_text(evil)
        (folder / name).chmod(0o755)
    host.give(host.work)
    (host.work.parent / "tools").symlink_to(folder)
    path = f"{host.fill_in(first)}:./.venv/bin::{host.environment['PATH']}"

    done = host.session('echo "$PATH"; echo evil >.envrc', extra={"PATH": path})

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{host.fill_in(first)}:")
    assert host.effects() == []


def test_modules_of_the_workspace_do_not_run_outside(host: Host) -> None:
    """`claude-local status` runs Python, which must not take modules from the current folder."""
    for name in ("invoke.py", "yaml.py", "rich.py", "jinja2.py", "sitecustomize.py"):
        (host.work / name).write_text(f"open({str(host.home / 'escaped')!r}, 'w')\n")
    host.give(host.work)
    config = host.base / "build" / "config.bash"
    text = config.read_text()
    line = next(line for line in text.splitlines() if line.startswith("readonly PYTHON="))
    config.write_text(text.replace(line, "readonly PYTHON=/usr/bin/python3"))  # which every user may run

    host.run([str(host.wrapper), "status"])
    control = host.unconfined("/usr/bin/python3 -m invoke")

    assert control.returncode == 0
    assert host.effects() == ["changed escaped"]  # by the control, afterwards


def test_a_second_session_in_the_same_place_is_refused(host: Host) -> None:
    (host.work / "sub").mkdir()
    host.give(host.work)
    fifo = host.work / "go"
    os.mkfifo(fifo)
    host.give(fifo)
    with host.started(host.wrapper_argv("echo x >go; sleep 60")) as first:
        with fifo.open() as waiting:
            waiting.read()
        second = host.session("echo it runs", cwd=host.work / "sub")
        records = list((host.state_dir / "sessions").iterdir())
        first.terminate()

    assert len(records) == 1
    assert second.returncode == 1
    assert second.stderr.splitlines()[0] == f"claude-local: another session runs in {host.work}"

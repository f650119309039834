"""Which editor a session sees: with --ide one that has the workspace open, otherwise no editor.

The editor opens any file of the user for any program that connects, and there is no proxy before it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from jail.host import Host

pytestmark = pytest.mark.tools

ASK = 'exec 3<>"/dev/tcp/127.0.0.1/${CLAUDE_CODE_SSE_PORT:-9}" && read -r answer <&3 && echo "$answer"'


@contextmanager
def editor(host: Host, text: str) -> Iterator[str]:
    """The port of an editor with this lock file. It greets each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"the editor\n")

        Thread(target=greet, daemon=True).start()
        lock = host.home / ".claude" / "ide" / f"{listener.getsockname()[1]}.lock"
        lock.parent.mkdir()
        lock.write_text(text)
        host.give(lock.parent)
        yield lock.stem
        listener.shutdown(socket.SHUT_RDWR)


SEEN = {
    "the workspace": ["@WORK@"],
    "a folder above it": ["@HOME@/projects"],
    "the second of two": ["@HOME@/other", "@WORK@"],
    "the last of three, with odd names before it": ["/a]b", '/a"b,\\', "@WORK@"],
}
NOT_SEEN = {
    "nothing": [],
    "other folders": ["@HOME@/other", "@HOME@/projects/w"],
    "a folder in it": ["@WORK@/sub"],
    "a folder that names it": ["@HOME@/other@WORK@", "relative@WORK@"],
    "a text that looks like an end": ['/x"]', '/x", "', "/x\\"],
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", SEEN)
def test_an_editor_that_has_the_workspace_open_is_seen(host: Host, name: str, indent: int | None) -> None:
    folders = [host.fill_in(folder) for folder in SEEN[name]]
    with editor(host, json.dumps({"pid": 1, "workspaceFolders": folders, "ideName": "x"}, indent=indent)):
        done = host.session(ASK, "--ide")

    assert (done.returncode, done.stdout) == (0, "the editor\n"), done.stderr


@pytest.mark.parametrize("name", NOT_SEEN)
def test_an_editor_that_has_other_folders_open_is_not_seen(host: Host, name: str) -> None:
    folders = [host.fill_in(folder) for folder in NOT_SEEN[name]]
    facts = {"workspaceFolders": folders, "others": [str(host.work)], "ideName": str(host.work)}
    with editor(host, json.dumps(facts)):
        done = host.session(ASK, "--ide")

    assert (done.returncode, done.stdout) == (1, "")


def test_a_folder_whose_name_json_escapes_is_found(host: Host) -> None:
    folder = host.home / "projects" / 'a"b\\c\\\\"'
    folder.mkdir()
    host.give(folder)
    with editor(host, json.dumps({"workspaceFolders": ["/other", str(folder)]})):
        done = host.session(ASK, "--ide", cwd=folder)

    assert (done.returncode, done.stdout) == (0, "the editor\n"), done.stderr


def test_a_folder_that_the_editor_opened_through_a_link_is_found(host: Host) -> None:
    link = host.home / "code"
    link.symlink_to(host.work.parent)
    with editor(host, json.dumps({"workspaceFolders": [str(link)]})):
        done = host.session(ASK, "--ide")

    assert (done.returncode, done.stdout) == (0, "the editor\n"), done.stderr


# All ways that a session could try: the port, the socket file beside the door's, the lock file with the token.
REACH = f"""cat ~/.claude/ide/* @HOME@/.claude/ide/* ~/.claude-local/ide/* 2>/dev/null
for port in @EDITOR@ "${{CLAUDE_CODE_SSE_PORT:-9}}"; do (CLAUDE_CODE_SSE_PORT=$port; {ASK}) 2>/dev/null; done
socat -T 2 - UNIX-CONNECT:/run/claude-local/door/editor.sock 2>/dev/null
true"""
TOKEN = "the token of the editor"


@pytest.mark.parametrize("options", [(), ("--no-ide",)])
def test_without_ide_no_way_leads_to_the_editor(host: Host, options: tuple[str, ...]) -> None:
    facts = {"workspaceFolders": [str(host.work)], "authToken": TOKEN}
    with editor(host, json.dumps(facts)) as port:
        script = REACH.replace("@EDITOR@", port)
        done = host.session(script, *options, extra={"CLAUDE_CODE_SSE_PORT": port})
        control = host.unconfined(script)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert TOKEN in control.stdout
    assert "the editor\n" in control.stdout


def test_with_ide_the_attack_reaches_the_editor(host: Host) -> None:
    """As the help of --ide says, the session controls the editor."""
    facts = {"workspaceFolders": [str(host.work)], "authToken": TOKEN}
    with editor(host, json.dumps(facts)) as port:
        done = host.session(REACH.replace("@EDITOR@", port), "--ide")

    assert TOKEN in done.stdout
    assert "the editor\n" in done.stdout

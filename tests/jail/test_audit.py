"""The audit after a session: the quarantine, the report, and restoring files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jail.host import Host, remove

pytestmark = pytest.mark.tools

GIT = "git init -q . && echo a >a && git add a && git commit -q -m one"


def aside(host: Host) -> dict[str, str]:
    """The files in the quarantines: path in the workspace, and text."""
    found = {}
    for folder in sorted((host.state_dir / "quarantine").glob("*/")):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                found[str(path.relative_to(folder))] = path.read_text(errors="replace")
    return found


def name_of_quarantine(host: Host) -> str:
    (folder,) = (host.state_dir / "quarantine").glob("*/")
    return folder.name


def prepare(host: Host, script: str) -> None:
    done = host.unconfined(f"set -e\n{script}")
    assert done.returncode == 0, done.stderr


def test_new_files_are_put_aside_and_named(host: Host) -> None:
    done = host.session(
        "mkdir -p sub/.vscode; echo evil >sub/.vscode/tasks.json; echo evil >.envrc; echo fine >file"
    )

    assert aside(host) == {".envrc": "evil\n", "sub/.vscode/tasks.json": "evil\n"}
    assert sorted(str(path.relative_to(host.work)) for path in host.work.rglob("*")) == ["file", "sub"]
    name = name_of_quarantine(host)
    assert done.stderr.splitlines() == [
        "claude-local: 2 file(s) that other programs run or follow without asking were moved out of the workspace:",
        "  .envrc",
        "  sub/.vscode",
        f"  read them in {host.state_dir}/quarantine/{name}",
        f"  take them back: claude-local quarantine restore {name}",
    ]


def test_a_changed_file_is_restored(host: Host) -> None:
    prepare(host, "mkdir a; echo fine >a/.envrc; chmod 640 a/.envrc")

    host.session("mv a b; mkdir a; echo evil >a/.envrc")

    assert aside(host) == {"a/.envrc": "evil\n", "b/.envrc": "fine\n"}
    assert (host.work / "a/.envrc").read_text() == "fine\n"
    assert (host.work / "a/.envrc").stat().st_mode & 0o777 == 0o640


def test_existing_files_that_programs_obey_are_read_only(host: Host) -> None:
    prepare(host, f"{GIT}; echo fine >.envrc; mkdir .vscode; echo fine >.vscode/tasks.json")

    done = host.session(
        "for f in .envrc .vscode/tasks.json .vscode/new .git/config .git/hooks/pre-commit; do { echo evil >>$f; } 2>/dev/null || echo no; done;"
        "rm -rf .vscode .envrc .git/config .git 2>/dev/null; mv .git x 2>/dev/null || echo no; mv .vscode y 2>/dev/null || echo no"
    )

    assert done.stdout == "no\n" * 7
    assert done.stderr == ""


def test_a_harmless_session_prints_nothing(host: Host) -> None:
    prepare(host, GIT)

    done = host.session(
        "echo b >b; git add b; git commit -q -m two; git checkout -q -b other; git tag x; git stash list"
    )

    assert (done.stdout, done.stderr) == ("", "")


HARMLESS = {
    "a new repository": "git init -q sub; git -C sub config user.name Ada; git -C sub commit -q --allow-empty -m x",
    "a clone with its remote": "git init -q --bare far; git clone -q far near 2>/dev/null; git -C near remote add o https://example.com/x.git",
    "a clone that shares objects": "git init -q a; git -C a commit -q --allow-empty -m x; git clone -q --shared a b",
    "a worktree": "git init -q sub; cd sub; git commit -q --allow-empty -m x; git worktree add -q ../tree; cd ../tree; git commit -q --allow-empty -m y",
    "a rebase without commands": "git init -q sub; cd sub; git commit -q --allow-empty -m x; git commit -q --allow-empty -m y; GIT_SEQUENCE_EDITOR='sed -i 1ibreak' git rebase -q -i HEAD~1",
    "a branch that is named like a part of a repository": "git init -q sub; cd sub; git commit -q --allow-empty -m x; for n in config hooks/pre commondir HEAD2; do git branch $n; done",
    "a file named HEAD": "echo x >HEAD; mkdir d; echo x >d/HEAD; echo x >d/config",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_repository_that_starts_nothing_stays(host: Host, name: str) -> None:
    done = host.session(f"set -e; {HARMLESS[name]}")

    assert done.returncode == 0, done.stderr
    assert aside(host) == {}, done.stderr
    assert "moved out of the workspace" not in done.stderr


KEYS = {
    "core.fsmonitor": "x",
    "core.hooksPath": "x",
    "core.sshCommand": "x",
    "core.pager": "x",
    "core.editor": "x",
    "core.worktree": "/",
    "core.attributesFile": "x",
    "core.gitProxy": "x",
    "core.askPass": "x",
    "include.path": "x",
    "includeIf.gitdir:/.path": "x",
    "filter.x.clean": "x",
    "filter.x.process": "x",
    "diff.external": "x",
    "diff.x.textconv": "x",
    "merge.x.driver": "x",
    "mergetool.x.cmd": "x",
    "alias.st": "!x",
    "credential.helper": "!x",
    "gpg.program": "x",
    "gpg.ssh.defaultKeyCommand": "x",
    "remote.o.uploadpack": "x",
    "remote.o.receivepack": "x",
    "remote.o.vcs": "x",
    "remote.o.proxy": "x",
    "remote.o.url": "ext::sh -c x",
    "remote.o.pushurl": "fd::17",
    "remote.a.b.url": "--upload-pack=x",
    "branch.main.remote": "ext::sh -c x",
    "url.ext::x.insteadOf": "https://",
    "submodule.m.update": "!x",
    "sequence.editor": "x",
    "pager.log": "x",
    "protocol.ext.allow": "always",
    "uploadpack.packObjectsHook": "x",
    "http.proxy": "http://x",
    "http.sslVerify": "false",
    "trailer.x.command": "x",
    "browser.x.cmd": "x",
    "man.x.cmd": "x",
    "interactive.diffFilter": "x",
    "guitool.x.cmd": "x",
    "sendemail.smtpserver": "/x",
    "safe.directory": "*",
    "user.signingKey": "x",
    "commit.gpgSign": "true",
    "commit.template": "x",
    "init.templateDir": "x",
    "notes.rewriteRef": "x",
    "maintenance.strategy": "x",
    "gc.recentObjectsHook": "x",
    "tar.x.command": "x",
    "receive.procReceiveRefs": "x",
}


def test_a_key_that_may_start_something_puts_the_configuration_aside(host: Host) -> None:
    """One session with one repository for each key: they do not influence each other."""
    lines = [
        f"git init -q r{i}; git -C r{i} config '{key}' '{value}'"
        for i, (key, value) in enumerate(KEYS.items())
    ]

    done = host.session("\n".join(["export GIT_CONFIG_NOSYSTEM=1", *lines]))

    assert done.returncode == 0, done.stderr
    missing = [key for i, key in enumerate(KEYS) if (host.work / f"r{i}/.git/config").exists()]
    assert missing == []


BROKEN = {
    "not a configuration": "[core",
    "bytes": "\\x00\\xff",
    "a link": None,
    "a folder": None,
    "huge": None,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_configuration_that_git_cannot_read_is_put_aside(host: Host, name: str) -> None:
    make = {"a link": "ln -s /dev/zero", "a folder": "mkdir", "huge": "truncate --size 2G"}.get(
        name, f"printf '{BROKEN[name]}' >"
    )

    done = host.session(f"git init -q sub; rm sub/.git/config; {make} sub/.git/config")

    assert done.returncode == 0, done.stderr
    assert not os.path.lexists(host.work / "sub/.git/config")
    assert "TIMED OUT" not in done.stderr


def test_names_are_shown_without_their_control_characters(host: Host) -> None:
    done = host.session(
        'n=$\'a\\e]0;evil\\a\\nb\\r\'; mkdir "$n"; echo x >"$n/.envrc"; echo x >"$n.run"; chmod +x "$n.run"; ln -s $\'/x\\e[31m\' "$n.link"; mkfifo "$n.pipe"'
    )

    assert aside(host) != {}
    assert not set(done.stderr) & {"\x1b", "\x07", "\r"}
    assert len(done.stderr.splitlines()) == 8


def test_names_in_the_list_of_quarantines_are_shown_without_control_characters(host: Host) -> None:
    host.session('n=$\'a\\e[31m\\nb\'; mkdir "$n"; echo x >"$n/.envrc"')

    done = host.run([str(host.wrapper), "quarantine"])

    assert "\x1b" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_files_in_the_quarantine_can_be_restored(host: Host) -> None:
    host.session("mkdir -p $'a\\nb\\n/.vscode'; echo x >$'a\\nb\\n/.vscode/tasks.json'; ln -s y .envrc")

    done = host.run([str(host.wrapper), "quarantine", "restore", name_of_quarantine(host)])

    assert done.returncode == 0, done.stderr
    assert (host.work / "a\nb\n/.vscode/tasks.json").read_text() == "x\n"
    assert (host.work / ".envrc").readlink() == Path("y")
    assert aside(host) == {}
    assert host.run([str(host.wrapper), "quarantine"]).stderr == "claude-local: the quarantine is empty\n"


def test_restoring_does_not_replace_a_file(host: Host) -> None:
    host.session("echo evil >.envrc")
    (host.work / ".envrc").write_text("mine")

    done = host.run([str(host.wrapper), "quarantine", "restore", name_of_quarantine(host)])

    assert (host.work / ".envrc").read_text() == "mine"
    assert aside(host) == {".envrc": "evil\n"}
    assert (
        ".envrc exists in the workspace and was not overwritten; the file in quarantine is still "
        in done.stderr
    )


def test_nothing_is_restored_through_a_link_that_a_later_session_made(host: Host) -> None:
    host.session("mkdir a; echo evil >a/.zlogin; mkdir -p b/c; echo evil >b/c/.zlogin")
    host.session("rmdir a; ln -s @HOME@ a; rm -r b; ln -s @HOME@/projects b; mkdir -p ../c")
    host.start_watching()

    done = host.run([str(host.wrapper), "quarantine", "restore", name_of_quarantine(host)])

    assert host.effects() == []
    assert not (host.home / "projects/c").exists()
    assert "leads through a link now" in done.stderr


@pytest.mark.parametrize("folder", [".", "a", ".."])
def test_nothing_is_restored_while_a_session_runs_there(host: Host, folder: str) -> None:
    """The session's workspace is the same, a part of it, or contains it. It could replace folders by links."""
    host.session("mkdir a; echo evil >a/.zlogin; echo evil >.envrc")
    name = name_of_quarantine(host)
    place = (host.work / folder).resolve()
    pipe = place / "go"
    os.mkfifo(pipe)
    host.give(host.home / "projects")
    with host.started(host.wrapper_argv("echo x >go; sleep 60"), cwd=place) as running:
        with pipe.open() as waiting:
            waiting.read()
        beside = host.run([str(host.wrapper), "quarantine", "restore", name])
        running.kill()
    after = host.run([str(host.wrapper), "quarantine", "restore", name])
    pipe.unlink()
    host.session("true", cwd=place)
    at_last = host.run([str(host.wrapper), "quarantine", "restore", name])

    assert (beside.returncode, after.returncode, at_last.returncode) == (1, 1, 0)
    assert beside.stderr.splitlines() == [
        f"claude-local: another session runs in {place}",
        "claude-local: end it first",
    ]
    assert after.stderr.splitlines() == [
        f"claude-local: the last session in {place} was cut off and has not been audited yet",
        "claude-local: start claude-local there once, which audits first",
    ]
    assert (host.work / "a/.zlogin").read_text() == "evil\n"
    assert aside(host) == {}
    assert list((host.state_dir / "sessions").iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "../..", "/etc", "none", ""])
def test_only_quarantines_can_be_restored(host: Host, name: str) -> None:
    done = host.run([str(host.wrapper), "quarantine", "restore", name])

    assert done.returncode != 0
    assert host.effects() == []


def test_breaking_hard_links_does_not_write_through_a_link(host: Host) -> None:
    prepare(
        host,
        "echo evil >@HOME@/other/store; ln @HOME@/other/store f; ln -s @HOME@/.bashrc f.claude-local-copy",
    )
    host.start_watching(host.home / "other")

    done = host.session("echo changed >f", "--break-hardlinks")

    assert done.returncode == 0, done.stderr
    assert host.effects() == []
    assert (host.home / "other/store").read_text() == "evil\n"


def test_breaking_hard_links_keeps_text_and_mode_of_odd_names(host: Host) -> None:
    prepare(
        host,
        'for n in $\'a\\nb\' -n \' \' "\'"; do echo x >@HOME@/other/"$n"; chmod 640 @HOME@/other/"$n"; ln -- @HOME@/other/"$n" ./"$n"; done',
    )

    done = host.session("true", "--break-hardlinks")

    assert done.returncode == 0, done.stderr
    facts = {
        path.name: (path.read_text(), path.stat().st_nlink, path.stat().st_mode & 0o777)
        for path in host.work.iterdir()
    }
    assert facts == dict.fromkeys(("a\nb", "-n", " ", "'"), ("x\n", 1, 416))


def test_files_that_cannot_be_put_aside_are_named(host: Host) -> None:
    """As on a full or broken disk; here a file is in the quarantine's place."""
    (host.state_dir / "quarantine").write_text("")
    host.give(host.state_dir)

    done = host.session("echo evil >.envrc; mkdir .vscode; echo evil >.vscode/tasks.json")

    assert (
        "other programs also run or follow these, but they cannot be moved; delete them:\n  .envrc\n  .vscode\n"
        in done.stderr
    )


LISTED = {
    "a build file": ("echo x >Makefile", "Makefile"),
    "a build file deep in the tree": ("mkdir a; echo x >a/package.json", "a/package.json"),
    "an executable": ("echo x >run; chmod +x run", "run is executable"),
    "a link that leads out": (
        "ln -s ../../.bashrc l",
        "l is a link that leads out of the workspace, to @HOME@/.bashrc",
    ),
    "a setuid file": ("cp /bin/true t; chmod 4755 t", "t has special permissions (4755)"),
    "a pipe": ("mkfifo p", "p is not a regular file"),
    "a socket": ("python3 -c 'import socket; socket.socket(1).bind(\"s\")'", "s is not a regular file"),
    "a module that starts with Python": (
        "mkdir -p v/site-packages; echo x >v/site-packages/x.pth",
        "v/site-packages/x.pth",
    ),
}


@pytest.mark.parametrize("name", LISTED)
def test_files_that_a_user_runs_on_purpose_are_listed_and_stay(host: Host, name: str) -> None:
    script, line = LISTED[name]

    done = host.session(script)

    assert done.stderr.splitlines() == [
        "claude-local: changed in this session; read them before you build, test or run:",
        f"  {host.fill_in(line)}",
    ]


def test_a_link_inside_is_not_listed(host: Host) -> None:
    assert host.session("touch a; ln -s a b; ln -s ./b c").stderr == ""


@pytest.mark.parametrize("kind", ["links", "programs", "repositories", "plants"])
def test_the_audit_of_thousands_of_files_ends(host: Host, kind: str) -> None:
    script = {
        "links": "/usr/bin/python3 -c 'import os; [os.symlink(os.path.abspath(chr(97)), str(i)) for i in range(20000)]'",
        "programs": "touch p{1..5000}; chmod +x p*",
        "repositories": "for i in {1..50}; do mkdir -p r$i/objects r$i/refs; echo 'ref: refs/heads/x' >r$i/HEAD; echo >r$i/config; done",
        "plants": "mkdir d{1..200}; for i in {1..200}; do echo x >d$i/.envrc; done",
    }[kind]

    done = host.session(script)

    assert "TIMED OUT" not in done.stderr
    assert len(done.stderr.splitlines()) < 30


def test_a_session_in_another_folder_does_not_audit_this_one(host: Host) -> None:
    other = host.home / "projects" / "else"
    other.mkdir()
    host.give(other)
    record = host.state_dir / "sessions" / "999999999-1"
    (record / "old").mkdir(parents=True)
    (record / "workspace").write_text(str(host.work))
    (record / "stamp").write_text("")
    (record / "begun").write_text("")
    (host.work / ".envrc").write_text("x")
    host.give(host.home)

    first = host.session("true", cwd=other)
    second = host.session("true")

    assert first.stderr == ""
    assert "was cut off" in second.stderr
    assert not record.exists()


def test_a_deep_tree_is_audited(host: Host) -> None:
    done = host.session("for i in {1..30}; do mkdir $(printf 'd%.0s' {1..120}); cd d*; done; echo x >.envrc")

    assert done.returncode == 0
    assert "1 file(s)" in done.stderr
    remove(host.work)

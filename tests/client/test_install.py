"""install and uninstall: files in a home folder are written and kept correctly; ~/.claude is never changed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import yaml

from claude_local.client.install import Choices, install
from claude_local.client.manifest import fingerprint
from claude_local.client.uninstall import uninstall
from claude_local.foundation.errors import UserError
from claude_local.machine.settings import Settings, load_settings
from claude_local.machine.state_folder import ENTRIES, MANIFEST
from support import refresh_golden
from support.machine import ROOT, Machine

# A small build/; the tests of the commands below install the real one.
BUILD = {
    "bin/claude-local": "#!/bin/sh\n",
    "shim/claude-local": "#!/bin/sh\nexec bin/claude-local\n",
    "claude-local/CLAUDE.md": "one\ntwo\n",
    "claude-local/settings.json": "{}\n",
    "claude-local/skills/greet/SKILL.md": "---\nname: greet\n---\n",
}
STATE_FOLDER = ".local/state/claude-local"
TEXTS = ["CLAUDE.md", "settings.json", "skills/greet/SKILL.md"]

VERBS = {
    "write": "wrote",
    "update": "updated",
    "link": "linked",
    "make": "made",
    "save": "saved",
    "keep": "kept",
    "remove": "removed",
}


class User:
    """A user with a home folder, all programs, and a rendered checkout."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "hömé of mine"
        self.programs = folder / "programs"
        self.client_dir = self.home / ".claude-local"
        self.command = self.home / "bin" / "claude-local"
        self.state_dir = self.home / ".local" / "state" / "claude-local"
        self.path = f"{self.programs}:{self.home}/bin"
        self.extra: dict[str, str] = {}
        self.build = folder / "check out" / "build"
        self.root = folder / "root"
        self.home.mkdir()
        self.programs.mkdir()
        for name in ("claude", "bwrap", "haproxy", "socat"):
            self.add_program(name)
        for path, text in BUILD.items():
            self.render(path, text)

    def add_program(self, name: str) -> None:
        (self.programs / name).write_text("#!/bin/sh\n")
        (self.programs / name).chmod(0o755)

    def render(self, path: str, text: str) -> None:
        file = self.build / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if path.startswith(("bin/", "shim/")) else 0o644)

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": self.path, **self.extra}

    @property
    def settings(self) -> Settings:
        root = self.build.parent
        return load_settings(self.environment, root, user_id=os.getuid(), group_id=os.getgid())

    def install(
        self,
        bin_dir: Path | None = None,
        *,
        link: bool = False,
        dry_run: bool = False,
        force: bool = False,
    ) -> list[str]:
        choices = Choices(bin_dir, link=link, dry_run=dry_run, force=force)
        return list(install(self.settings, choices, self.environment, self.root))

    def uninstall(self, *, purge: bool = False, dry_run: bool = False) -> list[str]:
        return list(uninstall(self.settings, self.environment, purge=purge, dry_run=dry_run))

    def manifest(self) -> dict[str, str]:
        return dict(json.loads((self.state_dir / "install.json").read_text())["paths"])

    def write(self, path: str, text: str) -> Path:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def normal_claude(self) -> Path:
        """A ~/.claude in use, with a running editor."""
        self.write(".claude/settings.json", '{"model": "opus"}\n')
        self.write(".claude/CLAUDE.md", "mine\n")
        self.write(".claude/skills/greet/SKILL.md", BUILD["claude-local/skills/greet/SKILL.md"])
        self.write(".claude/ide/4711.lock", "{}")
        return self.home / ".claude"


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def tree(folder: Path) -> dict[str, str | None]:
    """Every path below a folder with its content; links are not followed."""
    return {str(path.relative_to(folder)): fingerprint(path) for path in sorted(folder.rglob("*"))}


def details(folder: Path) -> dict[str, tuple[str | None, int, int, int]]:
    """`tree` with inode, modification time (ns) and mode, including the folder itself."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        found[str(path)] = (fingerprint(path), status.st_ino, status.st_mtime_ns, status.st_mode)
    return found


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def as_done(line: str) -> str:
    """A line of a dry run in the form of the real run."""
    for verb, done in VERBS.items():
        if line.startswith(f"would {verb} "):
            return line.replace(f"would {verb}", done, 1)
    return line


# ---- Writing


def test_texts_and_command_are_copied_and_each_is_reported(user: User) -> None:
    lines = user.install()

    assert lines == [
        f"made {user.client_dir} private (0700)",
        *(f"wrote {user.client_dir}/{name}" for name in TEXTS),
        f"wrote {user.command}",
    ]
    assert {name: text_of(user.client_dir / name) for name in TEXTS} == {
        name: BUILD[f"claude-local/{name}"] for name in TEXTS
    }
    assert (text_of(user.command), mode_of(user.command)) == (BUILD["shim/claude-local"], 0o755)
    assert not user.command.is_symlink()
    assert mode_of(user.client_dir) == 0o700


def test_the_manifest_lists_every_path_with_its_content_and_is_private(user: User) -> None:
    user.install()

    files = [user.command, *(user.client_dir / name for name in TEXTS)]
    folders = [
        *(user.home / name for name in ("bin", ".local", ".local/state")),
        *(user.client_dir / name for name in ("", "skills", "skills/greet")),
        user.state_dir,
    ]
    assert user.manifest() == {str(path): fingerprint(path) for path in (*files, *folders)}
    assert mode_of(user.state_dir / "install.json") == 0o600
    assert mode_of(user.state_dir) == 0o700


def test_a_second_install_writes_nothing(user: User) -> None:
    user.install()
    before = details(user.home)

    lines = user.install()

    paths = [*(user.client_dir / name for name in TEXTS), user.command]
    assert lines == [f"{path} is already up to date" for path in paths]
    assert details(user.home) == before


def test_link_makes_links_into_build_so_that_edits_apply_immediately(user: User) -> None:
    lines = user.install(link=True)
    user.render("claude-local/CLAUDE.md", "edited\n")

    assert lines[1] == f"linked {user.client_dir}/CLAUDE.md -> {user.build}/claude-local/CLAUDE.md"
    assert user.command.readlink() == user.build / "bin" / "claude-local"
    assert text_of(user.client_dir / "CLAUDE.md") == "edited\n"
    assert user.manifest()[str(user.command)] == f"link:{user.build}/bin/claude-local"


@pytest.mark.parametrize("first", [True, False], ids=["link then copy", "copy then link"])
def test_links_and_copies_replace_each_other(user: User, first: bool) -> None:
    user.install(link=first)

    lines = user.install(link=not first)

    assert [line.split()[0] for line in lines] == ["updated"] * 4
    assert user.command.is_symlink() is not first
    assert text_of(user.command) == BUILD["shim/claude-local" if first else "bin/claude-local"]


def test_rerendered_files_are_updated_and_the_others_are_left(user: User) -> None:
    user.install()
    user.render("claude-local/CLAUDE.md", "new\n")

    lines = user.install()

    assert lines == [
        f"updated {user.client_dir}/CLAUDE.md",
        *(f"{user.client_dir}/{name} is already up to date" for name in TEXTS[1:]),
        f"{user.command} is already up to date",
    ]
    assert text_of(user.client_dir / "CLAUDE.md") == "new\n"


def test_a_command_that_lost_its_execute_permission_gets_it_back(user: User) -> None:
    user.install()
    user.command.chmod(0o644)

    lines = user.install()

    assert lines[-1] == f"updated {user.command}"
    assert mode_of(user.command) == 0o755


def test_an_unchanged_text_that_is_no_longer_rendered_is_removed(user: User) -> None:
    user.render("claude-local/skills/old/SKILL.md", "old\n")
    user.render("claude-local/skills/older/SKILL.md", "older\n")
    user.install()
    (user.client_dir / "skills" / "older" / "SKILL.md").write_text("mine now\n")
    for name in ("old", "older"):
        (user.build / "claude-local" / "skills" / name / "SKILL.md").unlink()

    lines = user.install()

    assert lines[-1] == f"removed {user.client_dir}/skills/old/SKILL.md, which is no longer needed"
    assert text_of(user.client_dir / "skills" / "older" / "SKILL.md") == "mine now\n"
    assert not (user.client_dir / "skills" / "old" / "SKILL.md").exists()


def test_an_interrupted_install_has_recorded_what_it_wrote(user: User) -> None:
    lines = install(user.settings, Choices(), user.environment)
    for _ in range(2):
        next(lines)

    assert user.manifest()[f"{user.client_dir}/CLAUDE.md"] == fingerprint(user.client_dir / "CLAUDE.md")
    user.uninstall()
    assert tree(user.home) == {}


# ---- Changed files


def test_a_changed_file_is_kept_with_a_diff_and_ours_next_to_it(user: User) -> None:
    user.install()
    mine = user.write(".claude-local/CLAUDE.md", "one\nmine\n")

    lines = user.install()

    assert lines[:9] == [
        f"--- {mine}",
        f"+++ {mine}.new",
        "@@ -1,2 +1,2 @@",
        " one",
        "-mine",
        "+two",
        f"kept {mine}, which is not as we wrote it; ours is CLAUDE.md.new, --force installs it",
        f"wrote {mine}.new",
        f"{user.client_dir}/settings.json is already up to date",
    ]
    assert text_of(mine) == "one\nmine\n"
    assert text_of(mine.with_name("CLAUDE.md.new")) == "one\ntwo\n"


def test_a_changed_file_is_kept_again_and_ours_next_to_it_is_updated(user: User) -> None:
    user.install()
    mine = user.write(".claude-local/CLAUDE.md", "mine\n")
    user.install()
    user.render("claude-local/CLAUDE.md", "three\n")

    lines = user.install()

    assert f"updated {mine}.new" in lines
    assert (text_of(mine), text_of(mine.with_name("CLAUDE.md.new"))) == ("mine\n", "three\n")


def test_a_dot_new_file_of_the_user_is_not_overwritten(user: User) -> None:
    user.install()
    mine = user.write(".claude-local/CLAUDE.md", "mine\n")
    own = user.write(".claude-local/CLAUDE.md.new", "my draft\n")

    user.install()

    assert (text_of(mine), text_of(own)) == ("mine\n", "my draft\n")
    assert text_of(mine.with_name("CLAUDE.md.new1")) == "one\ntwo\n"


def test_settings_that_claude_code_rewrote_count_as_changed(user: User) -> None:
    user.install()
    settings = user.write(".claude-local/settings.json", '{"model": "local-llama"}\n')

    lines = user.install()

    assert (
        f"kept {settings}, which is not as we wrote it; ours is settings.json.new, --force installs it"
        in lines
    )
    assert text_of(settings) == '{"model": "local-llama"}\n'


def test_force_saves_their_file_and_never_overwrites_an_older_backup(user: User) -> None:
    user.install()
    file = user.write(".claude-local/CLAUDE.md", "first\n")
    first = user.install(force=True)
    user.write(".claude-local/CLAUDE.md", "second\n")
    second = user.install(force=True)

    assert first[:2] == [f"saved {file} as CLAUDE.md.bak", f"wrote {file}"]
    assert second[:2] == [f"saved {file} as CLAUDE.md.bak1", f"wrote {file}"]
    saved = [text_of(file.with_name(name)) for name in ("CLAUDE.md", "CLAUDE.md.bak", "CLAUDE.md.bak1")]
    assert saved == ["one\ntwo\n", "first\n", "second\n"]


@pytest.mark.parametrize("end", ["force", "took ours"])
def test_a_dot_new_file_is_removed_when_it_is_no_longer_needed(user: User, end: str) -> None:
    user.install()
    file = user.write(".claude-local/CLAUDE.md", "mine\n")
    user.install()
    if end == "took ours":
        file.write_text("one\ntwo\n")

    lines = user.install(force=end == "force")

    assert lines[-1] == f"removed {file}.new, which is no longer needed"
    assert not file.with_name("CLAUDE.md.new").exists()


def test_a_changed_command_is_kept_and_ours_is_written_next_to_it(user: User) -> None:
    user.install()
    user.command.write_text("#!/bin/sh\necho mine\n")

    user.install()

    assert text_of(user.command) == "#!/bin/sh\necho mine\n"
    beside = user.command.with_name("claude-local.new")
    assert (text_of(beside), mode_of(beside)) == (BUILD["shim/claude-local"], 0o755)


def test_a_file_from_before_the_first_install_is_kept_unless_it_is_the_same(user: User) -> None:
    user.write(".claude-local/CLAUDE.md", "one\ntwo\n")
    user.write(".claude-local/settings.json", "mine\n")

    lines = user.install()

    assert f"{user.client_dir}/CLAUDE.md is already up to date" in lines
    assert text_of(user.client_dir / "settings.json") == "mine\n"


def test_a_link_of_the_user_is_kept_and_with_force_saved_as_a_link(user: User) -> None:
    own = user.write("dotfiles/CLAUDE.md", "mine\n")
    user.client_dir.mkdir()
    (user.client_dir / "CLAUDE.md").symlink_to(own)

    user.install()
    kept = fingerprint(user.client_dir / "CLAUDE.md")
    user.install(force=True)

    assert kept == fingerprint(user.client_dir / "CLAUDE.md.bak") == f"link:{own}"
    assert (text_of(own), text_of(user.client_dir / "CLAUDE.md")) == ("mine\n", "one\ntwo\n")


# ---- The folder of the command, and notes


@pytest.mark.parametrize(
    ("on_path", "chosen"),
    [
        (["bin"], "bin"),
        ([".local/bin"], ".local/bin"),
        ([".local/bin", "bin"], "bin"),
        (["other"], ".local/bin"),
        ([], ".local/bin"),
    ],
)
def test_the_command_goes_into_a_usual_folder_preferably_on_the_path(
    user: User, on_path: list[str], chosen: str
) -> None:
    user.path = ":".join([str(user.programs), *(f"{user.home}/{name}" for name in on_path)])

    user.install()

    assert [path.parent for path in user.home.rglob("claude-local") if path.is_file()] == [user.home / chosen]


def test_a_folder_that_is_not_on_the_path_is_reported_with_a_line_for_the_shell(user: User) -> None:
    folder = user.home / "it's my $tools"

    lines = user.install(folder)

    start = f"{folder} is not on your PATH; add this line to ~/.profile and log in again: "
    assert lines[-1].startswith(start)
    script = f'{lines[-1].removeprefix(start)}; command -v claude-local; echo "$PATH"'
    done = subprocess.run(["/bin/sh", "-c", script], env={"PATH": "/x"}, capture_output=True, text=True)
    assert done.stdout == f"{folder}/claude-local\n{folder}:/x\n"


def test_another_command_of_that_name_earlier_on_the_path_is_reported(user: User) -> None:
    user.add_program("claude-local")

    lines = user.install()

    assert lines[-1] == f"{user.programs}/claude-local comes before {user.command} on your PATH"


def test_empty_parts_of_the_path_are_ignored(user: User) -> None:
    user.path = f"::{user.programs}:"

    user.install()

    assert (user.home / ".local" / "bin" / "claude-local").is_file()


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        (None, "sudo apt install"),
        ("apt-get", "sudo apt install"),
        ("dnf", "sudo dnf install"),
        ("zypper", "sudo zypper install"),
        ("pacman", "sudo pacman -S"),
    ],
)
def test_a_missing_program_is_reported_with_its_install_command_and_stops_nothing(
    user: User, manager: str | None, line: str
) -> None:
    for name in ("claude", "bwrap", "haproxy", "socat"):
        (user.programs / name).unlink()
    if manager:
        user.add_program(manager)

    lines = user.install()

    assert lines[:4] == [
        "claude is missing; only --sandbox container works without it: "
        "npm install --global @anthropic-ai/claude-code",
        f"bwrap is missing; --sandbox jail and bash need it: {line} bubblewrap",
        f"haproxy is missing; --sandbox jail and container need it: {line} haproxy",
        "socat is missing; --sandbox bash, --ide and switching models from inside the jail need it: "
        f"{line} socat",
    ]
    assert user.command.is_file()


def test_a_program_outside_the_users_path_is_found(user: User) -> None:
    (user.root / "usr" / "sbin").mkdir(parents=True)
    (user.programs / "haproxy").rename(user.root / "usr" / "sbin" / "haproxy")

    assert not any(line.startswith("haproxy is missing") for line in user.install())


def test_docker_is_reported_only_if_sessions_run_in_a_container(user: User) -> None:
    without = user.install()
    user.extra["CLAUDE_LOCAL_SANDBOX"] = "container"

    assert not any(line.startswith("docker is missing") for line in without)
    assert user.install()[0] == "docker is missing; --sandbox container needs it: sudo apt install docker.io"


# ---- Editors


def test_a_claude_that_starts_from_elsewhere_is_named(user: User) -> None:
    (user.programs / "claude").write_text("#!/bin/sh\n# asdf-plugin: nodejs 24\n")
    remedy = (
        'put the program itself first on your PATH: export PATH="$(dirname "$(asdf which claude)"):$PATH"'
    )

    assert user.install()[0] == (
        f"{user.programs / 'claude'} is a shim of asdf; the jail does not show its files: {remedy}"
    )


def test_the_lock_files_of_editors_are_linked_if_they_exist(user: User) -> None:
    normal = user.normal_claude()

    first, second = user.install(), user.install()

    assert first[-1] == f"linked {user.client_dir}/ide -> {normal}/ide, so that editors are found"
    assert second[-1] == f"{user.client_dir}/ide is already up to date"
    assert (user.client_dir / "ide").readlink() == normal / "ide"


def test_a_missing_normal_folder_is_not_created(user: User) -> None:
    user.install()

    assert not (user.home / ".claude").exists()
    assert not (user.client_dir / "ide").is_symlink()


@pytest.mark.parametrize("force", [False, True])
def test_an_existing_ide_folder_is_kept(user: User, force: bool) -> None:
    normal = user.normal_claude()
    (user.client_dir / "ide").mkdir(parents=True)

    lines = user.install(force=force)

    kept = f"kept {user.client_dir}/ide, which is not our link; editors are found in {normal}/ide too"
    assert lines[-1] == kept
    assert fingerprint(user.client_dir / "ide") == "folder"


# ---- Refusals


def place_client_dir(user: User, kind: str) -> Path:
    normal = user.home / ".claude"
    link = user.home / "link"
    if kind == "the normal folder":
        return normal
    if kind == "inside":
        return normal / "local"
    if kind == "by a detour":
        return user.home / "no such" / ".." / ".claude"
    if kind == "home":
        return user.home
    if kind == "root":
        return Path("/")
    if kind == "what the normal folder links to":
        normal.rename(user.home / "dotfiles")
        normal.symlink_to(user.home / "dotfiles")
        return user.home / "dotfiles"
    link.symlink_to(normal if kind == "a link to it" else normal / "skills")
    return link


@pytest.mark.parametrize("exists", [True, False], ids=["exists", "does not exist"])
@pytest.mark.parametrize(
    "kind",
    [
        *("the normal folder", "inside", "by a detour", "home", "root"),
        *("a link to it", "a link into it", "what the normal folder links to"),
    ],
)
def test_a_client_folder_that_overlaps_the_normal_one_is_refused(user: User, kind: str, exists: bool) -> None:
    if kind == "what the normal folder links to" and not exists:
        exists = True
    if exists:
        user.normal_claude()
    user.extra = {"CLAUDE_LOCAL_CLIENT_DIR": str(place_client_dir(user, kind))}
    before = details(user.home)

    for force in (False, True):
        with pytest.raises(UserError) as caught:
            user.install(force=force)

        assert str(user.home / ".claude") in caught.value.message
        assert caught.value.hint == "choose another folder: CLAUDE_LOCAL_CLIENT_DIR=…"
        assert details(user.home) == before


@pytest.mark.parametrize("force", [False, True])
def test_a_skills_folder_that_is_shared_with_the_normal_claude_is_refused(user: User, force: bool) -> None:
    normal = user.normal_claude()
    user.client_dir.mkdir()
    (user.client_dir / "skills").symlink_to(normal / "skills")
    before = details(user.home)

    with pytest.raises(UserError) as caught:
        user.install(force=force)

    place = user.client_dir / "skills" / "greet"
    assert caught.value.message == f"{place} is in your normal {normal}, which nothing may change"
    assert details(user.home) == before


def test_command_and_state_folders_inside_the_normal_one_are_refused_too(user: User) -> None:
    normal = user.normal_claude()
    before = details(user.home)

    with pytest.raises(UserError, match="which nothing may change"):
        user.install(normal / "bin")
    user.extra = {"CLAUDE_LOCAL_STATE_DIR": str(normal / "state")}
    with pytest.raises(UserError, match="which nothing may change"):
        user.install()

    assert details(user.home) == before


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        (".claude-local", "choose another folder: CLAUDE_LOCAL_CLIENT_DIR=…"),
        (".claude-local/skills", "choose another folder: CLAUDE_LOCAL_CLIENT_DIR=…"),
        ("bin", "choose another folder: --bin-dir …"),
        (".local/state", "choose another folder: CLAUDE_LOCAL_STATE_DIR=…"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "link to nowhere", "circle"])
def test_a_file_where_a_folder_belongs_is_refused(user: User, place: str, hint: str, kind: str) -> None:
    file = user.write(place, "mine\n")
    if kind != "file":
        file.unlink()
        file.symlink_to(file if kind == "circle" else "/nowhere")
    before = details(user.home)

    with pytest.raises(UserError) as caught:
        user.install()

    assert (caught.value.message, caught.value.hint) == (f"{file} is not a folder", hint)
    assert details(user.home) == before


def test_a_folder_name_with_a_line_break_is_refused(user: User) -> None:
    with pytest.raises(UserError, match="line break"):
        user.install(user.home / "a\nb")

    assert tree(user.home) == {}


INSTALL = """
import os, sys
from pathlib import Path
from claude_local.foundation.errors import UserError
from claude_local.client.install import Choices, install
from claude_local.machine.settings import load_settings
settings = load_settings(os.environ, Path(sys.argv[1]), user_id=os.getuid(), group_id=os.getgid())
try:
    print(*install(settings, Choices(), os.environ), sep="\\n")
except UserError as error:
    print(error.message, error.hint, sep="\\n")
"""


def install_under(user: User, *prefix: str) -> list[str]:
    """The output of an install that another program starts."""
    argv = [*prefix, sys.executable, "-c", INSTALL, str(user.build.parent)]
    environment = {**user.environment, "PYTHONPATH": str(ROOT / "scripts"), "PATH": os.environ["PATH"]}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]


def test_a_read_only_home_is_one_clear_line(user: User) -> None:
    # Root can write everywhere; without this capability it cannot.
    unprivileged = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    user.home.chmod(0o500)

    lines = install_under(user, *(unprivileged if os.getuid() == 0 else []))

    assert lines == [f"{user.home} is not writable", "choose another folder: CLAUDE_LOCAL_CLIENT_DIR=…"]
    assert tree(user.home) == {}


def test_the_normal_folder_is_recognised_at_a_second_mount_point(user: User) -> None:
    normal = user.normal_claude()
    mounted = user.home / "mounted"
    mounted.mkdir()
    user.extra = {"CLAUDE_LOCAL_CLIENT_DIR": str(mounted)}
    before = details(normal)
    own_mounts = ["unshare", "--mount", *(["--user", "--map-root-user"] if os.getuid() else [])]
    if subprocess.run([*own_mounts, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets this user make no mounts")
    mount = ["sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", str(normal), str(mounted)]

    lines = install_under(user, *own_mounts, *mount)

    assert lines == [
        f"{mounted} is or contains your normal {normal}",
        "choose another folder: CLAUDE_LOCAL_CLIENT_DIR=…",
    ]
    assert details(normal) == before


def stand_in(command: Path, kind: str) -> None:
    command.parent.mkdir()
    if kind == "file":
        command.write_text("mine\n")
    elif kind == "folder":
        command.mkdir()
    elif kind == "link of another checkout":
        command.symlink_to("/other/build/bin/claude-local")
    else:
        os.mkfifo(command)


KINDS_OF_COMMAND = ["file", "folder", "link of another checkout", "pipe"]


@pytest.mark.parametrize("kind", KINDS_OF_COMMAND)
def test_a_command_that_is_not_ours_is_refused_and_nothing_is_written(user: User, kind: str) -> None:
    stand_in(user.command, kind)
    before = details(user.home)

    with pytest.raises(UserError) as caught:
        user.install()

    assert caught.value.message == f"{user.command} exists and is not ours"
    assert caught.value.hint == "move it away, or have it renamed to .bak: --force"
    assert details(user.home) == before


@pytest.mark.parametrize("kind", KINDS_OF_COMMAND)
def test_with_force_a_command_that_is_not_ours_is_saved(user: User, kind: str) -> None:
    stand_in(user.command, kind)
    before = fingerprint(user.command)

    lines = user.install(force=True)

    assert f"saved {user.command} as claude-local.bak" in lines
    assert fingerprint(user.command.with_name("claude-local.bak")) == before
    assert text_of(user.command) == BUILD["shim/claude-local"]


def test_the_full_command_copied_by_earlier_versions_becomes_a_shim_and_is_uninstalled(user: User) -> None:
    shim = BUILD["shim/claude-local"]
    user.render("shim/claude-local", "#!/bin/sh\n# the whole command, as earlier versions copied it\n")
    user.install()
    user.render("shim/claude-local", shim)

    lines = user.install()
    text = text_of(user.command)
    user.uninstall()

    assert (lines[-1], text) == (f"updated {user.command}", shim)
    assert not user.command.exists()


def test_the_link_of_earlier_versions_becomes_a_copy(user: User) -> None:
    user.command.parent.mkdir()
    user.command.symlink_to(user.build / "bin" / "claude-local")

    lines = user.install()

    assert lines[-1] == f"updated {user.command}"
    assert not user.command.is_symlink()
    assert text_of(user.build / "bin" / "claude-local") == BUILD["bin/claude-local"]


@pytest.mark.parametrize("folder", ["bin", "shim"])
def test_an_incomplete_build_is_refused(user: User, folder: str) -> None:
    (user.build / folder / "claude-local").unlink()

    with pytest.raises(UserError) as caught:
        user.install()

    assert (caught.value.message, caught.value.hint) == (
        f"{user.build} is not complete",
        "write it: invoke render",
    )
    assert tree(user.home) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"paths": 1}', '{"paths": {"bin": "folder"}}'])
def test_an_unreadable_manifest_is_reported_and_left(user: User, text: str) -> None:
    file = user.write(".local/state/claude-local/install.json", text)

    for command in (user.install, user.uninstall):
        with pytest.raises(UserError) as caught:
            command()
        assert caught.value.hint == f"move it away: {file}"
    assert tree(user.home).keys() == {".local", *(f".local/{name}" for name in STATE)}


STATE = ["state", "state/claude-local", "state/claude-local/install.json"]


# ---- Dry runs


def situation(user: User, name: str) -> None:
    if name == "second time":
        user.install()
    elif name == "changed":
        user.normal_claude()
        user.install()
        user.write(".claude-local/CLAUDE.md", "mine\n")
        user.write(".claude-local/projects/a/session.jsonl", "{}\n")
        user.render("claude-local/settings.json", '{"a": 1}\n')
    elif name == "stale":
        user.render("claude-local/skills/old/SKILL.md", "old\n")
        user.install()
        (user.build / "claude-local" / "skills" / "old" / "SKILL.md").unlink()


@pytest.mark.parametrize("name", ["first time", "second time", "changed", "stale"])
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("link", [False, True])
def test_a_dry_install_prints_the_same_with_would_and_writes_nothing(
    user: User, name: str, link: bool, force: bool
) -> None:
    situation(user, name)
    before = details(user.home)

    dry = user.install(dry_run=True, link=link, force=force)
    after = details(user.home)
    real = user.install(link=link, force=force)

    assert [as_done(line) for line in dry] == real
    assert after == before
    assert not any(line.startswith(tuple(VERBS.values())) for line in dry)


@pytest.mark.parametrize("name", ["first time", "second time", "changed", "stale"])
@pytest.mark.parametrize("purge", [False, True])
def test_a_dry_uninstall_prints_the_same_with_would_and_removes_nothing(
    user: User, name: str, purge: bool
) -> None:
    situation(user, name)
    before = details(user.home)

    dry = user.uninstall(dry_run=True, purge=purge)
    after = details(user.home)
    real = user.uninstall(purge=purge)

    assert [as_done(line) for line in dry] == real
    assert after == before


# ---- Uninstall


@pytest.mark.parametrize("link", [False, True])
def test_uninstall_leaves_the_home_as_it_was(user: User, link: bool) -> None:
    user.normal_claude()
    user.write("bin/mine", "mine\n")
    before = tree(user.home)
    user.install(link=link)

    lines = user.uninstall()

    assert tree(user.home) == before
    assert set(lines) == {
        *(f"removed {user.client_dir}/{name}" for name in (*TEXTS, "ide", "skills", "skills/greet")),
        *(f"removed {path}" for path in (user.client_dir, user.command)),
        *(f"removed {user.home}/.local/{name}" for name in STATE),
        f"removed {user.home}/.local",
    }


def test_uninstall_keeps_changed_files_and_session_data_and_says_why(user: User) -> None:
    user.install()
    user.write(".claude-local/CLAUDE.md", "mine\n")
    user.write(".claude-local/projects/a/session.jsonl", "{}\n")
    user.write(".claude-local/history.jsonl", "{}\n")
    user.write(".claude-local/.claude.json", "{}\n")
    user.write(".claude-local/notes", "mine\n")
    user.write(".local/state/claude-local/llama/api_key", "secret")

    lines = user.uninstall()

    rest = [line for line in lines if not line.startswith("removed ")]
    assert rest == [
        f"kept {user.client_dir}/CLAUDE.md: it is not as we wrote it",
        f"{user.client_dir}/.claude.json stays: Claude Code's own state",
        f"{user.client_dir}/history.jsonl stays: what you typed",
        f"{user.client_dir}/notes stays: Claude Code or you wrote it",
        f"{user.client_dir}/projects stays: your sessions",
        "to remove the rest of this folder: invoke uninstall-claude-local --purge",
    ]
    assert {name for name, mark in tree(user.home).items() if mark != "folder"} == {
        *(f".claude-local/{name}" for name in (".claude.json", "CLAUDE.md", "history.jsonl", "notes")),
        ".claude-local/projects/a/session.jsonl",
        ".local/state/claude-local/llama/api_key",
    }


def test_backups_and_missing_files_do_not_disturb_uninstall(user: User) -> None:
    user.command.parent.mkdir()
    user.command.write_text("mine\n")
    user.install(force=True)
    user.write(".claude-local/CLAUDE.md", "mine\n")
    user.install(force=True)
    (user.client_dir / "settings.json").unlink()

    lines = user.uninstall()

    assert lines[-1] == f"{user.client_dir}/CLAUDE.md.bak stays: Claude Code or you wrote it"
    files = {name for name, mark in tree(user.home).items() if mark != "folder"}
    assert files == {"bin/claude-local.bak", ".claude-local/CLAUDE.md.bak"}


def test_folders_that_existed_before_are_kept(user: User) -> None:
    for name in ("bin", ".local/state"):
        (user.home / name).mkdir(parents=True)
    before = tree(user.home)

    user.install()
    user.uninstall()

    assert tree(user.home) == before


@pytest.mark.parametrize("purge", [False, True])
def test_without_a_manifest_nothing_was_installed(user: User, purge: bool) -> None:
    user.write("bin/claude-local", BUILD["shim/claude-local"])
    before = details(user.home)

    assert user.uninstall(purge=purge) == ["nothing was installed"]
    assert details(user.home) == before


def test_files_that_are_in_the_normal_folder_by_now_are_left(user: User) -> None:
    user.install()
    normal = user.normal_claude()
    for file in sorted((user.client_dir / "skills").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (user.client_dir / "skills").rmdir()
    (user.client_dir / "skills").symlink_to(normal / "skills")
    (normal / "skills" / "greet" / "SKILL.md").rename(normal / "skills" / "SKILL.md")
    empty = user.uninstall(dry_run=True)
    (normal / "skills" / "SKILL.md").rename(normal / "skills" / "greet" / "SKILL.md")
    before = details(normal)

    lines = user.uninstall()

    assert f"would remove {user.client_dir}/skills/greet" not in empty
    file = user.client_dir / "skills" / "greet" / "SKILL.md"
    assert f"kept {file}: it is in your normal {normal} now" in lines
    assert details(normal) == before


# ---- Purge


def test_purge_also_removes_sessions_and_the_key(user: User) -> None:
    user.install()
    user.write(".claude-local/CLAUDE.md", "mine\n")
    user.write(".claude-local/projects/a/session.jsonl", "{}\n")
    user.write(".local/state/claude-local/llama/api_key", "secret")
    user.write(".local/state/claude-local/embedded/log", "")
    user.write(".local/state/claude-local/sessions/1-2/stamp", "")
    user.write(".local/state/claude-local/lock", "")

    lines = user.uninstall(purge=True)

    assert tree(user.home) == {}
    assert lines[:4] == [
        f"removed {user.client_dir} with everything in it",
        f"removed {user.state_dir}/llama with everything in it",
        f"removed {user.state_dir}/embedded with everything in it",
        f"removed {user.state_dir}/sessions with everything in it",
    ]


def fill_state(user: User) -> None:
    """A state folder with every possible entry."""
    for entry in ENTRIES:
        place = entry.name.replace("*", "x")
        if entry is not MANIFEST:
            user.write(f"{STATE_FOLDER}/{place}/file" if entry.is_folder else f"{STATE_FOLDER}/{place}", "{}")


def test_purge_removes_all_our_state_and_names_what_it_keeps(user: User) -> None:
    user.install()
    fill_state(user)

    lines = user.uninstall(purge=True)

    kept = [entry for entry in ENTRIES if entry.kept_because]
    assert [path.name for path in sorted(user.state_dir.iterdir())] == sorted(entry.name for entry in kept)
    assert [line for line in lines if line.startswith("kept ")] == [
        f"kept {user.state_dir / entry.name}: {entry.kept_because}" for entry in kept
    ]


def test_the_quarantine_survives_a_purge(user: User) -> None:
    user.install()
    file = user.write(f"{STATE_FOLDER}/quarantine/20261121-142118-23119/.envrc", "mine\n")

    user.uninstall(purge=True)

    assert [path for path in user.home.rglob("*") if path.is_file()] == [file]


def test_an_empty_quarantine_is_removed(user: User) -> None:
    user.install()
    (user.state_dir / "quarantine").mkdir()

    user.uninstall(purge=True)

    assert tree(user.home) == {}


@pytest.mark.parametrize(
    ("folder", "server"), [("management", "management API"), ("embedded", "embedded engine")]
)
def test_purge_is_refused_while_a_server_runs(user: User, folder: str, server: str) -> None:
    user.install()
    own = psutil.Process()
    record = {"pid": own.pid, "create_time": own.create_time()}
    file = user.write(f"{STATE_FOLDER}/{folder}/process.json", json.dumps(record))
    before = tree(user.home)

    user.uninstall(purge=True, dry_run=True)
    with pytest.raises(UserError, match=f"the {server} is running"):
        user.uninstall(purge=True)

    assert tree(user.home) == before
    file.write_text(json.dumps({**record, "create_time": 1.0}))  # the pid was reused
    user.uninstall(purge=True)
    assert tree(user.home) == {}


def write_record(user: User, name: str, *, begun: bool) -> Path:
    """A session's record as the wrapper makes it."""
    user.write(f".local/state/claude-local/sessions/{name}/workspace", "/home/me/project")
    if begun:
        user.write(f".local/state/claude-local/sessions/{name}/begun", "")
    return user.state_dir / "sessions" / name


def test_purge_is_refused_while_a_session_runs(user: User) -> None:
    user.install()
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    write_record(user, f"{os.getpid()}-{started}", begun=True)
    before = tree(user.home)

    with pytest.raises(UserError) as raised:
        user.uninstall(purge=True)

    assert (str(raised.value), raised.value.hint) == (
        "a session is running in /home/me/project",
        "end it first, in its terminal: /exit",
    )
    assert tree(user.home) == before


def test_purge_keeps_the_record_of_a_session_that_was_not_checked(user: User) -> None:
    user.install()
    cut_off = write_record(user, f"{os.getpid()}-1", begun=True)  # the pid was reused
    refused = write_record(user, "999999999-1", begun=False)

    lines = user.uninstall(purge=True)

    assert f"removed {refused} with everything in it" in lines
    assert lines[-1] == (
        f"kept {cut_off}: the session in /home/me/project was interrupted, and the files it left were not checked; "
        "start claude-local there once, or check them yourself and delete this folder"
    )
    assert [path for path in tree(user.state_dir) if "/" in path] == [
        f"sessions/{cut_off.name}",
        f"sessions/{cut_off.name}/begun",
        f"sessions/{cut_off.name}/workspace",
    ]


def test_purge_works_after_an_uninstall_and_leaves_state_of_others(user: User) -> None:
    user.install()
    user.write(".claude-local/.claude.json", "{}\n")
    user.write(".local/state/claude-local/notes", "mine\n")
    user.uninstall()

    lines = user.uninstall(purge=True)

    assert lines == ["nothing was installed", f"removed {user.client_dir} with everything in it"]
    assert (user.state_dir / "notes").is_file()


def test_purge_removes_the_link_to_editors_and_not_its_target(user: User) -> None:
    normal = user.normal_claude()
    before = details(normal)
    user.install()

    user.uninstall(purge=True)

    assert details(normal) == before
    assert not user.client_dir.exists()


def is_home(user: User) -> Path:
    user.write(".claude.json", "{}")
    return user.home


def is_normal(user: User) -> Path:
    user.write(".claude/.claude.json", "{}")
    return user.home / ".claude"


def is_inside(user: User) -> Path:
    return user.write(".claude/local/.claude.json", "{}").parent


def is_link(user: User) -> Path:
    user.write("elsewhere/.claude.json", "{}")
    (user.home / "link").symlink_to(user.home / "elsewhere")
    return user.home / "link"


def is_checkout(user: User) -> Path:
    (user.build.parent / ".claude.json").write_text("{}")
    return user.build.parent


def is_something_else(user: User) -> Path:
    return user.write("photos/holiday.jpg", "").parent


def is_a_file(user: User) -> Path:
    return user.write("file", "mine\n")


@pytest.mark.parametrize(
    "place", [is_home, is_normal, is_inside, is_link, is_checkout, is_something_else, is_a_file]
)
def test_purge_removes_nothing_if_the_client_folder_could_belong_to_another_program(
    user: User, place: Callable[[User], Path]
) -> None:
    user.normal_claude()
    user.install()
    folder = place(user)
    user.extra = {"CLAUDE_LOCAL_CLIENT_DIR": str(folder)}
    before = details(user.home)

    with pytest.raises(UserError) as caught:
        user.uninstall(purge=True)

    assert caught.value.message.startswith(f"{folder} ")
    assert caught.value.hint == "remove it by hand, or correct CLAUDE_LOCAL_CLIENT_DIR"
    assert details(user.home) == before


def test_purge_removes_nothing_that_belongs_to_another_user(user: User) -> None:
    user.install()
    another = replace(user.settings, user_id=os.getuid() + 1)
    before = details(user.home)

    with pytest.raises(UserError, match="is not a folder of yours"):
        list(uninstall(another, user.environment, purge=True))

    assert details(user.home) == before


def test_purge_does_not_remove_models_in_the_client_folder(user: User) -> None:
    user.install()
    user.write(".claude-local/models/large.gguf", "")
    user.extra = {"CLAUDE_LOCAL_MODELS_DIR": str(user.client_dir / "models")}
    before = details(user.home)

    with pytest.raises(UserError, match="is or contains"):
        user.uninstall(purge=True)

    assert details(user.home) == before


def test_purge_does_not_follow_a_state_entry_that_is_a_link(user: User) -> None:
    user.install()
    user.write("elsewhere/api_key", "secret")
    (user.state_dir / "llama").symlink_to(user.home / "elsewhere")
    before = details(user.home)

    with pytest.raises(UserError, match="is not a folder of ours"):
        user.uninstall(purge=True)

    assert details(user.home) == before


# ---- ~/.claude


@pytest.mark.parametrize("link", [False, True])
def test_the_normal_folder_is_never_changed(user: User, link: bool) -> None:
    normal = user.normal_claude()
    before = details(normal)

    user.install(link=link)
    user.install(link=link)
    user.write(".claude-local/CLAUDE.md.new", "mine\n")
    (user.client_dir / "CLAUDE.md").unlink()
    (user.client_dir / "CLAUDE.md").symlink_to(normal / "CLAUDE.md")
    user.install(link=link)
    user.install(link=link, force=True)
    user.uninstall()
    user.install(link=link)
    user.uninstall(purge=True)

    assert details(normal) == before


def test_a_text_that_is_no_longer_rendered_is_left_if_it_is_in_the_normal_folder(user: User) -> None:
    normal = user.normal_claude()
    user.render("claude-local/skills/old/SKILL.md", "old\n")
    user.install()
    (user.build / "claude-local" / "skills" / "old" / "SKILL.md").unlink()
    (user.client_dir / "skills" / "old").rename(normal / "skills" / "old")
    (user.client_dir / "skills" / "old").symlink_to(normal / "skills" / "old")
    before = details(normal)

    user.install()

    assert details(normal) == before


# ---- The commands and the real texts


def test_the_commands_install_and_remove_the_real_build(machine: Machine) -> None:
    bin_dir = machine.home / "my tools"

    dry = machine.invoke_ok("install-claude-local", "--bin-dir", str(bin_dir), "--dry-run")
    untouched = tree(machine.home)
    machine.invoke_ok("install-claude-local", "--bin-dir", str(bin_dir))
    again = machine.invoke_ok("install-claude-local", "--bin-dir", str(bin_dir), "--force")
    texts = machine.checkout / "build" / "claude-local"
    installed = tree(machine.home / ".claude-local")
    rendered = tree(texts)
    command = text_of(bin_dir / "claude-local")
    machine.invoke_ok("uninstall-claude-local", "--dry-run")
    machine.invoke_ok("uninstall-claude-local")
    left = tree(machine.home)
    purged = machine.invoke_ok("uninstall-claude-local", "--purge")

    assert f"would write {bin_dir}/claude-local\n" in dry
    assert untouched == left == {}
    assert f"{bin_dir}/claude-local is already up to date\n" in again
    assert installed == rendered
    assert {"CLAUDE.md", "skills/project-setup/SKILL.md", "skills/switch-model/SKILL.md"} <= rendered.keys()
    assert command == text_of(machine.checkout / "build" / "shim" / "claude-local")
    assert purged == "nothing was installed\n"


def test_a_refusal_is_an_error_line_with_a_hint(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_CLIENT_DIR"] = str(machine.home / ".claude")

    done = machine.invoke("install-claude-local")

    normal = machine.home / ".claude"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"error: {normal} is or contains your normal {normal}",
        "  hint: choose another folder: CLAUDE_LOCAL_CLIENT_DIR=…",
    ]
    assert tree(machine.home) == {}


RENDERED = {str(file.path): file.text for file in refresh_golden.rendered()}


def test_the_text_that_every_session_reads_is_short() -> None:
    assert len(RENDERED["claude-local/CLAUDE.md"].encode()) < 900


@pytest.mark.parametrize(
    ("name", "front_matter"),
    [
        (
            "project-setup",
            {
                "name": "project-setup",
                "description": "Set up a new project step by step",
                "disable-model-invocation": True,
            },
        ),
        (
            "switch-model",
            {
                "name": "switch-model",
                "description": "Switch to another local model",
                "disable-model-invocation": True,
                "argument-hint": "NAME",
                "allowed-tools": "Bash(claude-local-switch:*)",
            },
        ),
    ],
)
def test_a_skill_begins_with_the_fields_that_claude_code_needs(
    name: str, front_matter: dict[str, object]
) -> None:
    begin, matter, body = RENDERED[f"claude-local/skills/{name}/SKILL.md"].split("---\n", 2)

    assert begin == ""
    assert yaml.safe_load(matter) == front_matter
    assert body.strip()


def test_switch_model_runs_the_command_before_the_model_sees_anything() -> None:
    assert "\n!`claude-local-switch $ARGUMENTS`\n" in RENDERED["claude-local/skills/switch-model/SKILL.md"]

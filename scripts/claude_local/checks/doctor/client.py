"""Checks of Claude Code, of ~/.claude (which claude-local never writes), and of the folder for local sessions."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

from claude_local.checks.doctor.host import Finding, Host, Level, dotted, version_of
from claude_local.client import manifest, requirements
from claude_local.foundation.errors import UserError
from claude_local.foundation.plain_text import first_line

INSTALL_REMEDY = requirements.INSTALL_CLAUDE
# Files in ~/.claude that could point plain `claude` at claude-local, and the words that would give it away.
NORMAL_FILES = ("settings.json", "settings.local.json", "CLAUDE.md", "keybindings.json")
OURS = ("claude-local", "CLAUDE_LOCAL_", "local-llama")


def claude(host: Host) -> Finding:
    """Whether Claude Code is installed, in a tested version or a newer one."""
    program = requirements.CLAUDE.find(host.environment.get("PATH", ""))
    if program is None:
        level: Level = "error" if host.settings.sandbox in requirements.CLAUDE.modes else "info"
        return Finding(level, f"not on the PATH: {requirements.CLAUDE.without}", INSTALL_REMEDY)
    with tempfile.TemporaryDirectory(prefix="claude-local-doctor-") as folder:
        # An empty home folder: `claude --version` writes into its home, and must not write into the user's.
        own = {"HOME": folder, "CLAUDE_CONFIG_DIR": folder, "DISABLE_AUTOUPDATER": "1"}
        bare = {"PATH": host.environment.get("PATH", ""), **own}
        answer = host.ask(program, "--version", environment=bare)
    version = version_of(answer.output)
    kind = requirements.claude_kind(Path(program), host.settings.jail_read_only)
    about = f"{program} is {kind.about}" if kind else ""
    if kind and (kind is requirements.UNFINISHED or answer.code != 0):
        return Finding("error", f"{about}; it does not start", kind.remedy)
    if answer.code != 0 or not version:
        problem = answer.problem or first_line(answer.errors) or f"exit code {answer.code}"
        return Finding("error", f"`{program} --version` gave no version: {problem}", INSTALL_REMEDY)
    if kind and host.settings.sandbox == "jail":
        return Finding("warning", f"{about}; the jail does not show its files", kind.remedy)
    return _in_range(version)


def _in_range(version: tuple[int, ...]) -> Finding:
    from claude_local.client.claude_code import OLDEST_CLAUDE, TESTED_CLAUDE

    oldest, newest = map(version_of, TESTED_CLAUDE)
    text = dotted(version)
    if version < version_of(OLDEST_CLAUDE):
        return Finding("error", f"{text} is too old; {OLDEST_CLAUDE} or newer is needed", INSTALL_REMEDY)
    if version < oldest:
        return Finding(
            "info", f"{text} is older than the oldest tested version, {dotted(oldest)}", INSTALL_REMEDY
        )
    if version > newest:
        untested = f"{text} is newer than the newest tested version, {dotted(newest)}"
        return Finding("info", untested, "test it here: invoke verify")
    return Finding("ok", text)


def normal_folder(host: Host) -> Finding:
    """Whether ~/.claude is free of anything from claude-local."""
    normal = manifest.normal_dir(host.environment)
    inside = [path for path in _recorded(host) if manifest.lies_in(path.parent, normal)]
    if inside:
        text = f"{inside[0]}, a file of claude-local, is inside {normal}"
        return Finding("error", text, "remove it: invoke uninstall-claude-local")
    if manifest.lies_in(host.settings.client_dir, normal):
        text = f"the folder for local sessions, {host.settings.client_dir}, is inside {normal}"
        return Finding(
            "error", text, "set CLAUDE_LOCAL_CLIENT_DIR to another folder, then run: invoke render"
        )
    for name in NORMAL_FILES:
        file = normal / name
        if any(word in _text(file) for word in OURS):
            remedy = "check whether you added that; claude-local never writes to this file"
            return Finding("warning", f"{file} mentions claude-local", remedy)
    return Finding("ok", f"nothing of claude-local in {normal}")


def own_folder(host: Host) -> Finding:
    """Whether the folder for local sessions is a real folder, private, with the files as installed."""
    folder = host.settings.client_dir
    if folder.is_symlink():
        text = f"{folder} is a symbolic link to {folder.readlink()}; claude-local needs a real folder"
        return Finding("error", text, f"remove the link: rm {folder} && invoke install-claude-local")
    if not folder.exists():
        return Finding("info", f"{folder} does not exist yet", "create it: invoke install-claude-local")
    if not folder.is_dir():
        return Finding("error", f"{folder} is not a folder", f"move it away: mv {folder} {folder}.bak")
    if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("warning", f"other users have access to {folder}", f"chmod 700 {folder}")
    return _as_installed(host)


def _as_installed(host: Host) -> Finding:
    folder = host.settings.client_dir
    try:
        recorded = manifest.load(host.settings)
    except UserError as error:
        return Finding("warning", error.message, error.hint)
    files = {path: mark for path, mark in recorded.items() if mark != manifest.FOLDER}
    missing = [path for path in files if manifest.fingerprint(path) is None]
    changed = [
        path for path, mark in files.items() if path not in missing and not manifest.is_as_left(path, mark)
    ]
    if missing:
        return Finding(
            "warning", f"missing: {_some(missing)}", "install it again: invoke install-claude-local"
        )
    if changed:
        text = f"changed since the installation: {_some(changed)}; claude-local keeps your version"
        return Finding("info", text, "to replace it with ours: invoke install-claude-local --force")
    return Finding("ok", f"{folder}: {len(files)} installed file(s), unchanged")


def _some(paths: list[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


def _recorded(host: Host) -> list[Path]:
    try:
        return list(manifest.load(host.settings))
    except UserError:
        return []  # `own_folder` reports it


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

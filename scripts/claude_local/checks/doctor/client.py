"""Claude Code, the normal ~/.claude that nothing touches, and the folder of local sessions."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

from claude_local.checks.doctor.host import Finding, Host, Level, dotted, version_of
from claude_local.client import manifest, requirements
from claude_local.foundation.errors import UserError
from claude_local.foundation.plain_text import first_line

INSTALL_REMEDY = requirements.INSTALL_CLAUDE
# Files in ~/.claude that could lead plain `claude` to us, and what they would say then.
NORMAL_FILES = ("settings.json", "settings.local.json", "CLAUDE.md", "keybindings.json")
OURS = ("claude-local", "CLAUDE_LOCAL_", "local-llama")


def claude(host: Host) -> Finding:
    """Whether Claude Code is there, in a version that the tests ran or one newer."""
    program = requirements.CLAUDE.find(host.environment.get("PATH", ""))
    if program is None:
        level: Level = "error" if host.settings.sandbox in requirements.CLAUDE.modes else "info"
        return Finding(level, f"not on the PATH: {requirements.CLAUDE.without}", INSTALL_REMEDY)
    with tempfile.TemporaryDirectory(prefix="claude-local-doctor-") as folder:
        # Its own home, so that a look at the version leaves nothing in yours.
        own = {"HOME": folder, "CLAUDE_CONFIG_DIR": folder, "DISABLE_AUTOUPDATER": "1"}
        bare = {"PATH": host.environment.get("PATH", ""), **own}
        answer = host.ask(program, "--version", environment=bare)
    version = version_of(answer.output)
    if answer.code != 0 or not version:
        problem = answer.problem or first_line(answer.errors) or f"exit code {answer.code}"
        return Finding("error", f"{program} does not say its version: {problem}", INSTALL_REMEDY)
    return _in_range(version)


def _in_range(version: tuple[int, ...]) -> Finding:
    from claude_local.client.claude_code import OLDEST_CLAUDE, TESTED_CLAUDE

    oldest, newest = map(version_of, TESTED_CLAUDE)
    told = dotted(version)
    if version < version_of(OLDEST_CLAUDE):
        return Finding("error", f"{told} is too old; {OLDEST_CLAUDE} or newer is needed", INSTALL_REMEDY)
    if version < oldest:
        return Finding("info", f"{told} is older than the oldest tested, {dotted(oldest)}", INSTALL_REMEDY)
    if version > newest:
        return Finding("info", f"{told} is newer than the newest tested, {dotted(newest)}", "invoke verify")
    return Finding("ok", told)


def normal_folder(host: Host) -> Finding:
    """Whether there is nothing of ours in ~/.claude."""
    normal = manifest.normal_dir(host.environment)
    inside = [path for path in _recorded(host) if manifest.lies_in(path.parent, normal)]
    if inside:
        return Finding("error", f"{inside[0]} is ours and lies in it", "invoke uninstall-claude-local")
    if manifest.lies_in(host.settings.client_dir, normal):
        text = f"the folder of local sessions, {host.settings.client_dir}, lies in it"
        return Finding("error", text, "choose another folder: CLAUDE_LOCAL_CLIENT_DIR, then invoke render")
    for name in NORMAL_FILES:
        file = normal / name
        if any(word in _text(file) for word in OURS):
            return Finding("warning", f"{file} names claude-local", "look whether you wrote that; we did not")
    return Finding("ok", f"nothing of ours in {normal}")


def own_folder(host: Host) -> Finding:
    """Whether the folder of local sessions is a private folder with the texts that we put there."""
    folder = host.settings.client_dir
    if folder.is_symlink():
        text = f"{folder} is a link to {folder.readlink()}: claude-local refuses it"
        return Finding("error", text, f"make it a folder: rm {folder} && invoke install-claude-local")
    if not folder.exists():
        return Finding("info", f"{folder} is not there yet", "invoke install-claude-local")
    if not folder.is_dir():
        return Finding("error", f"{folder} is not a folder", f"move it away: mv {folder} {folder}.bak")
    if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("warning", f"{folder} is open to other users", f"chmod 700 {folder}")
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
        return Finding("warning", f"{_some(missing)} missing", "invoke install-claude-local")
    if changed:
        return Finding(
            "info", f"{_some(changed)} changed since; yours are kept", "invoke install-claude-local --force"
        )
    return Finding("ok", f"{folder}, {len(files)} file(s) as installed")


def _some(paths: list[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


def _recorded(host: Host) -> list[Path]:
    try:
        return list(manifest.load(host.settings))
    except UserError:
        return []  # `own_folder` tells it


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

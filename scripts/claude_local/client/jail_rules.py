"""The paths that the jail shows and protects, as data for the generated wrapper, which is plain bash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from claude_local.client import claude_code, git_rules, requirements, seccomp
from claude_local.machine.settings import Settings

NO_PORT = 9  # "discard", without a listener: the target of the door if the management server is off

# Parts of /etc that programs need for users, libraries and time zones. No resolv.conf: there is no network.
VISIBLE_ETC = (
    "passwd", "group", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives",
    "ssl/certs", "ca-certificates", "pki", "localtime", "timezone", "mime.types", "gitattributes", "inputrc",
    "python3", "python3.11", "python3.12", "python3.13", "debian_version", "os-release", "lsb-release",
)  # fmt: skip

# The parts of Claude Code's folder that are kept after a session: conversations, plans and lists. The rest is
# discarded or read-only, so that no session can leave the next one, in any mode, something to run.
KEPT_CLIENT_FOLDERS = ("projects", "plans", "todos", "tasks", "file-history")
READ_ONLY_CLIENT_ENTRIES = (
    "CLAUDE.md",
    "settings.json",
    "skills",
    "agents",
    "commands",
    "output-styles",
    "plugins",
)

# Folders below HOME with settings and secrets of other programs: not allowed as workspaces.
NO_WORKSPACES = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config", ".local", ".claude", ".mozilla",
    ".password-store", "bin", ".vscode", ".vscode-server", ".cursor", ".cursor-server", ".vim", ".emacs.d", ".cargo",
    ".rustup", ".nvm", ".pyenv", ".npm", ".m2", ".gradle", ".oh-my-zsh", "snap",
)  # fmt: skip

# Other programs obey these automatically, at any depth: existing ones are read-only, new ones quarantined.
OBEYED_FOLDERS = (
    ".claude", ".vscode", ".idea", ".cursor", ".devcontainer", ".husky", ".githooks", ".zed", ".fleet", ".windsurf",
    ".gemini", ".codex", ".opencode", ".continue", ".roo", ".kiro", ".qwen", ".amazonq",
)  # fmt: skip
OBEYED_FILES = (
    ".mcp.json", ".envrc", ".gitmodules", ".devcontainer.json", ".hg/hgrc", ".hg/hgrc-not-shared", ".hg/sharedpath",
    ".jj/repo/config.toml", ".exrc", ".nvimrc", ".nvim.lua", ".vimrc", ".lvimrc", ".Rprofile", ".irbrc", ".pryrc",
    ".pdbrc", ".ghci", ".iex.exs", ".octaverc", ".rvmrc", ".aider.conf.yml", ".gdbinit", ".lldbinit", ".dir-locals.el",
    "sitecustomize.py", "usercustomize.py", ".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc",
    ".zshenv", ".zprofile", ".zlogin", ".inputrc",
)  # fmt: skip

# Users run these on purpose, by building or testing: changes are only listed.
RUN_ON_PURPOSE = (
    "Makefile", "GNUmakefile", "CMakeLists.txt", "package.json", ".npmrc", ".yarnrc.yml", "conftest.py",
    "setup.py", "setup.cfg", "pyproject.toml", "tox.ini", "noxfile.py", "tasks.py", "pyvenv.cfg", "Cargo.toml",
    "build.rs", "pom.xml", "build.gradle", "build.gradle.kts", "Rakefile", "Gemfile", "justfile", "Taskfile.yml",
    "Dockerfile", "compose.yaml", "docker-compose.yml", ".pre-commit-config.yaml", ".gitlab-ci.yml",
    ".gitattributes", "CLAUDE.md", "CLAUDE.local.md", "AGENTS.md", "lefthook.yml", ".lefthook.yml",
    ".cargo/config.toml", ".yarnrc", ".pnpmfile.cjs", ".mvn/extensions.xml", "Vagrantfile",
)  # fmt: skip
RUN_ON_PURPOSE_PATTERNS = (r"[^/]*\.pth",)
"""The same as POSIX extended patterns: Python modules that are loaded at startup."""

# Configuration keys of a repository that start no program (git help config). A configuration that a session
# created or changed is kept if it has only these.
HARMLESS_GIT_KEYS = (
    r"^(core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks"
    r"|autocrlf|eol|safecrlf|untrackedcache)"
    r"|user\.(name|email)|init\.defaultbranch|remote\.[^.]+(\..+)*\.fetch"
    r"|branch\..+\.(remote|merge|rebase|description|vscode-merge-base|pushremote|github-pr-.*)"
    r"|(pull|push|merge|rebase)\.(rebase|ff|default|autosetupremote|autostash)"
    r"|extensions\.(objectformat|worktreeconfig|refstorage|relativeworktrees)|index\.version|feature\.manyfiles|gc\.auto)$"
)


@dataclass(frozen=True)
class Limits:
    """Resource limits of one session."""

    processes: int = 1024
    open_files: int = 4096
    file_size_mib: int = 8192
    home_mib: int = 1024
    temporary_mib: int = 2048
    shared_memory_mib: int = 256
    memory_mib: int = 8192
    """Enforced by systemd's user scope if available; else it is the data limit of each process."""


@dataclass(frozen=True)
class DoorTarget:
    """The target of the door: the model server, in HAProxy's notation."""

    host: str
    port: int
    tls: bool
    path_prefix: str


def door_target(settings: Settings) -> DoorTarget:
    """The parts of `settings.base_url`."""
    parts = urlsplit(settings.base_url)
    tls = parts.scheme == "https"
    return DoorTarget(parts.hostname or "", parts.port or (443 if tls else 80), tls, parts.path)


def template_values(settings: Settings) -> dict[str, object]:
    """The values for the templates of the jail, by name."""
    return {
        "visible_etc": VISIBLE_ETC,
        "kept_client_folders": KEPT_CLIENT_FOLDERS,
        "read_only_client_entries": READ_ONLY_CLIENT_ENTRIES,
        "no_workspaces": NO_WORKSPACES,
        "obeyed_names": OBEYED_FOLDERS + OBEYED_FILES,
        "obeyed_pattern": _paths_pattern(OBEYED_FOLDERS, OBEYED_FILES),
        "run_on_purpose_pattern": _paths_pattern((), RUN_ON_PURPOSE, RUN_ON_PURPOSE_PATTERNS),
        "harmless_git_keys": HARMLESS_GIT_KEYS,
        "git_rules": git_rules,
        "limits": Limits(),
        "system_programs": requirements.SBIN,
        "claude_kinds": requirements.CLAUDE_KINDS,
        "apparmor_remedy": requirements.APPARMOR_REMEDY,
        "bind_fd_remedy": requirements.BIND_FD_REMEDY,
        "door": door_target(settings),
        "management_port": settings.management_port or NO_PORT,
        "door_socket": claude_code.DOOR_SOCKET,
        "jail_environment": claude_code.JAIL_ENVIRONMENT,
        "token_file": settings.management_token_file or "",
        "seccomp_listing": list(seccomp.listing(seccomp.program())),
    }


def _paths_pattern(folders: tuple[str, ...], files: tuple[str, ...], patterns: tuple[str, ...] = ()) -> str:
    """A POSIX extended pattern of whole paths: these files, and these folders with their contents.

    `folders` and `files` are names; `patterns` match further files.
    """
    parts = [f"({_any_of(folders)})(/.*)?"] if folders else []
    return f".*/({'|'.join([*parts, _any_of(files), *patterns])})"


def _any_of(names: tuple[str, ...]) -> str:
    """Names as a pattern. POSIX has no `\\-`; outside brackets a hyphen stands for itself."""
    return "|".join(re.escape(name).replace(r"\-", "-") for name in names)

"""The programs that sessions need, for the doctor, the installer and the wrapper's data."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")
"""Debian's folder for HAProxy; it is not on a user's PATH."""

MANAGERS = {"apt-get": "apt install", "dnf": "dnf install", "zypper": "zypper install", "pacman": "pacman -S"}
INSTALL_CLAUDE = "npm install --global @anthropic-ai/claude-code"

APPARMOR_REMEDY = (
    "sudo apt install apparmor-profiles && sudo cp "
    "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && "
    "sudo apparmor_parser --replace /etc/apparmor.d/bwrap-userns-restrict"
)
"""Lets bubblewrap create user namespaces on Ubuntu 24.04 and newer."""

SYSTEM_FOLDERS = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/dev")))
"""The folders with programs that the jail shows."""

BIND_FD_REMEDY = (
    "bubblewrap 0.10 or newer is needed (0.8 of Debian 12 also works); "
    "if your distribution has an older one: --sandbox container"
)
"""--bind-fd is in bubblewrap since 0.10.0; Debian added it to 0.8.0 (changelog of 0.8.0-2+deb12u1)."""


@dataclass(frozen=True)
class ClaudeKind:
    """A `claude` that is not the program itself: it starts the program from files that the jail does not show."""

    pattern: str
    """An extended regular expression, also for bash, for the beginning of the file, a space, and the file's name."""
    about: str
    remedy: str


def _shim(manager: str, pattern: str) -> ClaudeKind:
    """A command of a version manager, which knows where the program is."""
    remedy = f'put the program itself first on your PATH: export PATH="$(dirname "$({manager} which claude)"):$PATH"'
    return ClaudeKind(pattern, f"a shim of {manager}", remedy)


UNFINISHED = ClaudeKind(
    "native binary not installed",
    "an npm package whose install script did not run",
    "install it again: npm install --global --ignore-scripts=false --include=optional @anthropic-ai/claude-code",
)
"""It starts in no mode."""

CLAUDE_KINDS = (
    UNFINISHED,
    _shim("mise", "mise (x|exec) | (mise|rtx)$"),
    _shim("asdf", 'asdf"? exec|asdf-plugin| asdf$'),
    _shim("volta", " volta-shim$"),
    _shim("nodenv", 'nodenv"? exec'),
    ClaudeKind("nvm[.]sh|nvm (exec|run|use)", "a script that loads nvm", INSTALL_CLAUDE),
    ClaudeKind("snap run| snap$", "a snap", INSTALL_CLAUDE),
    ClaudeKind("flatpak run", "a flatpak", INSTALL_CLAUDE),
    ClaudeKind("[$]basedir/", "a script of pnpm", INSTALL_CLAUDE),
    ClaudeKind("^#!([^ ]*/env )?[^ ]*node", "a Node script", INSTALL_CLAUDE),
    ClaudeKind(
        "^#!",
        "a script that starts something else",
        "put the program itself first on your PATH, or show the jail its folder: CLAUDE_LOCAL_JAIL_READ_ONLY",
    ),
)
"""The first one that matches counts."""


@dataclass(frozen=True)
class Requirement:
    """One program, and the `--sandbox` modes that need it to start."""

    program: str
    package: str
    modes: tuple[str, ...]
    without: str
    """Text that names its uses."""
    also_in: tuple[str, ...] = ()
    """Folders to search after the PATH."""

    def find(self, path: str, root: Path = Path("/")) -> str | None:
        """The path of the program. `root` is prepended to the folders in `also_in`."""
        also = (str(root / folder.lstrip("/")) for folder in self.also_in)
        return shutil.which(self.program, path=":".join((path, *also)))


CLAUDE = Requirement("claude", "", ("jail", "bash", "off"), "only --sandbox container works without it")
BUBBLEWRAP = Requirement("bwrap", "bubblewrap", ("jail", "bash"), "--sandbox jail and bash need it")
HAPROXY = Requirement(
    "haproxy", "haproxy", ("jail", "container"), "--sandbox jail and container need it", SBIN
)
DOCKER = Requirement("docker", "docker.io", ("container",), "--sandbox container needs it")
SOCAT = Requirement(
    "socat", "socat", ("bash",), "--sandbox bash, --ide and switching models from inside the jail need it"
)

REQUIREMENTS = (CLAUDE, BUBBLEWRAP, HAPROXY, DOCKER, SOCAT)


def claude_kind(program: Path, visible: Sequence[Path]) -> ClaudeKind | None:
    """The kind of a `claude` that cannot start in the jail; None for the program itself.

    `visible` are the folders that the jail shows besides the system's. A script that names only visible files works.
    """
    file = program.resolve()
    try:
        with file.open("rb") as opened:
            start = opened.read(4096)
    except OSError:
        return None
    text = "" if start.startswith(b"\x7fELF") else start.decode(errors="replace")
    kind = next((kind for kind in CLAUDE_KINDS if re.search(kind.pattern, f"{text} {file.name}")), None)
    if kind is not CLAUDE_KINDS[-1]:
        return kind
    named = (Path(word) for word in re.findall(r"(?<![\w.$}/-])/[^\s\"'$;|&()<>]+", text))
    shown = (*SYSTEM_FOLDERS, *visible)
    hidden = (
        path for path in named if path.is_file() and not any(path.is_relative_to(place) for place in shown)
    )
    return kind if any(hidden) else None


def worth_naming(sandbox: str) -> tuple[Requirement, ...]:
    """The requirements to report if missing: Docker only if sessions run in a container."""
    return tuple(need for need in REQUIREMENTS if need.modes != ("container",) or sandbox == "container")


def install_line(need: Requirement, has: Callable[[str], object]) -> str:
    """The command that installs the program. `has` says whether a package manager exists."""
    if not need.package:
        return INSTALL_CLAUDE
    return package_line(need.package, has)


def package_line(package: str, has: Callable[[str], object]) -> str:
    """The command that installs a package of the distribution."""
    manager = next((name for name in MANAGERS if has(name)), "apt-get")
    return f"sudo {MANAGERS[manager]} {package}"

"""The programs that sessions need, for the doctor, the installer and the wrapper's data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
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

BIND_FD_REMEDY = (
    "bubblewrap 0.10 or newer is needed (0.8 of Debian 12 also works); "
    "if your distribution has an older one: --sandbox container"
)
"""--bind-fd is in bubblewrap since 0.10.0; Debian added it to 0.8.0 (changelog of 0.8.0-2+deb12u1)."""


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

"""An ordinary user who may use Docker, with their own home, on a machine without Claude Code."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from claude_local.checks.verify.recorder import Recorder
from support.machine import ROOT, Done

ACCOUNT = "claude-local-docker"
KEY = "the-key-of-the-model-server"
DOCKER_SOCKET = Path("/var/run/docker.sock")


@dataclass
class DockerUser:
    """Renders and runs the wrapper. If the tests run as root, sessions run as a user created for them."""

    uid: int
    gid: int
    home: Path
    server: Recorder
    image: str
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.home / "projects" / 'my, "próject"'

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "claude-local"

    @property
    def wrapper(self) -> Path:
        return self.home / "build" / "bin" / "claude-local"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "de_DE.UTF-8",
            "AWS_SECRET_ACCESS_KEY": "canary",
            **self.extra,
        }

    def render(self) -> None:
        """Writes the user's build/, if necessary as root: the user may not be able to run the tests' Python."""
        self.workspace.mkdir(parents=True, exist_ok=True)
        (self.home / "key").write_text(KEY)
        places = {
            "BUILD_DIR": self.home / "build",
            "STATE_DIR": self.state,
            "EXTERNAL_URL": self.server.url,
            "EXTERNAL_KEY_FILE": self.home / "key",
            "CLIENT_IMAGE": self.image,
        }
        settings = {f"CLAUDE_LOCAL_{name}": str(value) for name, value in places.items()}
        argv = [sys.executable, "-m", "invoke", "render"]
        subprocess.run(argv, cwd=ROOT, env={**self.environment, **settings}, check=True, capture_output=True)
        self.own(self.home)

    def own(self, folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def argv(self, *arguments: str) -> list[str]:
        """The wrapper in container mode, as this user with Docker's group."""
        return [*self._become, str(self.wrapper), "--sandbox", "container", *arguments]

    def claude_local(self, *arguments: str, stdin: str = "") -> Done:
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.workspace,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.workspace,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def containers(self) -> list[str]:
        """Names of this user's containers that Docker knows, running or not."""
        label = f"label=claude-local.workspace={self.workspace}"
        argv = ["docker", "ps", "--all", "--filter", label, "--format", "{{.Names}}"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()

    @property
    def _become(self) -> list[str]:
        if os.getuid():
            return []
        groups = str(DOCKER_SOCKET.stat().st_gid)
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.gid), "--groups", groups]


@contextmanager
def docker_user(server: Recorder, image: str) -> Iterator[DockerUser]:
    """A user with an empty home, rendered for `server`. Removes their containers at the end."""
    entry, made = _account()
    folder = Path(tempfile.mkdtemp(prefix="claude-local-container-"))
    folder.chmod(0o755)
    user = DockerUser(entry.pw_uid, entry.pw_gid, folder / "höme", server, image)
    user.home.mkdir()
    try:
        user.render()
        yield user
    finally:
        for name in user.containers():
            # Fails for a container that is already being removed.
            subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)  # a process of the case may still be dying
        if made:
            subprocess.run(["userdel", ACCOUNT], check=True)


def _account() -> tuple[pwd.struct_passwd, bool]:
    if os.getuid():
        return pwd.getpwuid(os.getuid()), False
    made = subprocess.run(["useradd", "--no-create-home", ACCOUNT], capture_output=True, check=False)
    return pwd.getpwnam(ACCOUNT), made.returncode == 0

"""An ordinary user's machine to attack: a throw-away home with secrets, listeners and the rendered wrapper.

Everything that a model must not reach is a canary: `effects` lists the touched ones. Sessions and controls never run as
root: if the tests do, a user is created for them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from claude_local.checks.verify.recorder import Recorder
from jail.listeners import Listeners
from support.machine import CLIENT_FOLDERS, ROOT, Done

USER = f"claude-local-{os.getpid()}"  # one for each run, which kills all processes of its user at the end
SECRET = "CANARY-5f1c7d"
KEY = "CANARY-key-of-the-model-server"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
TIMEOUT_SECONDS = 150

# Replaces Claude Code: the script of an attack runs exactly where the model's commands would.
STUB = """#!/bin/bash
[[ ${1:-} != --version ]] || { printf '2.1.329 (stub)\\n'; exit; }
eval "${!#}"
"""

# Files in the home that are worth stealing or changing.
FILES = {
    ".ssh/id_ed25519": f"{SECRET} private key\n",
    ".aws/credentials": f"{SECRET} cloud\n",
    ".claude/.credentials.json": f'{{"token": "{SECRET}"}}\n',
    ".claude/settings.json": "{}\n",
    ".claude.json": f'{{"oauth": "{SECRET}"}}\n',
    ".bashrc": f"# {SECRET} shell\n",
    ".gitconfig": f"[user]\n\tname = Ada\n\temail = ada@example.com\n[http]\n\textraHeader = {SECRET}\n",
    ".netrc": f"password {SECRET}\n",
    ".config/autostart/a.desktop": "[Desktop Entry]\n",
    "other/notes.txt": f"{SECRET} another project\n",
}


@dataclass(frozen=True)
class Account:
    """The user who is attacked."""

    uid: int
    gid: int
    made: bool = False


def open_account() -> Account:
    """A new user if the tests run as root; otherwise the current user."""
    if os.getuid():
        return Account(os.getuid(), os.getgid())
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/bash", USER], check=False)
    entry = pwd.getpwnam(USER)
    return Account(entry.pw_uid, entry.pw_gid, made=True)


def close_account(account: Account) -> None:
    """Kills the user's processes and removes the user, if `open_account` created it."""
    if account.made:
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if entry.stat().st_uid == account.uid:
                    os.kill(int(entry.name), signal.SIGKILL)
        subprocess.run(["userdel", "--force", USER], check=True, capture_output=True)


@dataclass
class Host:
    """The attacked user's machine. `fresh` gives it a new home."""

    account: Account
    base: Path
    server: Recorder
    listeners: Listeners
    mode: str = "jail"
    victim: subprocess.Popen[bytes] | None = None
    before: dict[str, str] = field(default_factory=dict)
    ignored: tuple[Path, ...] = ()
    groups: tuple[int, ...] = ()

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def work(self) -> Path:
        """The workspace."""
        return self.home / "projects" / "ws"

    @property
    def state_dir(self) -> Path:
        return self.home / ".local" / "state" / "claude-local"

    @property
    def client_dir(self) -> Path:
        return self.home / ".claude-local"

    @property
    def wrapper(self) -> Path:
        return self.base / "build" / "bin" / "claude-local"

    @property
    def environment(self) -> dict[str, str]:
        """A login's environment, with secrets in it."""
        return {
            "PATH": f"{self.base}/stub:{SYSTEM_PATH}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "GITHUB_TOKEN": SECRET,
            "ANTHROPIC_API_KEY": SECRET,
            "SSH_AUTH_SOCK": str(self.home / ".agent.sock"),
            "LESSHISTFILE": "-",
        }

    @property
    def facts(self) -> dict[str, str]:
        """Facts that an attacker may know, by their names in scripts: @HOME@ and so on."""
        return {
            "HOME": str(self.home),
            "WORK": str(self.work),
            "BASE": str(self.base),
            "TCP": str(self.listeners.tcp),
            "TCP6": str(self.listeners.tcp6),
            "UDP": str(self.listeners.udp),
            "SERVER": str(self.server.port),
            "ABSTRACT": self.listeners.abstract,
            "SOCKET": str(self.listeners.path),
            "VICTIM": str(self.victim.pid if self.victim else 0),
        }

    def fill_in(self, script: str) -> str:
        for name, value in self.facts.items():
            script = script.replace(f"@{name}@", value)
        return script

    def render(self, **settings: str) -> None:
        """Renders the wrapper and its files for this home."""
        environment = {
            "PATH": SYSTEM_PATH,
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "CLAUDE_LOCAL_BUILD_DIR": str(self.base / "build"),
            "CLAUDE_LOCAL_STATE_DIR": str(self.state_dir),
            "CLAUDE_LOCAL_MODELS_DIR": str(self.base / "models"),
            "CLAUDE_LOCAL_EXTERNAL_URL": self.server.url,
            "CLAUDE_LOCAL_EXTERNAL_KEY_FILE": str(self.base / "key"),
            **{f"CLAUDE_LOCAL_{name.upper()}": value for name, value in settings.items()},
        }
        argv = [sys.executable, "-m", "invoke", "render"]
        subprocess.run(argv, cwd=ROOT, env=environment, check=True, capture_output=True)
        self.give(self.base)
        remove(self.base / "rendered")
        subprocess.run(["cp", "-a", self.base / "build", self.base / "rendered"], check=True)

    def give(self, path: Path) -> None:
        """Makes the attacked user the owner of `path` and everything below it."""
        if not os.getuid():
            owner = f"{self.account.uid}:{self.account.gid}"
            subprocess.run(["chown", "-hR", owner, str(path)], check=True)

    def fresh(self) -> None:
        """A new home, an empty workspace, a new victim; `effects` counts from here on.

        Restores the rendered wrapper too, because without a jail attacks on it work.
        """
        remove(self.home)
        remove(self.base / "build")
        subprocess.run(["cp", "-a", self.base / "rendered", self.base / "build"], check=True)
        for name, text in FILES.items():
            file = self.home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for folder in (self.work, self.state_dir, self.client_dir):
            folder.mkdir(parents=True)
        self.give(self.home)
        self.listeners.open(self.base)
        if self.victim is None or self.victim.poll() is not None:
            self.victim = self.start(["sleep", "1000000"])
        self.server.requests.clear()
        self.start_watching()

    def start_watching(self, *ignored: Path) -> None:
        """`effects` counts from here on. It ignores the workspace and `ignored`."""
        self.ignored = (self.home / "projects", self.state_dir, self.client_dir, *ignored)
        self.before = dict(self.snapshot())
        self.listeners.collect()

    def snapshot(self) -> Iterator[tuple[str, str]]:
        """Path and a description of each file in the home outside the workspace."""
        for folder, _, names in os.walk(self.home):
            if any(Path(folder).is_relative_to(path) for path in self.ignored):
                continue
            for name in names:
                path = Path(folder) / name
                status = path.lstat()
                text = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                yield (
                    str(path.relative_to(self.home)),
                    f"{status.st_mode} {status.st_ino} {status.st_mtime_ns} {text!r}",
                )

    def effects(self, *outputs: str) -> list[str]:
        """One short phrase for each thing touched outside the workspace and each secret in `outputs`."""
        after = dict(self.snapshot())
        found = [f"changed {name}" for name in after if after[name] != self.before.get(name)]
        found += [f"deleted {name}" for name in self.before.keys() - after.keys()]
        found += [f"reached {name}" for name in self.listeners.collect()]
        if self.victim is None or self.victim.poll() is not None:
            found.append("killed a process")
        text = "\n".join(outputs)
        found += [f"said {word}" for word in ("ESCAPED", SECRET, KEY) if word in text]
        return sorted(found)

    def real_claude(self, client: str) -> Path:
        """A folder for the PATH with that version of Claude Code, executable for the attacked user."""
        folder = self.base / "real" / client
        if not folder.exists():
            folder.mkdir(parents=True)
            shutil.copy2(CLIENT_FOLDERS[client] / "claude", folder / "claude")
            (folder / "claude").chmod(0o755)
            self.give(folder.parent)
        return folder

    def wrapper_argv(self, script: str, *options: str) -> list[str]:
        return [str(self.wrapper), "--sandbox", self.mode, *options, "--", self.fill_in(script)]

    def session(
        self,
        script: str,
        *options: str,
        cwd: Path | None = None,
        extra: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Done:
        """Runs a script in the jail, in Claude Code's place, with the generated wrapper."""
        return self.run(self.wrapper_argv(script, *options), cwd=cwd, extra=extra, pass_fds=pass_fds)

    def unconfined(self, script: str, *, cwd: Path | None = None, pass_fds: Sequence[int] = ()) -> Done:
        """Runs the same script without a jail, as the same user in the same home."""
        return self.run(["bash", "-c", self.fill_in(script)], cwd=cwd, pass_fds=pass_fds)

    def run(
        self,
        argv: list[str],
        *,
        cwd: Path | None = None,
        extra: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Done:
        """Runs a program to its end as the attacked user, in a new process session."""
        with self.started(argv, cwd=cwd, extra=extra, pass_fds=pass_fds) as process:
            try:
                out, error = process.communicate(timeout=timeout_seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, error = process.communicate()
                error += b"\nTIMED OUT"
        texts = (out.decode(errors="replace"), error.decode(errors="replace"))
        return Done(argv, process.returncode, *texts)

    @contextmanager
    def started(
        self,
        argv: list[str],
        *,
        cwd: Path | None = None,
        extra: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A running program of the attacked user."""
        process = self.start(argv, cwd=cwd, extra=extra, pass_fds=pass_fds, output=subprocess.PIPE)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def start(
        self,
        argv: list[str],
        *,
        cwd: Path | None = None,
        extra: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        output: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        is_root = os.getuid() == 0
        return subprocess.Popen(
            argv,
            cwd=cwd or self.work,
            env={**self.environment, **(extra or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
            user=self.account.uid if is_root else None,
            group=self.account.gid if is_root else None,
            extra_groups=self.groups if is_root else None,
        )

    def close(self) -> None:
        if self.victim:
            self.victim.kill()
            self.victim.wait()
        self.listeners.close()
        remove(self.base)


def remove(folder: Path) -> None:
    """Deletes a folder, even if its modes forbid that to its owner."""
    if folder.exists():
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)  # a process of the case may still be dying


def make_host(account: Account, server: Recorder) -> Host:
    """A machine below /tmp that the attacked user can reach."""
    base = Path(tempfile.mkdtemp(prefix="claude-local-jail-", dir="/tmp")).resolve()
    base.chmod(0o711)
    for name in ("home", "stub", "models"):
        (base / name).mkdir()
    (base / "stub" / "claude").write_text(STUB)
    (base / "stub" / "claude").chmod(0o755)
    (base / "key").write_text(KEY)
    (base / "key").chmod(0o600)
    return Host(account, base, server, Listeners())

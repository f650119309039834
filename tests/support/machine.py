"""A user's machine for tests: runs our commands as a user would, in a separate environment."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude_local.models.demo_model import CHAT_TEMPLATE, write_demo_model

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "tests" / "claude_code" / "node_modules"
CLIENT_FOLDERS = {
    "new": CLIENTS / "@anthropic-ai" / "claude-code-linux-x64",
    "old": CLIENTS / "claude-old" / "node_modules" / "@anthropic-ai" / "claude-code-linux-x64",
}
TIMEOUT_SECONDS = 180
COMPOSE_LABEL = "com.docker.compose.project"

Done = subprocess.CompletedProcess[str]


def repository_files() -> Iterator[Path]:
    """Every file that is committed or could be."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            yield ROOT / name


@dataclass
class Machine:
    """One checkout with its own home folder, port and Compose project."""

    checkout: Path
    home: Path
    port: int
    project: str
    extra: dict[str, str] = field(default_factory=dict)
    management_port: int = 0
    """Port of the management API; 0 is off."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this user's login shell, without anything from the tests."""
        passed = ("DOCKER_CONFIG", "DOCKER_HOST", "CLAUDE_LOCAL_IMAGE")
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "CLAUDE_LOCAL_LLAMA_PORT": str(self.port),
            "CLAUDE_LOCAL_MANAGEMENT_PORT": str(self.management_port or "off"),
            "CLAUDE_LOCAL_COMPOSE_PROJECT": self.project,
            **{name: os.environ[name] for name in passed if name in os.environ},
            **self.extra,
        }

    @property
    def state_dir(self) -> Path:
        return self.home / ".local" / "state" / "claude-local"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    @property
    def key(self) -> str:
        return (self.state_dir / "llama" / "api_key").read_text()

    def invoke(self, *arguments: str) -> Done:
        """Runs `invoke ARGUMENTS` in the checkout."""
        return self.run([sys.executable, "-m", "invoke", *arguments])

    def invoke_ok(self, *arguments: str) -> str:
        """The output of `invoke ARGUMENTS`; fails the test if it failed."""
        done = self.invoke(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `invoke ARGUMENTS` without waiting for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.invoke_ok("status", "--json")))

    def claude_argv(self, *arguments: str) -> list[str]:
        """The generated wrapper with its arguments."""
        return [str(self.checkout / "build" / "bin" / "claude-local"), *arguments]

    def claude_environment(self, client: str) -> dict[str, str]:
        """The environment with the pinned Claude Code version first on the PATH."""
        folder = CLIENT_FOLDERS[client]
        return {**self.environment, "PATH": f"{folder}:{self.environment['PATH']}"}

    def claude_local(
        self,
        *arguments: str,
        client: str = "new",
        stdin: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Done:
        """Runs the generated wrapper with a real Claude Code, in an empty workspace."""
        workspace = self.home / "workspace"
        workspace.mkdir(exist_ok=True)
        return self.run(
            self.claude_argv(*arguments),
            env=self.claude_environment(client),
            cwd=workspace,
            stdin=stdin,
            timeout_seconds=timeout_seconds,
        )

    def run(
        self,
        argv: list[str],
        *,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        stdin: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Done:
        """Runs a program of this user to its end."""
        return subprocess.run(
            argv,
            cwd=cwd or self.checkout,
            env=env or self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def add_demo(
        self, name: str, *, seed: int, lines: str = "", top: str = "", chat_template: str = CHAT_TEMPLATE
    ) -> None:
        """Adds a profile with its own model. `lines` go below `server`, `top` above it."""
        write_demo_model(self.checkout / "models" / f"{name}.gguf", seed=seed, chat_template=chat_template)
        (self.checkout / "profiles" / f"{name}.yaml").write_text(
            f"title: {name}\ndescription: for a test\n{top}model: {{file: {name}.gguf}}\n"
            f"server:\n  ctx_size: 65536\n  threads: 1\n  top_k: 0\n  min_p: 0.0\n{lines}"
        )

    def left_in_docker(self) -> list[str]:
        """Names of containers and networks of this machine's Compose project."""
        label = f"label={COMPOSE_LABEL}={self.project}"
        containers = ["docker", "ps", "--all", "--filter", label, "--format", "{{.Names}}"]
        networks = ["docker", "network", "ls", "--filter", label, "--format", "{{.Name}}"]
        return [name for argv in (containers, networks) for name in self.run(argv).stdout.split()]

    def our_processes(self) -> list[str]:
        """Command lines of running processes that name this checkout or its state."""
        return list(self._processes().values())

    def end_all(self) -> None:
        """Ends every process and container of this machine, whatever state a failed test has left."""
        for process_id in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        for kind in ("container", "network"):
            argv = ["docker", kind, "ls", "--quiet", "--filter", f"label={COMPOSE_LABEL}={self.project}"]
            for name in self.run([*argv, *(["--all"] if kind == "container" else [])]).stdout.split():
                self.run(["docker", kind, "rm", *(["--force"] if kind == "container" else []), name])

    def _processes(self) -> dict[int, str]:
        found = {}
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.home) in command or str(self.checkout) in command:
                found[int(entry.parent.name)] = command
        return found


def error_of(done: Done) -> tuple[str, list[str]]:
    """The error line and the hints of a failed command; fails the test on a traceback."""
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    lines = done.stderr.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("error: "))
    hints = [line.strip().removeprefix("hint: ") for line in lines[first:] if line.startswith("  hint: ")]
    return lines[first].removeprefix("error: "), hints

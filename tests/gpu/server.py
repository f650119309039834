"""Starts llama-server and asks it, with the time that each thing takes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import site
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 150
STOP_SECONDS = 20
POLL_SECONDS = 0.02
FIRST_WORD = 300
"""Tokens below are bytes and control tokens."""


class ServerFailed(Exception):
    """A server that ended or never answered; with the end of its log."""


@dataclass(frozen=True)
class Answer:
    """One request: tokens, and how long they took."""

    seconds: float
    prompt_tokens: int
    """Read now."""
    cached_tokens: int
    prompt_per_second: float
    generated_per_second: float


@dataclass(frozen=True)
class Programs:
    """A folder with programs of llama.cpp, and how they run here."""

    folder: Path
    work: Path
    extra: tuple[str, ...] = ()
    """Arguments of every server."""

    def argv(self, name: str, *arguments: str) -> list[str]:
        return [str(self.folder / name), *arguments]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """With CUDA's libraries from Python's packages, where there are any."""
        packages = [Path(folder) for folder in [*site.getsitepackages(), *sys.path]]
        cuda = sorted({str(lib) for folder in packages for lib in folder.glob("nvidia/*/lib")})
        given = os.environ.get("LD_LIBRARY_PATH", "")
        libraries = ":".join(filter(None, [str(self.folder), given, *cuda]))
        return {**os.environ, "LD_LIBRARY_PATH": libraries, **(more or {})}

    def output(self, name: str, *arguments: str, more: Mapping[str, str] | None = None) -> str:
        """What a program prints, both channels. Raises ServerFailed with it if it fails."""
        found = subprocess.run(
            self.argv(name, *arguments),
            env=self.environment(more),
            timeout=START_SECONDS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if found.returncode:
            raise ServerFailed(f"{name} ended with {found.returncode}: {_end(found.stdout)}")
        return str(found.stdout)

    @contextlib.contextmanager
    def serving(self, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[Served]:
        """A llama-server that answers; ended afterwards."""
        port = free_port()
        log = self.work / "server.log"
        argv = self.argv("llama-server", "--host", "127.0.0.1", "--port", str(port), "-lv", "4", "--no-ui")
        started = time.perf_counter()
        with running([*argv, *self.extra, *arguments], log, self.environment(more)) as process:
            served = Served(port, log)
            while not served.is_healthy():
                if process.poll() is not None or time.perf_counter() - started > START_SECONDS:
                    raise ServerFailed(f"llama-server does not serve: {_end(served.log_text())}")
                time.sleep(POLL_SECONDS)
            served.load_seconds = time.perf_counter() - started
            yield served


class Served:
    """A llama-server that runs, with one model or as a router."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self._log = port, log
        self.load_seconds = 0.0
        self._random = random.Random(port)

    def log_text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def is_healthy(self) -> bool:
        try:
            self.get("/health", timeout=2)
        except OSError:
            return False
        return True

    def get(self, path: str, *, timeout: float = 20) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
            return json.load(answer)

    def post(self, path: str, body: Mapping[str, Any], *, timeout: float = 120) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)

    def words(self, count: int) -> list[int]:
        """Tokens of a prompt that this server has not seen."""
        return [self._random.randrange(FIRST_WORD, 4_000) for _ in range(count)]

    def ask(self, prompt: Sequence[int], tokens: int, **more: Any) -> Answer:
        """Continues a prompt by so many tokens, in slot 0."""
        body = {"prompt": prompt, "n_predict": tokens, "ignore_eos": True, "temperature": 0, "id_slot": 0}
        started = time.perf_counter()
        times = self.post("/completion", {**body, "cache_prompt": True, **more})["timings"]
        return Answer(
            time.perf_counter() - started,
            times["prompt_n"],
            times["cache_n"],
            times["prompt_per_second"],
            times["predicted_per_second"],
        )


@contextlib.contextmanager
def running(
    argv: Sequence[str], log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs, its output in a file; ended afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(argv, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _end(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-6:])[-900:]

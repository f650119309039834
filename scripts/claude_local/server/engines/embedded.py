"""llama-server inside a Python process (the `xllamacpp` wheel): one model, no container, no root.

The process is `embedded_server`; a record in the state folder lets every later command find it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from claude_local.foundation.errors import EngineUnavailable, StateNotWritten
from claude_local.foundation.snapshot import STOPPED, Snapshot
from claude_local.machine.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.machine.processes import start_detached
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import EMBEDDED
from claude_local.profiles.profile import Profile
from claude_local.server import flags
from claude_local.server.engines import embedded_needs
from claude_local.server.failure_reasons import reason_in
from claude_local.server.llama_http import own_server
from claude_local.server.model_facts import any_busy, server_facts

STOP_TIMEOUT_SECONDS = 10
FOLLOW_SECONDS = 0.2


class EmbeddedEngine:
    """The embedded server of this checkout's state folder."""

    name = "embedded"
    is_ours = True
    plans_from_file = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.directory = EMBEDDED.below(settings.state_dir)
        self.log_file = self.directory / "server.log"
        self.spec_file = self.directory / "server.json"
        self.process_file = self.directory / "process.json"

    def describe(self) -> str:
        return "llama-server inside Python (xllamacpp), on the CPU"

    def why_unavailable(self) -> EngineUnavailable | None:
        return embedded_needs.why_unavailable()

    def why_silent(self) -> str | None:
        return None

    def check(self, profile: Profile) -> None:
        if problem := self.why_unavailable():
            raise problem

    def is_running(self) -> bool:
        return self._process() is not None

    def activate(self, profile: Profile) -> None:
        """Stops the process and starts another: this engine holds one model.

        If a file cannot be written, nothing is left running.
        """
        self.stop()
        try:
            private_directory(self.directory)
            write_atomic(self.spec_file, json.dumps(self._spec(profile)).encode(), mode=PRIVATE_FILE)
            pid = start_detached(self._argv(), environment=_environment(), log=self.log_file)
            started = {"pid": pid, "create_time": psutil.Process(pid).create_time(), "profile": profile.name}
            write_atomic(self.process_file, json.dumps(started).encode(), mode=PRIVATE_FILE)
        except (OSError, psutil.NoSuchProcess) as error:
            self.stop()
            raise StateNotWritten(f"{self.directory} cannot be written: {error}") from None

    def is_busy(self) -> bool:
        """A healthy server that does not reply in time counts as busy: it may be reading a long prompt."""
        if self.pulse().state != "ready":
            return False
        found = own_server(self.settings).get("/slots")
        return any_busy(found) if isinstance(found, list) else True

    def release(self) -> None:
        """Stops the process: it is the model."""
        self.stop()

    def stop(self) -> None:
        """Ends the server, and any server that a killed command started without recording it."""
        processes = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_SECONDS)
        for survivor in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                survivor.kill()
        psutil.wait_procs(alive, timeout=STOP_TIMEOUT_SECONDS)
        with contextlib.suppress(OSError):
            self.process_file.unlink(missing_ok=True)

    def settle(self) -> None:
        """Does nothing: this engine starts no other commands."""

    def pulse(self) -> Snapshot:
        """The state of the process, and whether it reports itself healthy."""
        started = self._started()
        if started is None:
            return STOPPED
        base = Snapshot(
            state="loading",
            engine=self.name,
            profile=started["profile"],
            loaded_profile=started["profile"],
            model_file=Path(json.loads(self.spec_file.read_text())["model"]).name,
            base_url=self.settings.base_url,
            uptime_seconds=round(time.time() - started["create_time"], 1),
            server_process_id=started["pid"],
        )
        if self._process() is None:
            return _with(
                base, state="failed", uptime_seconds=None, loaded_profile=None, reason=self._reason()
            )
        return _with(base, state="ready") if self._is_healthy() else base

    def snapshot(self) -> Snapshot:
        now = self.pulse()
        return _with(now, **server_facts(own_server(self.settings))) if now.state == "ready" else now

    def log_lines(self, *, tail: int, follow: bool) -> Iterator[str]:
        try:
            with self.log_file.open(encoding="utf-8", errors="replace") as log:
                yield from (line.rstrip("\n") for line in deque(log, maxlen=tail))
                while follow and self._process() is not None:
                    if line := log.readline():
                        yield line.rstrip("\n")
                    else:
                        time.sleep(FOLLOW_SECONDS)
        except FileNotFoundError:
            return

    def _is_healthy(self) -> bool:
        """Asked without the key: while ours loads, another program may hold the port."""
        http = dataclasses.replace(own_server(self.settings), key="")
        return http.status_of("/health") == 200

    def _argv(self) -> list[str]:
        return [sys.executable, "-m", "claude_local.server.engines.embedded_server", str(self.spec_file)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.cmdline()[-2:] == self._argv()[-2:]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def _spec(self, profile: Profile) -> dict[str, Any]:
        (_, model), *options = flags.options(
            profile, str(self.settings.models_dir), str(self.settings.runtime_dir)
        )
        return {
            "profile": profile.name,
            "model": model,
            "options": options,
            "port": self.settings.llama_port,
            "api_key_file": str(self.settings.api_key_file),
        }

    def _started(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self.process_file.read_text()))
        except (FileNotFoundError, ValueError):
            return None

    def _process(self) -> psutil.Process | None:
        """The running server; None if it has ended, even if its number was reused."""
        started = self._started()
        if started is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(started["pid"])
            same = abs(process.create_time() - started["create_time"]) < 0.1
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def _reason(self) -> str:
        return reason_in(list(self.log_lines(tail=200, follow=False)), "the server's process ended")


def _environment() -> dict[str, str]:
    own = {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONUNBUFFERED": "1"}
    return {"GLIBC_TUNABLES": flags.HUGE_PAGES, **os.environ, **own}


def _with(base: Snapshot, **changes: Any) -> Snapshot:
    return dataclasses.replace(base, **changes)

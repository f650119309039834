"""The management API as a process: start, find, stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import psutil

from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.machine import ports
from claude_local.machine.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.machine.processes import start_detached, tail
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import MANAGEMENT
from claude_local.management import service

START_SECONDS = 30
STOP_SECONDS = 30
JOB_SECONDS = 20
"""How long a running switch may delay the end of the server. The next start finishes an unfinished one."""
POLL_SECONDS = 0.05
ONE_HEAP = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
}
"""The server has many idle threads: a heap and a cache for each would waste memory."""
PORT_SETTING = "CLAUDE_LOCAL_MANAGEMENT_PORT"


def is_running(settings: Settings) -> bool:
    """Whether the server of this state folder is running, however it was started."""
    return _process(settings) is not None


def check(settings: Settings) -> None:
    """Raises UserError if the server could not start because its port is taken."""
    if settings.management_port and not is_running(settings):
        ports.check_port(settings.management_port, PORT_SETTING)


def start(settings: Settings) -> None:
    """Starts the server in the background, unless it is running or switched off; returns when it answers.

    A server started here with other settings is replaced. A service or a server in a terminal keeps running.
    """
    if settings.management_port is None:
        return
    if process := _process(settings):
        if not _is_outdated(settings, process):
            return
        stop(settings)
    check(settings)
    log = private_directory(_folder(settings)) / "server.log"
    argv = _argv(settings)
    environment = {
        **os.environ,
        **settings.to_environment(),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **ONE_HEAP,
    }
    pid = start_detached(argv, environment=environment, log=log)
    deadline = time.monotonic() + START_SECONDS
    while not is_running(settings):
        if not psutil.pid_exists(pid) or _has_ended(pid) or time.monotonic() > deadline:
            raise EngineFailed(
                "the management API did not start",
                details=tail(log.read_text(errors="replace")),
                hint=f"the model is running anyway; to work without this API: {PORT_SETTING}=off",
            )
        time.sleep(POLL_SECONDS)


def stop(settings: Settings) -> bool:
    """Stops the server and returns whether one was running."""
    process = _process(settings)
    if process is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs([process], timeout=STOP_SECONDS)
        for survivor in alive:
            survivor.kill()
            survivor.wait(STOP_SECONDS)
    _record(settings).unlink(missing_ok=True)
    return True


def serve(settings: Settings) -> None:
    """Serves in the foreground until SIGTERM or SIGINT. Raises UserError if it cannot."""
    from claude_local.management.handlers import Handlers
    from claude_local.management.http_server import Server
    from claude_local.management.operations import Operations
    from claude_local.management.supervisor import Supervisor

    if settings.management_port is None:
        raise UserError(f"the management API is switched off: {PORT_SETTING}=off")
    check(settings)
    for name in ONE_HEAP:  # already in effect here; child processes should not inherit it
        os.environ.pop(name, None)
    operations = Operations(settings)
    supervisor = Supervisor(settings, operations)
    handlers = Handlers(settings, operations, supervisor, token(settings))
    server = Server(("127.0.0.1", settings.management_port), handlers.app())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.stop, daemon=True).start())
    server.prepare()
    supervisor.start()
    operations.recover()
    _write_record(settings)
    code = 1
    try:
        server.serve()
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        supervisor.stop()
        operations.wait_for_jobs(JOB_SECONDS)
        _record(settings).unlink(missing_ok=True)
        os._exit(code)  # do not wait for threads of slow readers


def token(settings: Settings) -> str | None:
    """The secret that clients must send; None if not set. Raises UserError if the file is empty."""
    file = settings.management_token_file
    if file is None:
        return None
    try:
        secret = file.read_text().strip()
    except OSError as error:
        raise UserError(f"the token file {file} cannot be read: {error.strerror}") from None
    if not secret:
        raise UserError(
            f"the token file {file} is empty", hint=f"create a token: openssl rand -hex 32 > {file}"
        )
    return secret


def _argv(settings: Settings) -> list[str]:
    return [sys.executable, "-m", "claude_local", "serve", str(settings.root), str(settings.state_dir)]


def _is_outdated(settings: Settings, process: psutil.Process) -> bool:
    """Whether it was started by `start` with different settings."""
    try:
        ours = process.cmdline()[1:] == _argv(settings)[1:]
        is_service = service.NAME in Path(f"/proc/{process.pid}/cgroup").read_text()
        started_with = json.loads(_record(settings).read_text()).get("environment")
    except (OSError, ValueError, AttributeError, psutil.Error):
        return False
    return ours and not is_service and started_with != settings.to_environment()


def _write_record(settings: Settings) -> None:
    own = psutil.Process()
    record = {
        "pid": own.pid,
        "create_time": own.create_time(),
        "port": settings.management_port,
        "environment": settings.to_environment(),
    }
    private_directory(_folder(settings))
    write_atomic(_record(settings), json.dumps(record).encode(), mode=PRIVATE_FILE)


def _process(settings: Settings) -> psutil.Process | None:
    try:
        record: Any = json.loads(_record(settings).read_text())
        process = psutil.Process(int(record["pid"]))
        same = process.create_time() == record["create_time"] and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return process if same else None


def _has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _folder(settings: Settings) -> Path:
    return MANAGEMENT.below(settings.state_dir)


def _record(settings: Settings) -> Path:
    return _folder(settings) / "process.json"

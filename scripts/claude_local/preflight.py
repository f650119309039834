"""What can be known before anything is started: is the model file there, is the port free."""

from __future__ import annotations

import contextlib
import shlex
import socket
from collections.abc import Iterator

import psutil

from claude_local.engines import Engine
from claude_local.errors import UserError
from claude_local.profiles import Profile
from claude_local.settings import Settings

GGUF_MAGIC = b"GGUF"


def check_model_file(settings: Settings, profile: Profile) -> None:
    """Raises UserError if the profile's GGUF file is missing or plainly is none."""
    file = settings.models_dir / profile.model.file
    if not file.is_file():
        raise UserError(
            f"profile `{profile.name}` has no model file: {file} is missing",
            hint=_how_to_get(profile, settings),
        )
    with file.open("rb") as opened:
        if opened.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise UserError(f"{file} is no GGUF file", hint=_how_to_get(profile, settings))
    size, expected = file.stat().st_size, profile.model.size_bytes
    if expected and size != expected:
        raise UserError(
            f"{file} has {size:,} bytes, the profile says {expected:,}",
            hint=f"it may be half a download; {_how_to_get(profile, settings)}",
        )


def check_memory(settings: Settings, profile: Profile, engine: Engine) -> None:
    """Raises UserError if the model cannot fit. The one place where that verdict is asked for.

    On the CPU the file itself is what must fit into the machine's memory; what is loaded now will have
    left by then, so all of it counts.
    """
    size, memory = model_size_bytes(settings, profile) or 0, psutil.virtual_memory().total
    if engine.name == "embedded" and size > memory:
        raise UserError(
            f"`{profile.name}` needs {size / 1e9:.1f} GB and this machine has {memory / 1e9:.1f} GB of memory",
            hint="choose a smaller model: invoke profiles",
        )


def model_size_bytes(settings: Settings, profile: Profile) -> int | None:
    """Size of the model file on disk, else what the profile says of it."""
    file = settings.models_dir / profile.model.file
    return file.stat().st_size if file.is_file() else profile.model.size_bytes


def check_port(port: int, setting: str = "CLAUDE_LOCAL_LLAMA_PORT") -> None:
    """Raises UserError with the holder's name if the port on 127.0.0.1 is taken."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UserError(
                f"port {port} is in use{_holders(port)}",
                hint=f"end that program, or choose another port: {setting}=8090",
            ) from None


def _holders(port: int) -> str:
    names = sorted(set(_holder_names(port)))
    return f" by {', '.join(names)}" if names else ""


def _holder_names(port: int) -> Iterator[str]:
    with contextlib.suppress(psutil.AccessDenied, psutil.NoSuchProcess):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == "LISTEN" and local and local.port == port and connection.pid:
                yield f"{psutil.Process(connection.pid).name()} (process {connection.pid})"


def _how_to_get(profile: Profile, settings: Settings) -> str:
    if profile.model.repo is not None:
        command = ["hf", "download", profile.model.repo, profile.model.file]
        return f"download it: {shlex.join([*command, '--local-dir', str(settings.models_dir)])}"
    if profile.name == "demo":
        return "write it: invoke demo-model"
    return f"put it into {settings.models_dir}; the profile does not say where it comes from"

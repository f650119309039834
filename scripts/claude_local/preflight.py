"""What can be known before anything is started: is the model file there, is the port free."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from claude_local import checksums
from claude_local.errors import UserError
from claude_local.model_files import Wanted, wanted_files
from claude_local.settings import Settings

if TYPE_CHECKING:
    from claude_local.engines import Engine
    from claude_local.profiles import Profile

GGUF_MAGIC = b"GGUF"


def check_model_file(settings: Settings, profile: Profile) -> None:
    """Raises UserError if one of the profile's GGUF files is missing, is none, or is known to be another one."""
    for wanted in wanted_files(settings, profile):
        _check_file(settings, profile, wanted)


def _check_file(settings: Settings, profile: Profile, wanted: Wanted) -> None:
    file = wanted.target
    if not file.is_file():
        raise UserError(
            f"profile `{profile.name}` has no model file: {file} is missing",
            hint=_how_to_get(profile, settings),
        )
    with file.open("rb") as opened:
        if opened.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise UserError(f"{file} is no GGUF file", hint=_how_to_get(profile, settings))
    size, expected = file.stat().st_size, wanted.size_bytes
    if expected and size != expected:
        raise UserError(
            f"{file} has {size:,} bytes, the profile says {expected:,}",
            hint=f"it may be half a download; {_how_to_replace(profile, settings)}",
        )
    if wanted.sha256:
        _check_sha256(settings, wanted, wanted.sha256)


def _check_sha256(settings: Settings, wanted: Wanted, expected: str) -> None:
    """By what `invoke pull` remembers of the file. A checksum takes a minute, so none is made here."""
    known = checksums.known_sha256(settings.state_dir, wanted.target)
    if known and known != expected:
        raise UserError(
            f"{wanted.target} is not the file that the profile names: its sha256 is {known}, not {expected}",
            hint=f"replace it: invoke pull {wanted.profile} --force",
        )
    if checksums.has_changed(settings.state_dir, wanted.target):
        raise UserError(
            f"{wanted.target} has changed since its checksum was made",
            hint=f"make it again: invoke pull {wanted.profile}",
        )


def check_memory(settings: Settings, profile: Profile, engine: Engine, *, is_running: bool) -> None:
    """Raises UserError if the model does not fit by `plan.verdict`. The one place that asks before a start.

    What a running engine has loaded now will have left by then, so it does not count.
    """
    from claude_local import plan

    hardware = plan.hardware_now()
    # Without cards the model file tells as much as llama-fit-params does, and at once.
    quick = is_running or not hardware.cards or engine.name == "embedded"
    plan.check(plan.verdict(settings, profile, hardware=hardware, quick=quick, is_loaded=is_running))


def model_size_bytes(settings: Settings, profile: Profile) -> int | None:
    """Size of the model's own files on disk, else what the profile says of it, exactly or about."""
    files = [settings.models_dir / shard.file for shard in profile.model.shards()]
    here = all(file.is_file() for file in files)
    return sum(file.stat().st_size for file in files) if here else profile.model.stated_bytes


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


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses at the moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _holders(port: int) -> str:
    names = sorted(set(_holder_names(port)))
    return f" by {', '.join(names)}" if names else ""


def _holder_names(port: int) -> Iterator[str]:
    try:
        import psutil
    except ImportError:  # `doctor` asks before anything is installed
        return
    with contextlib.suppress(psutil.AccessDenied, psutil.NoSuchProcess):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == "LISTEN" and local and local.port == port and connection.pid:
                yield f"{psutil.Process(connection.pid).name()} (process {connection.pid})"


def _how_to_replace(profile: Profile, settings: Settings) -> str:
    """Without `--force` a pull keeps what is there."""
    if profile.model.repo is None:
        return _how_to_get(profile, settings)
    return f"replace it: invoke pull {profile.name} --force"


def _how_to_get(profile: Profile, settings: Settings) -> str:
    if profile.model.repo is not None:
        return f"download it: invoke pull {profile.name}"
    if profile.name == "demo":
        return "write it: invoke demo-model"
    return f"put it into {settings.models_dir}; the profile does not say where it comes from"

"""Checks of the computer: Python, ports, disk, memory, clock."""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from claude_local.checks.doctor.host import Finding, Host, Level
from claude_local.foundation.errors import UserError
from claude_local.machine import ports
from claude_local.models import file_check

if TYPE_CHECKING:
    from claude_local.profiles.profile import Profile

OLDEST_PYTHON = (3, 11)
GB = 1e9
IMPORTING = threading.Lock()
DAY_SECONDS = 86400
PACKAGES_REMEDY = "scripts/quickstart installs them into .venv; then: source .venv/bin/activate"


def python(host: Host) -> Finding:
    """Whether this Python is new enough and has the packages of pyproject.toml."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Finding("error", f"{version} is too old; 3.11 or newer is needed", host.remedy("python3"))
    import tomllib  # new in 3.11

    project = tomllib.loads((host.settings.root / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in project["project"]["dependencies"]]
    missing = [name for name in wanted if not _is_installed(name)]
    if missing:
        return Finding("error", f"{version}, packages missing: {', '.join(missing)}", PACKAGES_REMEDY)
    return Finding("ok", f"{version} with all packages")


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def llama_port(host: Host) -> Finding:
    """Whether the port of llama-server is free, or used by claude-local."""
    return _port(host, host.settings.llama_port, "CLAUDE_LOCAL_LLAMA_PORT")


def api_port(host: Host) -> Finding:
    """Whether the port of the management API is free, or used by claude-local."""
    port = host.settings.management_port
    if port is None:
        return Finding("ok", "switched off")
    return _port(host, port, "CLAUDE_LOCAL_MANAGEMENT_PORT")


def _port(host: Host, port: int, setting: str) -> Finding:
    try:
        ports.check_port(port)
    except UserError as error:
        if _is_ours(host, port):
            return Finding("ok", f"{port} is in use by claude-local's own server")
        return Finding("error", error.message, f"stop that program, or set {setting} to another port")
    return Finding("ok", f"{port} is free")


def _is_ours(host: Host, port: int) -> bool:
    """Whether one of our containers publishes the port or one of our Python processes listens on it."""
    label = f"label=com.docker.compose.project={host.settings.compose_project}"
    published = host.ask("docker", "ps", "--filter", label, "--format", "{{.Ports}}").output
    return f"127.0.0.1:{port}->" in published or any("claude_local" in line for line in _commands_on(port))


def _commands_on(port: int) -> list[str]:
    try:
        import psutil
    except ImportError:
        return []
    try:
        found = psutil.net_connections("tcp")
        pids = {c.pid for c in found if c.status == "LISTEN" and c.laddr and c.laddr.port == port and c.pid}
        return [" ".join(psutil.Process(pid).cmdline()) for pid in pids]
    except psutil.Error:
        return []


def disk(host: Host) -> Finding:
    """Whether the disk has space for the models that are not downloaded yet."""
    folder = _existing(host.settings.models_dir)
    free_bytes = shutil.disk_usage(folder).free
    profiles = _profiles(host)
    missing = [p for p in profiles if not (host.settings.models_dir / p.model.file).is_file()]
    sizes = sorted((size, p.name) for p in missing if (size := file_check.model_size_bytes(host.settings, p)))
    text = f"{free_bytes / GB:,.0f} GB free in {folder}"
    too_large = [f"{name} ({size / GB:,.0f} GB)" for size, name in sizes if size > free_bytes]
    if not too_large:
        return Finding("ok", text)
    level: Level = "warning" if len(too_large) == len(sizes) else "info"
    text += f": too little for {', '.join(too_large)}"
    return Finding(level, text, "set CLAUDE_LOCAL_MODELS_DIR to a folder on a larger disk")


def memory(host: Host) -> Finding:
    """Whether every profile's model fits into RAM and GPU memory together."""
    ram_bytes = _ram_bytes(host)
    card_bytes = sum(gpu.memory_total_bytes or 0 for gpu in host.read_gpus().gpus)
    text = f"{ram_bytes / GB:,.0f} GB RAM"
    if card_bytes:
        text += f" and {card_bytes / GB:,.0f} GB GPU memory"
    profiles = _profiles(host)
    sizes = [(file_check.model_size_bytes(host.settings, profile), profile.name) for profile in profiles]
    too_large = [
        f"{name} ({size / GB:,.0f} GB)" for size, name in sizes if size and size > ram_bytes + card_bytes
    ]
    if too_large:
        text += f": too little for {', '.join(too_large)}"
        return Finding("info", text, "see which models fit: invoke plan --all")
    return Finding("ok", text)


def _ram_bytes(host: Host) -> int:
    found = re.search(r"^MemTotal:\s+(\d+) kB", host.text("proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def clock(host: Host) -> Finding:
    """Whether the clock is plausible: downloads and certificates fail with a wrong one."""
    newest = max(path.stat().st_mtime for path in (host.settings.root, host.settings.root / "pyproject.toml"))
    now = time.time()
    if now < newest - DAY_SECONDS:
        days = (newest - now) / DAY_SECONDS
        return Finding(
            "error",
            f"the clock is {days:,.0f} days behind the files of this checkout",
            "sudo timedatectl set-ntp true",
        )
    answer = host.ask("timedatectl", "show", "--property", "NTPSynchronized", "--value")
    text = time.strftime("%Y-%m-%d %H:%M", time.gmtime(now)) + " UTC"
    if answer.code == 0 and answer.output.strip() == "no":
        return Finding(
            "info", f"{text}, not synchronised with a time server", "sudo timedatectl set-ntp true"
        )
    return Finding("ok", text)


def _profiles(host: Host) -> list[Profile]:
    # Two checks import this in parallel; if the import fails, the second would see a half-loaded module.
    with IMPORTING:
        from claude_local.profiles.load import load_profiles
    return list(load_profiles(host.settings.profiles_dir).values())


def _existing(path: Path) -> Path:
    return next(part for part in (path, *path.parents) if part.exists())

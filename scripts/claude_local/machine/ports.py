"""TCP ports on 127.0.0.1: free ports, and the programs that hold the others."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from claude_local.foundation.errors import UserError


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
    """A port on 127.0.0.1 that is free at the moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _holders(port: int) -> str:
    names = sorted(set(_holder_names(port)))
    return f" by {', '.join(names)}" if names else ""


def _holder_names(port: int) -> Iterator[str]:
    try:
        import psutil
    except ImportError:  # `doctor` runs before anything is installed
        return
    with contextlib.suppress(psutil.AccessDenied, psutil.NoSuchProcess):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == "LISTEN" and local and local.port == port and connection.pid:
                yield f"{psutil.Process(connection.pid).name()} (process {connection.pid})"

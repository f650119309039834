"""Who listens on a port of 127.0.0.1. A program of another user there would read our key and every prompt."""

from __future__ import annotations

from pathlib import Path

TABLES = ("tcp", "tcp6")
LISTEN = "0A"
REACHED = {
    "0100007F",  # 127.0.0.1
    "00000000",  # every IPv4 address
    "0" * 32,  # every IPv6 address, and mostly every IPv4 address with it
    "0000000000000000FFFF00000100007F",  # 127.0.0.1 in IPv6's words
}


def owner_ids(port: int, tables: Path = Path("/proc/net")) -> set[int]:
    """User ids of all who may get what is sent to the port; empty where nobody listens."""
    owners = set()
    for table in TABLES:
        try:
            lines = (tables / table).read_text().splitlines()[1:]
        except OSError:  # a kernel without IPv6
            continue
        for fields in map(str.split, lines):
            address, _, number = fields[1].partition(":")
            if fields[3] == LISTEN and address in REACHED and int(number, 16) == port:
                owners.add(int(fields[7]))
    return owners

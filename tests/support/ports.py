"""Ports for servers that a test starts later: no two workers of one run get the same."""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, PER_WORKER = 12_000, 2_500
"""Below the range that Linux gives to outgoing connections (32768 and up), so that none of them takes one."""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_first = FIRST + _worker % 8 * PER_WORKER
_start = random.randrange(PER_WORKER)  # another run on this machine starts elsewhere
_numbers = (_first + number % PER_WORKER for number in itertools.count(_start))


def unused_port() -> int:
    """The worker's next port with no listener on it, at any address of IPv4 or IPv6."""
    return next(port for port in itertools.islice(_numbers, PER_WORKER) if _is_free(port))


def _is_free(port: int) -> bool:
    has_both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if has_both else socket.AF_INET
    try:
        with socket.create_server(("", port), family=family, dualstack_ipv6=has_both):
            return True
    except OSError:
        return False

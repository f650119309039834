"""Finds the owner of a port on 127.0.0.1. Another user's program there would read our key and every prompt.

The kernel can list only the listening sockets (sock_diag(7), NETLINK_INET_DIAG). The fallback is /proc/net/tcp,
where the kernel walks the table of all connections each time: 5 ms for IPv4 and 5 ms for IPv6.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

REACHED = {
    ip_address(text).packed
    for text in ("127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0")  # noqa: S104
}
"""Listening addresses that receive connections to 127.0.0.1."""

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
TCP_LISTEN = 10

HEADER = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, process."""
QUESTION = struct.Struct("=BBBxI")
"""inet_diag_req_v2 before its socket: family, protocol, extensions, states."""
SOCKET_ID = struct.Struct("!HH16s16s12x")
"""inet_diag_sockid: both ports and both addresses, without interface and cookie."""
REST = struct.Struct("=64xII")
"""inet_diag_msg: the user id and the inode, after the part that SOCKET_ID reads."""


class ListeningSocket(NamedTuple):
    """A listening socket. Its inode changes whenever a program listens again."""

    address: bytes
    port: int
    user_id: int
    inode: int


def listeners_on(port: int) -> frozenset[ListeningSocket]:
    """Every socket that may receive connections to the port on 127.0.0.1; empty if no program listens."""
    try:
        found = list(listeners_by_netlink(port))
    except OSError:  # a kernel without inet_diag
        found = list(listeners_by_table())
    return frozenset(one for one in found if one.port == port and one.address in REACHED)


def owner_ids(port: int) -> set[int]:
    """Their user ids."""
    return {listener.user_id for listener in listeners_on(port)}


def listeners_by_netlink(port: int, protocol: int = socket.IPPROTO_TCP) -> Iterator[ListeningSocket]:
    """The sockets on one port. Raises OSError if the kernel does not support the query."""
    for family in (socket.AF_INET, socket.AF_INET6):
        wanted = SOCKET_ID.pack(port, 0, b"", b"")
        question = QUESTION.pack(family, protocol, 0, 1 << TCP_LISTEN) + wanted
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
            length = HEADER.size + len(question)
            kernel.sendto(
                HEADER.pack(length, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + question, (0, 0)
            )
            for message in _messages(kernel):
                number, _, address, _ = SOCKET_ID.unpack_from(message, 4)
                own = address[: 4 if family == socket.AF_INET else 16]
                yield ListeningSocket(own, number, *REST.unpack_from(message))


def _messages(kernel: socket.socket) -> Iterator[bytes]:
    """The contents of all messages of a dump. Raises OSError with the kernel's error."""
    while True:
        received = kernel.recv(65536)
        while received:
            length, kind, *_ = HEADER.unpack_from(received)
            content, received = received[HEADER.size : length], received[length + 3 & ~3 :]
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                # The end may carry an error too: the kernel knows the request but cannot load the module that answers.
                error = -struct.unpack_from("=i", content)[0]
                if error:
                    raise OSError(error, os.strerror(error))
                return
            yield content


def listeners_by_table(tables: Path = Path("/proc/net")) -> Iterator[ListeningSocket]:
    """The sockets on all ports, from the tables in /proc."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (tables / name).read_text().splitlines()[1:]
        except OSError:  # a kernel without IPv6
            continue
        for fields in map(str.split, lines):
            address, _, number = fields[1].partition(":")
            if int(fields[3], 16) == TCP_LISTEN:
                yield ListeningSocket(_address(address), int(number, 16), int(fields[7]), int(fields[9]))


def _address(text: str) -> bytes:
    """An address from the table: 32-bit words in native byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return struct.pack(f"={len(words)}I", *words)

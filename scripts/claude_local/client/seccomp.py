"""The system calls that the jail refuses, as a classic BPF program for the kernel's seccomp.

bubblewrap reads the program from a file (`--seccomp FD`): 8 bytes per instruction, `struct sock_filter` in
linux/filter.h. It blocks what namespaces leave open: typing into the user's terminal (TIOCSTI), new
namespaces and mounts, the keyring, io_uring (which would do what another rule refuses), kernel tracing, and
socket families that no network namespace contains, such as AF_VSOCK.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# linux/seccomp.h and linux/audit.h
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
NUMBER_OFFSET, ARCHITECTURE_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16

# linux/filter.h: load a word, jump, jump if equal / greater or equal / any bit set, return
LOAD, JUMP, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_BITS, RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06

CLONE_NEWUSER = 0x10000000
X32_BIT = 0x40000000
TERMINAL_INJECTION = {"TIOCSTI": 0x5412, "TIOCLINUX": 0x541C}
SOCKET_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}

# Answered as by a kernel without them: programs then use the older calls.
UNKNOWN = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435,
    "mount_setattr": 442, "quotactl_fd": 443, "set_mempolicy_home_node": 450, "statmount": 457,
    "listmount": 458, "open_tree_attr": 467,
}  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """The call numbers of one processor architecture (asm/unistd.h). Those in `UNKNOWN` are the same on all."""

    name: str
    audit: int
    ioctl: int
    sockets: tuple[int, int]
    """socket, socketpair"""
    namespaces: tuple[int, int]
    """clone, unshare"""
    forbidden: dict[str, int] = field(default_factory=dict)
    has_x32: bool = False


X86_64 = Architecture(
    "x86_64", 0xC000003E, ioctl=16, sockets=(41, 53), namespaces=(56, 272), has_x32=True,
    forbidden={
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "add_key": 248,
        "request_key": 249, "keyctl": 250, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313,
        "delete_module": 176, "swapon": 167, "swapoff": 168, "reboot": 169, "acct": 163, "quotactl": 179,
        "settimeofday": 164, "clock_settime": 227, "clock_adjtime": 305, "adjtimex": 159,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "mbind": 237, "set_mempolicy": 238,
        "migrate_pages": 256, "move_pages": 279, "fanotify_init": 300, "fanotify_mark": 301, "syslog": 103,
        "iopl": 172, "ioperm": 173, "uselib": 134, "vhangup": 153, "lookup_dcookie": 212, "kcmp": 312,
        "nfsservctl": 180, "_sysctl": 156,
    },
)  # fmt: skip

AARCH64 = Architecture(
    "aarch64", 0xC00000B7, ioctl=29, sockets=(198, 199), namespaces=(220, 97),
    forbidden={
        "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "add_key": 217,
        "request_key": 218, "keyctl": 219, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273,
        "delete_module": 106, "swapon": 224, "swapoff": 225, "reboot": 142, "acct": 89, "quotactl": 60,
        "settimeofday": 170, "clock_settime": 112, "clock_adjtime": 266, "adjtimex": 171,
        "name_to_handle_at": 264, "open_by_handle_at": 265, "mbind": 235, "set_mempolicy": 237,
        "migrate_pages": 238, "move_pages": 239, "fanotify_init": 262, "fanotify_mark": 263, "syslog": 116,
        "vhangup": 58, "lookup_dcookie": 18, "kcmp": 272,
    },
)  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    """One instruction. `if_true` and `if_false` are the number of instructions to skip."""

    code: int
    value: int
    if_true: int = 0
    if_false: int = 0
    meaning: str = ""

    def encoded(self) -> bytes:
        """The 8 bytes of `struct sock_filter`, little endian."""
        return struct.pack("<HBBI", self.code, self.if_true, self.if_false, self.value)


def program(architectures: Sequence[Architecture] = (X86_64, AARCH64)) -> list[Instruction]:
    """The whole filter. On a processor that is not in `architectures` the process is killed."""
    steps = [Instruction(LOAD, ARCHITECTURE_OFFSET, meaning="which processor?")]
    for architecture in architectures:
        body = list(_body(architecture))
        steps += _choose(architecture, len(body))
        steps += body
    return [*steps, Instruction(RETURN, KILL_PROCESS, meaning="any other processor: end")]


def listing(steps: Sequence[Instruction]) -> Iterator[str]:
    """The program as lines `\\x.. bytes # meaning`, which bash's printf turns into the bytes."""
    for step in steps:
        octets = "".join(f"\\x{octet:02x}" for octet in step.encoded())
        yield f"{octets} # {step.meaning}"


def _choose(architecture: Architecture, length: int) -> list[Instruction]:
    return [
        Instruction(JUMP_EQUAL, architecture.audit, 1, 0, f"{architecture.name}: over the next step"),
        Instruction(
            JUMP, length, meaning="another processor: skip this part"
        ),  # can skip more than 255 steps
    ]


def _body(architecture: Architecture) -> Iterator[Instruction]:
    yield Instruction(LOAD, NUMBER_OFFSET, meaning="which call?")
    if architecture.has_x32:
        yield Instruction(JUMP_AT_LEAST, X32_BIT, 0, 1, "calls of the x32 interface")
        yield _refuse(ENOSYS)
    for name, number in UNKNOWN.items():
        yield Instruction(JUMP_EQUAL, number, 0, 1, name)
        yield _refuse(ENOSYS)
    for name, number in architecture.forbidden.items():
        yield Instruction(JUMP_EQUAL, number, 0, 1, name)
        yield _refuse(EPERM)
    yield from _by_argument(architecture)
    yield Instruction(RETURN, ALLOW, meaning="all others")


def _by_argument(architecture: Architecture) -> Iterator[Instruction]:
    """Calls that are refused for some arguments; only the low 32 bits matter, as in the kernel."""
    yield Instruction(JUMP_EQUAL, architecture.ioctl, 0, 5, "ioctl: what does it ask for?")
    yield Instruction(LOAD, ARGUMENTS_OFFSET + 8, meaning="its second argument")
    yield Instruction(JUMP_EQUAL, TERMINAL_INJECTION["TIOCSTI"], 1, 0, "TIOCSTI")
    yield Instruction(JUMP_EQUAL, TERMINAL_INJECTION["TIOCLINUX"], 0, 1, "TIOCLINUX")
    yield _refuse(EPERM)
    yield Instruction(RETURN, ALLOW, meaning="every other ioctl")
    for name, number in zip(("clone", "unshare"), architecture.namespaces, strict=True):
        yield Instruction(JUMP_EQUAL, number, 0, 4, f"{name}: which namespaces?")
        yield Instruction(LOAD, ARGUMENTS_OFFSET, meaning="its first argument")
        yield Instruction(JUMP_BITS, CLONE_NEWUSER, 0, 1, "CLONE_NEWUSER")
        yield _refuse(EPERM)
        yield Instruction(RETURN, ALLOW, meaning="no namespace of users")
    for name, number in zip(("socket", "socketpair"), architecture.sockets, strict=True):
        families = list(SOCKET_FAMILIES.items())
        yield Instruction(JUMP_EQUAL, number, 0, len(families) + 3, f"{name}: of which family?")
        yield Instruction(LOAD, ARGUMENTS_OFFSET, meaning="its first argument")
        for left, (family, value) in zip(range(len(families), 0, -1), families, strict=True):
            yield Instruction(JUMP_EQUAL, value, left, 0, family)
        yield _refuse(EAFNOSUPPORT)
        yield Instruction(RETURN, ALLOW, meaning=f"{name} of a known family")


def _refuse(error: int) -> Instruction:
    names = {EPERM: "not permitted", ENOSYS: "no such call", EAFNOSUPPORT: "no such family"}
    return Instruction(RETURN, ERRNO | error, meaning=names[error])

"""Attacks on the kernel: system calls that the jail refuses, made with harmless arguments."""

from __future__ import annotations

import os

from claude_local.client.seccomp import AARCH64, TERMINAL_INJECTION, UNKNOWN, X86_64
from jail.attack import Attack, python

HERE = {"x86_64": X86_64, "aarch64": AARCH64}[os.uname().machine]
REFUSED = '("EPERM", "ENOSYS", "EAFNOSUPPORT")'
AS_ROOT = "unshare --user --map-root-user --mount --pid --fork bash"
NOTE = "only root of a namespace gets further than EPERM; the control is root of a new one"


def number(name: str) -> int:
    return {**HERE.forbidden, **UNKNOWN}[name]


def refused(name: str, arguments: str = "") -> str:
    """Prints ESCAPED if the kernel examined the arguments of the call."""
    return python(f"escaped(call({number(name)}{arguments and ', ' + arguments}) not in {REFUSED})")


def as_root(script: str) -> str:
    """The same script run by root of a new user namespace."""
    return f"{AS_ROOT} <<'ROOT'\n{script}ROOT\n"


# System calls and arguments. The addresses and descriptors in them are invalid.
ANYBODY = {
    "add_key": 'b"user", b"claude-local", b"x", 1, -2',
    "request_key": 'b"user", b"claude-local-none", 0, 0',
    "keyctl": "0, -2, 0",
    "io_uring_setup": "1, 0",
    "io_uring_enter": "-1, 0, 0, 0, 0, 0",
    "io_uring_register": "-1, 0, 0, 0",
    "clone3": "0, 0",
    "name_to_handle_at": "-100, 0, 0, 0, 0",
    "mbind": "0, 0, 99, 0, 0, 0",
    "set_mempolicy": "99, 0, 0",
    "move_pages": "0, 1, 0, 0, 0, 99",
    "kcmp": "os.getpid(), os.getpid(), 99, 0, 0",
    "fanotify_mark": "-1, 0, 0, 0, 0",
    "perf_event_open": "0, 0, -1, -1, 0",
    "settimeofday": "1, 0",
    "set_mempolicy_home_node": "0, 0, 0, 1",
    "mount_setattr": "-1, 0, 99, 0, 0",
}
ROOTS = {
    "mount": "0, 0, 0, 0, 0",
    "umount2": "0, 99",
    "pivot_root": "0, 0",
    "chroot": "0",
    "open_tree": '-100, b"/", 1, 0',
    "move_mount": "-1, 0, -1, 0, 0",
    "fsopen": '0, 0',
    "fsconfig": "-1, 99, 0, 0, 0",
    "fsmount": "-1, 0, 0",
    "fspick": "-1, 0, 99",
}  # fmt: skip
# Refused also to root of a namespace, or switched off on some machines.
REFUSED_OUTSIDE_TOO = (
    "bpf",
    "userfaultfd",
    "kexec_load",
    "init_module",
    "finit_module",
    "delete_module",
    "swapon",
    "acct",
    "quotactl",
    "syslog",
    "open_by_handle_at",
    "reboot",
)
FILTERED = "grep -q Seccomp:.0 /proc/self/status && echo ESCAPED"

NEW_USERS = "unshare --user --map-root-user true && echo ESCAPED"
CASES = [
    *(Attack(f"calls {name}", refused(name, text)) for name, text in ANYBODY.items()),
    *(
        Attack(f"calls {name}", refused(name, text), control=as_root(refused(name, text)), note=NOTE)
        for name, text in ROOTS.items()
    ),
    *(
        Attack(
            f"calls {name}",
            f"{refused(name)}{FILTERED}",
            control=FILTERED,
            note="refused outside too, for lack of a capability; the control shows that there is no filter",
        )
        for name in REFUSED_OUTSIDE_TOO
        if name in HERE.forbidden
    ),
    Attack("makes a namespace of users", NEW_USERS),
    Attack(
        "makes a namespace of users by clone",
        python(
            "escaped(call({'x86_64': 56}.get(os.uname().machine, 220), 0x10000000 | 17, 0, 0, 0, 0) == '')"
        ),
    ),
    Attack(
        "makes a namespace of users with other bits set",
        python(
            "escaped(call({'x86_64': 272}.get(os.uname().machine, 97), 0x10000000 | 1 << 40) not in ('EPERM', 'EINVAL'))"
        ),
        control=NEW_USERS,
        note="newer kernels refuse unknown bits",
    ),
    Attack(
        "makes a namespace of mounts",
        "unshare --mount true && echo ESCAPED",
        control="unshare --user --map-root-user --mount true && echo ESCAPED",
        note=NOTE,
    ),
    Attack(
        "makes a namespace of networks",
        "unshare --net true && echo ESCAPED",
        control="unshare --user --map-root-user --net true && echo ESCAPED",
        note=NOTE,
    ),
    Attack("starts bubblewrap in the jail", "bwrap --ro-bind / / true && echo ESCAPED"),
    Attack(
        "has a capability",
        python(
            "escaped(call({'x86_64': 157}.get(os.uname().machine, 167), 23, 0) == '' and libc.prctl(23, 0) == 1)"
        ),
        control="grep -q CapBnd:.0000000000000000 /proc/self/status || echo ESCAPED",
        note="outside, the bounding set is not empty",
    ),
    Attack(
        "takes the filter away",
        python(
            "escaped(libc.prctl(22, 0) == 0 or b'Seccomp:\\t0' in open('/proc/self/status', 'rb').read())"
        ),
    ),
    Attack(
        "may gain privileges again",
        python("libc.prctl(38, 0, 0, 0, 0); escaped(libc.prctl(39, 0, 0, 0, 0) == 0)"),
    ),
    Attack(
        "types into the terminal",
        python(f"""
import fcntl, pty
_, terminal = pty.openpty()
os.setsid()
fcntl.ioctl(terminal, 0x540E, 0)
try:
    fcntl.ioctl(terminal, {TERMINAL_INJECTION["TIOCSTI"]}, b"x")
    escaped()
except PermissionError:
    pass"""),
        control=python("""
import fcntl, pty
_, terminal = pty.openpty()
os.setsid()
fcntl.ioctl(terminal, 0x540E, 0)
try:
    fcntl.ioctl(terminal, 0x5412, b"x")
except OSError as error:
    escaped(error.errno != errno.EPERM)
escaped(open("/proc/self/status").read().count("Seccomp:\\t0"))"""),
        note="some kernels refuse TIOCSTI to all users; then the control shows that there is no filter",
    ),
    Attack(
        "types into the terminal with the high half set",
        python("""
libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p]
ctypes.set_errno(0)
libc.ioctl(-1, 0x100005412, b"x")
escaped(ctypes.get_errno() != errno.EPERM)"""),
    ),
    Attack(
        "pastes on the console",
        python("""
ctypes.set_errno(0)
libc.ioctl(-1, ctypes.c_ulong(0x541C), b"x")
escaped(ctypes.get_errno() != errno.EPERM)"""),
    ),
    *(
        Attack(
            f"opens a socket of family {name}",
            python(f"""
try:
    socket.socket({family}, {kind})
    escaped()
except OSError as error:
    escaped(error.errno not in (errno.EAFNOSUPPORT, errno.EPERM{more}))"""),
            control=control,
            note=note,
        )
        for name, family, kind, more, control, note in (
            ("vsock", 40, 1, "", "", ""),
            (
                "packet",
                17,
                3,
                "",
                as_root(python("socket.socket(17, 3); escaped()")).replace("--mount", "--net"),
                NOTE,
            ),
            (
                "crypto",
                38,
                5,
                "",
                FILTERED,
                "not every kernel has it; the control shows that there is no filter",
            ),
            (
                "key",
                15,
                3,
                "",
                FILTERED,
                "not every kernel has it; the control shows that there is no filter",
            ),
            (
                "bluetooth",
                31,
                3,
                "",
                FILTERED,
                "not every kernel has it; the control shows that there is no filter",
            ),
            (
                "xdp",
                44,
                3,
                "",
                FILTERED,
                "not every kernel has it; the control shows that there is no filter",
            ),
            (
                "raw IP",
                2,
                "3, 1",
                "",
                as_root(python("socket.socket(2, 3, 1); escaped()")).replace("--mount", "--net"),
                NOTE,
            ),
        )
    ),
    Attack(
        "opens a pair of sockets of another family",
        python("""
pair = (ctypes.c_int * 2)()
ctypes.set_errno(0)
libc.socketpair(40, 1, 0, pair)
escaped(ctypes.get_errno() != errno.EAFNOSUPPORT)"""),
    ),
    Attack(
        "takes a descriptor from process 1 that leads out",
        python("""
for number in range(3, 64):
    descriptor = libc.syscall(438, os.pidfd_open(1), number, 0)
    if descriptor >= 0:
        try:
            escaped(os.path.exists(f"/proc/self/fd/{descriptor}/../../.ssh") or os.path.exists(f"/proc/self/fd/{descriptor}@HOME@/.ssh"))
        except OSError:
            pass"""),
        control=python("""
here = os.open("@WORK@", os.O_RDONLY)
there = libc.syscall(438, os.pidfd_open(os.getpid()), here, 0)
escaped(os.path.exists(f"/proc/self/fd/{there}/../../.ssh"))"""),
        note="process 1 belongs to root outside; the control takes one of its own",
    ),
    Attack(
        "reads the kernel's log",
        "dmesg && echo ESCAPED; cat /dev/kmsg /proc/kmsg 2>/dev/null && echo ESCAPED",
        control=FILTERED,
        note="on many machines ordinary users may not read it",
    ),
    Attack(
        "reads where the kernel's parts are",
        "grep -qv '^0*  *[a-zA-Z]' /proc/kallsyms && grep -vq '^0000000000000000' /proc/kallsyms && echo ESCAPED; [[ -r /proc/kcore ]] && echo ESCAPED",
        control="[[ -e /proc/kallsyms || -e /proc/kcore ]] && echo ESCAPED",
        note="kernels show zeros to ordinary users",
    ),
    Attack(
        "writes to the kernel's settings",
        "find /proc/sys /proc/sysrq-trigger /proc/irq /proc/bus -type f -writable 2>/dev/null | grep -v -e '^/proc/sys/user/' -e '^/proc/sys/net/' -e '^/proc/sys/fs/mqueue/' -e '^/proc/sys/kernel/\\(pid_max\\|ns_last_pid\\|msg\\|sem\\|shm\\|auto_msgmni\\)' | grep . && echo ESCAPED",
        control=as_root(
            "mount -t proc proc /proc; find /proc/sys/kernel -type f -writable | grep -q . && echo ESCAPED\n"
        )
        + FILTERED,
        note="some belong to the jail's own namespaces; root of a namespace owns more",
    ),
]

if HERE is X86_64:
    CASES += [
        Attack(
            "calls by the numbers of 32 bits",
            python("""
import mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(b"\\x53\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\x5b\\xc3")  # push rbx; mov eax, 20 (getpid); int 0x80; pop rbx; ret
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
escaped(function() == os.getpid())"""),
            control=FILTERED,
            note="not every kernel has them; the control shows that there is no filter",
        ),
        Attack(
            "calls by the numbers of x32",
            python("escaped(call(0x40000000 | 39) != 'ENOSYS')"),
            control=FILTERED,
            note="not every kernel has them; the control shows that there is no filter",
        ),
    ]

"""Attacks that use up shared resources: processes, memory, files, and the space of each scratch folder."""

from __future__ import annotations

from jail.attack import Attack, python

GIB = 1 << 30


def fills(path: str, gib: int) -> str:
    """Allocates more space than the folder has; the kernel refuses immediately."""
    return python(f"""
file = os.open("{path}/big", os.O_CREAT | os.O_WRONLY)
try:
    os.posix_fallocate(file, 0, {gib} * {GIB})
    escaped()
except OSError:
    pass
os.unlink("{path}/big")""")


ROOM = python(f"""
for path in ("/dev/shm", "/tmp", "@HOME@"):
    room = os.statvfs(path)
    escaped(room.f_blocks * room.f_frsize > 2 * {GIB})""")
ROOM_NOTE = "the control only reads the size, to spare the disk"
OWN = "users' limits differ; the control shows that the limit is higher"

CASES = [
    Attack(
        "forks without end",
        python("""
import signal
children = []
try:
    for _ in range(1500):
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
    escaped()
except OSError:
    pass
for child in children:
    os.kill(child, 9)"""),
    ),
    Attack(
        "takes memory without end",
        python(
            "escaped(libc.mmap(None, ctypes.c_size_t(64 << 30), 3, 0x22 | 0x4000, -1, ctypes.c_long(0)) not in (-1, 0xFFFFFFFF))"
        ),
    ),
    Attack(
        "writes a file without end",
        python("""
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open("big", "wb") as file:
    try:
        os.pwrite(file.fileno(), b"x", 1 << 40)
        escaped()
    except OSError:
        pass
os.unlink("big")"""),
    ),
    Attack(
        "opens files without end",
        python("""
try:
    for _ in range(5000):
        os.open("/dev/null", os.O_RDONLY)
    escaped()
except OSError:
    pass"""),
        control="ulimit -n $(ulimit -Hn); [[ $(ulimit -n) == unlimited || $(ulimit -n) -gt 5000 ]] && echo ESCAPED",
        note=OWN,
    ),
    Attack("fills /dev/shm", fills("/dev/shm", 1), control=ROOM, note=ROOM_NOTE),
    Attack("fills /tmp", fills("/tmp", 4), control=ROOM, note=ROOM_NOTE),
    Attack("fills /var/tmp", fills("/var/tmp", 4), control=ROOM, note=ROOM_NOTE),
    Attack("fills its home", fills("$HOME".replace("$HOME", "@HOME@"), 4), control=ROOM, note=ROOM_NOTE),
    Attack("fills the place of its settings", fills("@HOME@/.claude-local", 4), control=ROOM, note=ROOM_NOTE),
    Attack(
        "fills the rest of the tree",
        'for d in / /run /run/claude-local /etc /var /dev /dev/pts @BASE@/build/bin; do touch $d/x 2>/dev/null && echo "$d ESCAPED"; done',
        control="touch @BASE@/build/bin/x && echo ESCAPED; rm -f @BASE@/build/bin/x",
    ),
    Attack(
        "takes every file number of a scratch place",
        python("""
for path in ("/tmp", "/var/tmp", "/dev/shm", "@HOME@"):
    total = os.statvfs(path).f_files
    escaped(total == 0 or total > 50_000_000)"""),
        control="[[ $(stat --file-system --format %c /) -gt 10000 ]] && echo ESCAPED",
        note="the control only counts, to spare the disk",
    ),
    Attack(
        "locks memory without end",
        python("""
libc.mmap.restype = ctypes.c_void_p
address = libc.mmap(None, ctypes.c_size_t(4 << 30), 0, 0x22, -1, ctypes.c_long(0))
escaped(libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(4 << 30)) == 0)"""),
        control="[[ $(ulimit -l) != 0 ]] && echo ESCAPED",
        note=OWN,
    ),
    Attack(
        "raises its priority",
        "nice -n -10 true 2>&1 | grep -q . || echo ESCAPED; chrt --fifo 1 true && echo ESCAPED",
        control="renice -n 19 -p $$ && echo ESCAPED",
        note="raising it needs a privilege; the control lowers its own",
    ),
    Attack(
        "outlives others when memory is short", "[[ $(cat /proc/self/oom_score_adj) == 500 ]] || echo ESCAPED"
    ),
]

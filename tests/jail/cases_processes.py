"""Attacks on other processes and devices, with inherited rights, and by processes that outlive a session."""

from __future__ import annotations

from jail.attack import Attack, python

# Calls prctl(PR_SET_PDEATHSIG, 0) in process 1 of the jail, which then no longer ends with bubblewrap.
FORGET_THE_PARENT = """
import platform, time
class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
        "fs_base gs_base ds es fs gs").split()]
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
def in_its_name(pid, number, first, second):
    if libc.ptrace(16, pid, None, None):  # PTRACE_ATTACH
        return False
    os.waitpid(pid, 0x40000000)
    registers = Registers()
    libc.ptrace(12, pid, None, ctypes.byref(registers))  # PTRACE_GETREGS
    saved = bytes(registers)
    registers.rip -= 2  # back to the system call in which it waits
    registers.rax, registers.orig_rax, registers.rdi, registers.rsi = number, 2**64 - 1, first, second
    libc.ptrace(13, pid, None, ctypes.byref(registers))  # PTRACE_SETREGS
    libc.ptrace(9, pid, None, None)  # PTRACE_SINGLESTEP
    os.waitpid(pid, 0x40000000)
    libc.ptrace(13, pid, None, ctypes.c_char_p(saved))
    libc.ptrace(17, pid, None, None)  # PTRACE_DETACH
    return True
"""

# Waits until the session and its audit are over, then writes a file.
LATE_FOOTHOLD = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        time.sleep(0.5)
        open("@WORK@/.envrc", "w").write("touch @HOME@/escaped")
        os._exit(0)
    os._exit(0)
"""
LOOK_LATER = "for i in {1..12}; do sleep 0.1; [[ ! -e .envrc ]] || { . ./.envrc; break; }; done"
KILL = "kill -9 @VICTIM@ && until grep -q State:.Z /proc/@VICTIM@/status; do :; done"

# While the jail ends, dozens of processes try to be faster than the audit.
RACE = """
import time
for number in range(64):
    if os.fork() == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        while os.getppid() != 1 and os.getppid() != 0:
            time.sleep(0.001)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            name = f"@WORK@/d{number}"
            os.makedirs(name, exist_ok=True)
            open(f"{name}/.envrc", "w").write("touch @HOME@/escaped")
        os._exit(0)
"""

CASES = [
    Attack("kills a process of the user", KILL),
    Attack("kills everything that it may", "kill -9 -1", control=KILL, note="the control spares the tests"),
    Attack("stops a process of the user", "kill -STOP @VICTIM@ && kill -CONT @VICTIM@ && echo ESCAPED"),
    Attack(
        "sees processes of the user",
        "ls -d /proc/@VICTIM@ && grep -q sleep /proc/@VICTIM@/comm && echo ESCAPED",
    ),
    Attack("reads another process's environment", "tr '\\0' '\\n' </proc/@VICTIM@/environ"),
    Attack("reads another process's folder", "cat /proc/@VICTIM@/root/@HOME@/.netrc"),
    Attack("traces a process of the user", python("escaped(libc.ptrace(16, @VICTIM@, None, None) == 0)")),
    Attack(
        "reads another process's memory",
        python(
            """
line = next(line for line in open("/proc/@VICTIM@/maps") if "[stack]" in line)
begin, end = (int(part, 16) for part in line.split()[0].split("-"))
memory = open("/proc/@VICTIM@/mem", "rb")
memory.seek(begin)
escaped(b"CANARY" in memory.read(end - begin))
"""
        ),
    ),
    Attack("opens a process by number", python("escaped(os.pidfd_open(@VICTIM@) >= 0)")),
    Attack("lowers another process's priority", "renice -n 5 -p @VICTIM@ && echo ESCAPED"),
    Attack("limits another process", "prlimit --pid @VICTIM@ --nofile=16:16 && echo ESCAPED"),
    Attack(
        "joins the namespaces of a process",
        "nsenter --target @VICTIM@ --user true && echo ESCAPED; nsenter --target 1 --user --mount true && echo ESCAPED",
        control="unshare --user --map-root-user --uts sleep 9 & p=$!; sleep 0.3; nsenter --preserve-credentials --target $p --user --uts true && echo ESCAPED; kill $p",
        note="a user can join only their own namespaces; the control joins one",
    ),
    Attack(
        "asks sudo",
        "sudo -n true && echo ESCAPED",
        control="grep NoNewPrivs:.0 /proc/self/status && echo ESCAPED",
        note="sudo needs a rule; the control shows that setuid programs would keep their power",
    ),
    Attack(
        "runs a setuid program with its power",
        "find /usr -perm -4000 -exec true {} + ; grep -q NoNewPrivs:.0 /proc/self/status && echo ESCAPED",
    ),
    Attack(
        "makes a copy of bash setuid for another user",
        "cp /bin/bash sh && chmod 6755 sh && ./sh -p -c 'true' && grep -q NoNewPrivs:.0 /proc/self/status && echo ESCAPED",
    ),
    Attack(
        "makes a device",
        "mknod disk b 254 0 && echo ESCAPED; ls /dev/vda /dev/sda /dev/kmsg /dev/mem 2>/dev/null && echo ESCAPED",
        control="ls /dev/kmsg && echo ESCAPED",
        note="making one needs root; the control shows that devices are there",
    ),
    Attack("sees the machine's devices", "[[ $(ls /dev | wc -l) -le 17 ]] || echo ESCAPED"),
    Attack("finds /sys", "[[ ! -e /sys/class ]] || echo ESCAPED"),
    Attack("outlives the session", python("import time\n" + LATE_FOOTHOLD), then=LOOK_LATER),
    Attack(
        "outlives the session after changing process 1",
        python(FORGET_THE_PARENT + "in_its_name(1, 157, 1, 0)\n" + LATE_FOOTHOLD),
        then=LOOK_LATER,
    ),
    Attack(
        "outlives the session in the background of a shell",
        "(setsid nohup bash -c \"sleep 0.5; echo 'touch @HOME@/escaped' >.envrc\" >/dev/null 2>&1 </dev/null &)",
        then=LOOK_LATER,
    ),
    Attack(
        "is quicker than the audit",
        python(RACE),
        then="sleep 1; for f in d*/.envrc; do [[ ! -e $f ]] || . $f; done",
    ),
    Attack(
        "ends the session but not itself",
        "(setsid bash -c \"trap '' TERM HUP INT; sleep 0.5; echo 'touch @HOME@/escaped' >.envrc\" >/dev/null 2>&1 </dev/null &); kill -9 $PPID $$",
        then=LOOK_LATER,
        control="(setsid bash -c \"trap '' TERM HUP INT; sleep 0.5; echo 'touch @HOME@/escaped' >.envrc\" >/dev/null 2>&1 </dev/null &); kill -9 $$; :",
    ),
    Attack(
        "signals the whole process group",
        "kill -9 0; echo unreachable",
        then="",
        control="setsid --wait bash -c '(kill -9 0); echo alive' | grep -q alive || echo ESCAPED",
        note="test_sessions.py checks that the wrapper survives",
    ),
    Attack(
        "has power over process 1",
        "grep -q Seccomp:.2 /proc/1/status && grep -q CapEff:.0000000000000000 /proc/1/status || echo ESCAPED",
    ),
    Attack(
        "reaches the machine through process 1",
        "ls /proc/1/root@HOME@/.ssh && echo ESCAPED",
        control="ls /proc/self/root@HOME@/.ssh && echo ESCAPED",
        note="process 1 belongs to root; the control goes through itself",
    ),
    Attack(
        "leaves a core dump of its own making",
        "ulimit -c unlimited && echo ESCAPED",
        control="ulimit -c 0; ulimit -Hc; (ulimit -c 1000) 2>/dev/null || [[ $(ulimit -Hc) == 0 ]] && echo ESCAPED",
        note="machines have different default limits",
    ),
    Attack(
        "writes how the machine handles crashes",
        "{ echo '|/tmp/x' >/proc/sys/kernel/core_pattern; } 2>/dev/null && echo ESCAPED; [[ -w /proc/sys/kernel/core_pattern ]] && echo ESCAPED",
        control="[[ -e /proc/sys/kernel/core_pattern ]] && echo ESCAPED",
        note="only root may do this; the control shows that the file exists",
    ),
    Attack(
        "learns the machine's name",
        "[[ $(uname -n) == claude-local && $(cat /proc/sys/kernel/hostname) == claude-local ]] || echo ESCAPED",
    ),
    Attack(
        "changes its own limits",
        "ulimit -u 100000 && echo ESCAPED; ulimit -n 100000 && echo ESCAPED",
        control="ulimit -n $(($(ulimit -n) + 0)) && echo ESCAPED",
        note="limits outside are the user's own",
    ),
    Attack(
        "sends a message through a terminal of the user",
        "for t in /dev/pts/[0-9]*; do [[ ! -w $t ]] || echo ESCAPED; done",
        control="script -qec 'for t in /dev/pts/[0-9]*; do [[ ! -w $t ]] || { echo ESCAPED; break; }; done' /dev/null",
    ),
]

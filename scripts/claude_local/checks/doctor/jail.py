"""What confining a session needs: bubblewrap that works here, and the programs of its narrow door."""

from __future__ import annotations

from claude_local.checks.doctor.host import Finding, Host, dotted, version_of
from claude_local.client.requirements import (
    APPARMOR_REMEDY,
    BIND_FD_REMEDY,
    BUBBLEWRAP,
    HAPROXY,
    SOCAT,
    Requirement,
)
from claude_local.foundation.plain_text import first_line

# The same namespaces and mounts as around a session, and nothing of the user's.
PROBE = (
    "bwrap",
    *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"),
    *("--cap-drop", "ALL", "--clearenv"),
    *("--ro-bind", "/usr", "/usr"),
    *("--ro-bind-try", "/bin", "/bin", "--ro-bind-try", "/lib", "/lib", "--ro-bind-try", "/lib64", "/lib64"),
    *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108  inside the sandbox
    *("--bind-fd", "0", "/run/probe"),  # of /dev/null
    *("--remount-ro", "/", "--chdir", "/", "/usr/bin/true"),
)

PROBE_REMEDY = (
    "if this machine is a Docker container, start it with --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined; "
    "otherwise use: claude-local --sandbox container"
)

# A setting of the kernel, the value that forbids user namespaces, and the line that helps.
FORBIDDEN_BY = (
    (
        "proc/sys/user/max_user_namespaces",
        "0",
        "user namespaces are off (user.max_user_namespaces is 0)",
        "echo user.max_user_namespaces=15000 | sudo tee /etc/sysctl.d/60-claude-local.conf && sudo sysctl --system",
    ),
    (
        "proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "user namespaces are for root only (kernel.unprivileged_userns_clone is 0)",
        "echo kernel.unprivileged_userns_clone=1 | sudo tee /etc/sysctl.d/60-claude-local.conf"
        " && sudo sysctl --system",
    ),
    (
        "proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor forbids user namespaces, as Ubuntu does since 24.04",
        APPARMOR_REMEDY,
    ),
)


def bwrap(host: Host) -> Finding:
    """Whether bubblewrap makes the namespaces that a confined session needs, tried for real."""
    if _find(host, BUBBLEWRAP) is None:
        text = f"not installed: {BUBBLEWRAP.without}"
        return Finding("warning", text, host.remedy(BUBBLEWRAP.package))
    version = dotted(version_of(host.ask("bwrap", "--version").output)) or "unknown version"
    answer = host.ask(*PROBE)
    if answer.code == 0:
        return Finding("ok", version)
    if "nknown option" in answer.errors:
        text = f"{version} is too old: {first_line(answer.errors)}"
        return Finding("warning", text, BIND_FD_REMEDY)
    return _why_not(host, answer.problem or first_line(answer.errors) or f"exit code {answer.code}")


def _why_not(host: Host, said: str) -> Finding:
    for path, value, text, remedy in FORBIDDEN_BY:
        if host.text(path) == value:
            return Finding("warning", f"sessions cannot be confined: {text}", remedy)
    text = f"sessions cannot be confined: {said}"
    return Finding("warning", text, PROBE_REMEDY)


def socat(host: Host) -> Finding:
    """Whether socat is there, which connects the editor and carries switches from inside."""
    program = _find(host, SOCAT)
    if program is None:
        return Finding("info", f"not installed: {SOCAT.without}", host.remedy(SOCAT.package))
    return Finding("ok", program)


def haproxy(host: Host) -> Finding:
    """Whether HAProxy is there, the only way from a confined session to the model."""
    program = _find(host, HAPROXY)
    if program is None:
        return Finding("warning", f"not installed: {HAPROXY.without}", host.remedy(HAPROXY.package))
    return Finding("ok", dotted(version_of(host.ask(program, "-v").output)))


def _find(host: Host, need: Requirement) -> str | None:
    return need.find(host.environment.get("PATH", ""), host.root)

"""What confining a session needs: bubblewrap that works here, and the programs of its narrow door."""

from __future__ import annotations

from claude_local.checks.doctor.host import Finding, Host, dotted, version_of
from claude_local.foundation.plain_text import first_line

OLDEST_BWRAP = (0, 8)
"""The first with `--disable-userns`."""

# The same namespaces and mounts as around a session, and nothing of the user's.
PROBE = (
    "bwrap",
    *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"),
    *("--cap-drop", "ALL", "--clearenv"),
    *("--ro-bind", "/usr", "/usr"),
    *("--ro-bind-try", "/bin", "/bin", "--ro-bind-try", "/lib", "/lib", "--ro-bind-try", "/lib64", "/lib64"),
    *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108  inside the sandbox
    *("--remount-ro", "/", "--chdir", "/", "/usr/bin/true"),
)

APPARMOR_REMEDY = (
    "sudo apt install apparmor-profiles && sudo ln -s "
    "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && "
    "sudo apparmor_parser --replace /etc/apparmor.d/bwrap-userns-restrict"
)
# A setting of the kernel, the value that forbids user namespaces, and the line that helps.
FORBIDDEN_BY = (
    (
        "proc/sys/user/max_user_namespaces",
        "0",
        "user namespaces are off (user.max_user_namespaces is 0)",
        "sudo sysctl --write user.max_user_namespaces=15000, and the same line in /etc/sysctl.d/",
    ),
    (
        "proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "user namespaces are for root only (kernel.unprivileged_userns_clone is 0)",
        "sudo sysctl --write kernel.unprivileged_userns_clone=1, and the same line in /etc/sysctl.d/",
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
    if host.program("bwrap") is None:
        return Finding("warning", "not installed: sessions cannot be confined", host.remedy("bubblewrap"))
    version = version_of(host.ask("bwrap", "--version").output)
    if version < OLDEST_BWRAP:
        text = f"{dotted(version) or 'unknown version'} is too old; {dotted(OLDEST_BWRAP)} or newer is needed"
        return Finding("warning", text, "update bubblewrap")
    answer = host.ask(*PROBE)
    if answer.code == 0:
        return Finding("ok", dotted(version))
    return _why_not(host, answer.problem or first_line(answer.errors) or f"exit code {answer.code}")


def _why_not(host: Host, said: str) -> Finding:
    for path, value, text, remedy in FORBIDDEN_BY:
        if host.text(path) == value:
            return Finding("warning", f"sessions cannot be confined: {text}", remedy)
    text = f"sessions cannot be confined: {said}"
    return Finding("warning", text, "in a container: allow user namespaces and an unmasked /proc for it")


def socat(host: Host) -> Finding:
    """Whether socat is there, which carries a confined session's requests to the model."""
    if host.program("socat") is None:
        return Finding("warning", "not installed: a confined session reaches no model", host.remedy("socat"))
    return Finding("ok", host.program("socat") or "")


def haproxy(host: Host) -> Finding:
    """Whether HAProxy is there, which lets only the requests of Claude Code out of a confined session."""
    if host.program("haproxy") is None:
        text = "not installed: socat carries requests, and lets all paths of the server through"
        return Finding("info", text, host.remedy("haproxy"))
    return Finding("ok", dotted(version_of(host.ask("haproxy", "-v").output)))

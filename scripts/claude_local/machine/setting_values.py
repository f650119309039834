"""What a setting's text means: paths, ports, addresses. Each raises WrongSetting for a text that cannot be meant."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from claude_local.foundation.errors import WrongSetting

URL_EXAMPLE = "http://127.0.0.1:11434"
HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def path(variable: str, value: str) -> Path:
    """An absolute path."""
    if not value.startswith("/"):
        raise WrongSetting(variable, f"should be an absolute path, not `{value}`")
    if not value.isprintable():
        raise WrongSetting(variable, "should have no line breaks or control characters")
    return Path(value)


def optional_path(variable: str, value: str) -> Path | None:
    """An absolute path, or nothing."""
    return path(variable, value) if value else None


def paths(variable: str, value: str, home: Path) -> tuple[Path, ...]:
    """Absolute paths from `a:~/b`."""
    parts = [part for part in value.split(":") if part]
    return tuple(path(variable, f"{home}{part[1:]}" if part.startswith("~/") else part) for part in parts)


def choice(variable: str, value: str, choices: tuple[str, ...]) -> str:
    """One of some words."""
    if value not in choices:
        raise WrongSetting(variable, f"should be one of {', '.join(choices)}, not `{value}`")
    return value


def word(variable: str, value: str) -> str:
    """Printable ASCII without spaces."""
    if not _is_word(value):
        raise WrongSetting(variable, f"should be one printable word, not `{value}`")
    return value


def port(variable: str, value: str) -> int:
    """A TCP port."""
    if not _is_port(value):
        raise WrongSetting(variable, f"should be a port from 1 to 65535, not `{value}`")
    return int(value)


def port_or_off(variable: str, value: str) -> int | None:
    """A TCP port; None for `off`."""
    if value == "off":
        return None
    if not _is_port(value):
        raise WrongSetting(variable, f"should be a port from 1 to 65535, or `off`, not `{value}`")
    return int(value)


def megabytes(variable: str, value: str) -> str:
    """MiB, one number or several between commas, as they are; "" for none."""
    if value and not all(part.isascii() and part.isdigit() and len(part) <= 7 for part in value.split(",")):
        raise WrongSetting(variable, f"should be MiB such as `768` or `768,2048`, not `{value}`")
    return value


def url(variable: str, value: str) -> str:
    """The base URL of a server, without a trailing slash; "" for none."""
    value = value.rstrip("/")
    problem = _url_problem(value) if value else ""
    if problem:
        raise WrongSetting(variable, problem, hint=f"for instance: {URL_EXAMPLE}")
    return value


def _url_problem(value: str) -> str:
    """What is wrong with a base URL; "" if nothing is. A password in it is not repeated."""
    if "@" in value:
        return "should hold no user name and no password: a key belongs into a file, CLAUDE_LOCAL_EXTERNAL_KEY_FILE"
    if not (value.startswith(("http://", "https://")) and _is_word(value)):
        return f"should start with http:// or https://, not `{value}`"
    if "?" in value or "#" in value:
        return f"should end before `?` and `#`, not `{value}`"
    try:
        parts = urlsplit(value)
        is_place = parts.port != 0 and _is_host(parts)
    except ValueError:  # urlsplit for brackets, `port` for a port
        is_place = False
    return "" if is_place else f"should name a host, and a port from 1 to 65535 or none, not `{value}`"


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if "[" not in parts.netloc:
        return bool(HOST_NAME.fullmatch(host))
    try:
        return bool(IPv6Address(host))
    except ValueError:
        return False


def _is_port(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 5 and 1 <= int(value) <= 65535


def _is_word(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value

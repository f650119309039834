"""Readers of a setting's text: paths, ports, addresses. Each raises WrongSetting for an invalid value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from claude_local.foundation.errors import WrongSetting

URL_EXAMPLE = "http://127.0.0.1:11434"
HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Given:
    """The text of one setting, with the context needed to read it."""

    variable: str
    text: str
    home: Path
    """The folder for `~`."""

    def wrong(self, problem: str, *, hint: str = "") -> WrongSetting:
        """The error for this text."""
        return WrongSetting(self.variable, problem, hint=hint)


def path(given: Given) -> Path:
    """An absolute path."""
    return _absolute(given, given.text)


def optional_path(given: Given) -> Path | None:
    """An absolute path; None for an empty text."""
    return path(given) if given.text else None


def paths(given: Given) -> tuple[Path, ...]:
    """Absolute paths from `/a:~/b`."""
    parts = [part for part in given.text.split(":") if part]
    return tuple(
        _absolute(given, f"{given.home}{part[1:]}" if part.startswith("~/") else part) for part in parts
    )


def choice(*choices: str) -> Callable[[Given], str]:
    """A reader that accepts one of these words."""

    def read(given: Given) -> str:
        if given.text not in choices:
            raise given.wrong(f"should be one of {', '.join(choices)}, not `{given.text}`")
        return given.text

    return read


def yes_or_no(given: Given) -> bool:
    """True for `yes`, False for `no`."""
    return choice("yes", "no")(given) == "yes"


def word(given: Given) -> str:
    """Printable ASCII without spaces."""
    if not _is_word(given.text):
        raise given.wrong(f"should be one printable word, not `{given.text}`")
    return given.text


def port(given: Given) -> int:
    """A TCP port."""
    if not _is_port(given.text):
        raise given.wrong(f"should be a port from 1 to 65535, not `{given.text}`")
    return int(given.text)


def port_or_off(given: Given) -> int | None:
    """A TCP port; None for `off`."""
    if given.text == "off":
        return None
    if not _is_port(given.text):
        raise given.wrong(f"should be a port from 1 to 65535, or `off`, not `{given.text}`")
    return int(given.text)


def megabytes(given: Given) -> str:
    """MiB, one number or several separated by commas, unchanged; "" for an empty text."""
    parts = given.text.split(",") if given.text else []
    if not all(part.isascii() and part.isdigit() and len(part) <= 7 for part in parts):
        raise given.wrong(f"should be MiB such as `768` or `768,2048`, not `{given.text}`")
    return given.text


def url(given: Given) -> str:
    """The base URL of a server, without a trailing slash; "" for an empty text."""
    value = given.text.rstrip("/")
    problem = _url_problem(value) if value else ""
    if problem:
        raise given.wrong(problem, hint=f"for instance: {URL_EXAMPLE}")
    return value


def _absolute(given: Given, text: str) -> Path:
    if not text.startswith("/"):
        raise given.wrong(f"should be an absolute path, not `{text}`")
    if not text.isprintable():
        raise given.wrong("should not contain line breaks or control characters")
    return Path(text)


def _url_problem(value: str) -> str:
    """The defect of a base URL; "" if it is valid. A password in it is not repeated."""
    if "@" in value:
        return "should not contain a user name or password: put the key into a file, CLAUDE_LOCAL_EXTERNAL_KEY_FILE"
    if not (value.startswith(("http://", "https://")) and _is_word(value)):
        return f"should start with http:// or https://, not `{value}`"
    if "?" in value or "#" in value:
        return f"should end before `?` and `#`, not `{value}`"
    try:
        parts = urlsplit(value)
        is_place = parts.port != 0 and _is_host(parts)
    except ValueError:  # from urlsplit for brackets, from `.port` for the port
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

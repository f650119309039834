"""Which proxy the environment names for an address. Pure.

The variables and their meaning are curl's: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in small or capital
letters. A web server hands a request's `Proxy:` header on as HTTP_PROXY, but no web server starts our commands.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from claude_local.foundation.errors import WrongSetting

KINDS = ("http", "https", "socks5", "socks5h")
MEANT = {"socks": "socks5h"}
"""GNOME sets `all_proxy=socks://…` for a SOCKS 5 server."""
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proxy:
    """A proxy: the variable that names it, and its address, which may contain a password."""

    variable: str
    address: str

    @property
    def shown(self) -> str:
        """The address without user and password."""
        return without_password(self.address)


def proxy_for(url: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy for an address; None for a direct connection. Raises WrongSetting."""
    parts = urlsplit(url)
    proxy = _named(parts.scheme, environment) or _named("all", environment)
    return None if proxy is None or _is_direct(parts, environment) else proxy


def check(environment: Mapping[str, str]) -> None:
    """Raises WrongSetting if a variable names something that is not a usable proxy."""
    for scheme in ("http", "https", "all"):
        _named(scheme, environment)


def without_password(address: str) -> str:
    """An address without the user and password in it."""
    return re.sub(r"//[^/@]*@", "//", address)


def _named(scheme: str, environment: Mapping[str, str]) -> Proxy | None:
    variable, value = _value(f"{scheme}_proxy", environment)
    if not value:
        return None
    address = value if "://" in value else f"http://{value.removeprefix('//')}"
    kind, _, rest = address.partition("://")
    kind = MEANT.get(kind.lower(), kind.lower())
    if kind not in KINDS:
        raise WrongSetting(
            variable,
            f"names a proxy of the kind `{kind}`, which is not supported",
            hint=f"supported: {', '.join(KINDS)}; most SOCKS servers understand {variable}=socks5h://HOST:PORT",
        )
    if not _is_address(f"{kind}://{rest}"):
        raise WrongSetting(
            variable,
            f"is not the address of a proxy: {without_password(value)}",
            hint=f"write it like this: {variable}=http://HOST:PORT; or unset it",
        )
    return Proxy(variable, f"{kind}://{rest}")


def _value(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable that counts and its value: small letters win, also if they are empty."""
    for variable in (name, name.upper()):
        if variable in environment:
            return variable, environment[variable].strip()
    return name, ""


def _is_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"[\s\x00-\x1f]", address)
    except ValueError:
        return False


def _is_direct(parts: SplitResult, environment: Mapping[str, str]) -> bool:
    """Whether `no_proxy` lists the host: its name, a domain that it belongs to, its address or network."""
    host = (parts.hostname or "").lower().rstrip(".")
    port = parts.port or PORTS.get(parts.scheme)
    _, listed = _value("no_proxy", environment)
    return any(_covers(entry.lower(), host, port) for entry in re.split(r"[\s,]+", listed) if entry)


def _covers(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    entry = entry.partition("://")[2] or entry
    network = entry.strip("[]")
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    if match := re.fullmatch(r"(\[[^]]+\]|[^:]+):(\d+)", entry):
        entry, only_port = match[1].strip("[]"), int(match[2])
        if only_port != port:
            return False
    domain = entry.removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))

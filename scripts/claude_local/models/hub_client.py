"""The HTTP client for a model hub, from what the environment says about proxies, certificates and the hub.

Each wrong value is one line that names the variable. huggingface_hub and httpx2 raise something else for each, partly
while they are imported, and httpx2 knows neither `socks://` nor REQUESTS_CA_BUNDLE.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from claude_local.foundation.errors import HubFailed, WrongSetting
from claude_local.machine import proxies

if TYPE_CHECKING:
    import httpx2

SECONDS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+")


def check(environment: Mapping[str, str]) -> None:
    """Raises HubFailed for a variable that huggingface_hub cannot be imported with, or cannot use."""
    if "HF_ENDPOINT" in environment and not _is_address(environment["HF_ENDPOINT"]):
        raise HubFailed(
            f"HF_ENDPOINT is not the address of a model hub: `{environment['HF_ENDPOINT']}`",
            hint="write it like this: HF_ENDPOINT=https://HOST; or unset it",
        )
    for name in SECONDS:
        if (value := environment.get(name)) and not value.strip().isdecimal():
            raise HubFailed(f"{name} is not a number of seconds: `{value}`", hint=f"unset {name}")


def new_client(environment: Mapping[str, str], before_request: Any) -> httpx2.Client:
    """A client with the proxies and certificates of the environment. Raises HubFailed."""
    import httpx2

    return httpx2.Client(
        transport=_transport(environment),
        trust_env=False,
        follow_redirects=True,
        timeout=None,
        event_hooks={"request": [before_request]},
    )


def certificates_from(environment: Mapping[str, str]) -> str:
    """The variable that says which certificates are trusted, with its value; "" if none does."""
    return next((f"{name}={environment[name]}" for name in CERTIFICATES if environment.get(name)), "")


def _transport(environment: Mapping[str, str]) -> httpx2.BaseTransport:
    import httpx2

    try:
        proxies.check(environment)
    except WrongSetting as wrong:
        raise HubFailed(wrong.message, hint=wrong.hint) from None
    context = _trusted(environment)
    routes: dict[str | None, httpx2.HTTPTransport] = {}

    class Routed(httpx2.BaseTransport):
        """Sends each request through the proxy for its address."""

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            proxy = proxies.proxy_for(str(request.url), environment)
            address = proxy.address if proxy else None
            if address not in routes:
                routes[address] = httpx2.HTTPTransport(verify=context, trust_env=False, proxy=address)
            return routes[address].handle_request(request)

        def close(self) -> None:
            for route in routes.values():
                route.close()

    return Routed()


def _trusted(environment: Mapping[str, str]) -> ssl.SSLContext:
    """The trusted certificates: those of the SSL_CERT_ variables, else of requests or curl, else the system's."""
    import httpx2

    given = {name: environment[name] for name in CERTIFICATES if environment.get(name)}
    if not given:
        return httpx2.create_ssl_context(trust_env=False)
    own = [name for name in given if name.startswith("SSL_CERT_")]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in own or list(given)[:1]:
        _load(context, name, given[name])
    return context


def _load(context: ssl.SSLContext, name: str, value: str) -> None:
    folders = [Path(part) for part in value.split(":")] if name == "SSL_CERT_DIR" else [Path(value)]
    is_folder = name == "SSL_CERT_DIR" or (name != "SSL_CERT_FILE" and folders[0].is_dir())
    try:
        if is_folder:
            problem = "" if any(map(_is_hashed, folders)) else "no certificate with a hashed name"
            context.load_verify_locations(capath=value)
        else:
            problem = ""
            context.load_verify_locations(cafile=value)
    except ssl.SSLError:
        problem = "no certificate in it"
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        what = (
            f"make the names: openssl rehash {value}" if "hashed" in problem else "name a file in PEM format"
        )
        raise HubFailed(
            f"{name} does not lead to certificates: {value}: {problem}", hint=f"{what}; or unset {name}"
        )


def _is_hashed(folder: Path) -> bool:
    """Whether OpenSSL finds something in this folder. Raises OSError if it cannot be read and is the only one."""
    return any(HASHED_NAME.fullmatch(entry.name) for entry in folder.iterdir())


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not re.search(r"\s", text)
        )
    except ValueError:
        return False

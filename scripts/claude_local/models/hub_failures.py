"""What went wrong between us and a model hub, as one line and a next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from claude_local.foundation.errors import HubFailed, UserError
from claude_local.machine import proxies
from claude_local.models import hub_client
from claude_local.models.hub_token import Token

LOGIN_HINT = "log in with a token that may read it: hf auth login"
RETRY_HINT = "run it again, it resumes where it stopped; a mirror: HF_ENDPOINT=https://..."
UNTRUSTED = re.compile(r"certificate verify failed: (.+?)(?:\. \(_ssl|\s*\(_ssl|$)")


class MissingFile(HubFailed):
    """The repository exists but does not have the file."""


def no_answer(error: Any, endpoint: str, environment: Mapping[str, str]) -> UserError:
    """A connection that failed: names the proxy, the certificate, or the server."""
    url = _address_of(error) or endpoint
    server = origin(url)
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error).strip()) or type(error).__name__
    if untrusted := UNTRUSTED.search(reason):
        return _untrusted(server, untrusted[1], environment)
    if proxy := proxies.proxy_for(url, environment):
        return HubFailed(
            f"{endpoint} does not answer through the proxy {proxy.shown}, which {proxy.variable} names: {reason}",
            hint=f"check {proxy.variable}; to connect without it: NO_PROXY={server.partition('://')[2]}",
        )
    other = "" if endpoint.startswith(server) else f" (from {server})"
    return HubFailed(f"{endpoint} does not answer: {reason}{other}", hint=RETRY_HINT)


def refusal(
    endpoint: str, repo: str, path: str, revision: str | None, error: Any, errors: Any, token: Token | None
) -> UserError:
    """An answer that is an error: names the repository, the token that was sent, or the server that refused."""
    name = f"{repo}{f' at {revision}' if revision else ''}"
    status = error.response.status_code
    remedy = f"{token.name} was sent: {token.remedy}" if token else LOGIN_HINT
    if isinstance(error, errors.GatedRepoError):
        access = f"ask for access at {endpoint}/{repo}, then {LOGIN_HINT}"
        return HubFailed(
            f"{repo} is gated: its owner grants access individually",
            hint=f"{access}\n{remedy}" if token else access,
        )
    if token and status == 401:
        said = f": {error.server_message}" if error.server_message else ""
        return HubFailed(
            f"{endpoint} refuses {token.name}, and {name} cannot be read without one (HTTP 401{said})",
            hint=token.remedy,
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return HubFailed(
            f"{endpoint} has no repository {repo}, or it is private",
            hint=f"check the name; if the repository is private: {remedy}",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return HubFailed(f"{repo} has no revision {revision}", hint="leave `revision` out")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return MissingFile(f"{name} has no file {path}")
    server = origin(str(error.response.url))
    if status in (401, 403):
        return HubFailed(f"{server} refuses {name} (HTTP {status})", hint=remedy)
    if status == 407:
        return HubFailed(
            "the proxy wants a password (HTTP 407)",
            hint="name it in the address: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        )
    if status == 429:
        return HubFailed(
            f"{server} allows no more requests for now (HTTP 429)",
            hint="wait a few minutes, then run it again",
        )
    return HubFailed(f"{server} answers HTTP {status} for {name}", hint=RETRY_HINT)


def _untrusted(server: str, reason: str, environment: Mapping[str, str]) -> UserError:
    if "expired" in reason or "not yet valid" in reason:
        hint = "check this machine's clock: timedatectl"
    elif source := hub_client.certificates_from(environment):
        hint = f"only the certificates in {source} are trusted: add the issuer of the server's, or unset {source}"
    else:
        hint = (
            "if a company's proxy uses its own certificate: set SSL_CERT_FILE=/path/to/certificates.pem; "
            "if this system has no certificates: sudo apt install ca-certificates"
        )
    return HubFailed(f"the certificate of {server} is not trusted: {reason}", hint=hint)


def _address_of(error: Any) -> str:
    try:
        return str(error.request.url)
    except (AttributeError, RuntimeError):
        return ""


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    return "/".join(proxies.without_password(url).split("/", 3)[:3])

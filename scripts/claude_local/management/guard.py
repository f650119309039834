"""Access control of the management API: decides from the request's head alone, before the body is read.

A page in a browser on this machine can send requests to every local port. It cannot hide its Origin,
cannot choose the Host name freely, and cannot send JSON to another site without a preflight request; we
refuse preflight requests and send no CORS header.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

BODY_LIMIT_BYTES = 16_384
OWN_SITES = (None, "same-origin", "none")

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)
"""Headers of every answer."""


@dataclass(frozen=True)
class Head:
    """The head of a request."""

    method: str
    headers: Mapping[str, str]
    """Names in lower case. Repeated names were refused before."""

    def get(self, name: str) -> str | None:
        return self.headers.get(name)


@dataclass(frozen=True)
class Refusal:
    """The reason for refusing a request, with its HTTP status."""

    status: int
    code: str
    message: str
    hint: str = ""


def why_not(head: Head, *, port: int, token: str | None, is_known: bool = True) -> Refusal | None:
    """The first reason to refuse a request; None if it may pass.

    `token` is the secret that this request needs, if any. `is_known` says whether the route exists; if not,
    its body is not checked.
    """
    refusal = _host(head, port) or _origin(head, port) or _token(head, token)
    if refusal or not is_known:
        return refusal
    return _body(head) if head.method == "POST" else _no_body(head)


def hosts(port: int) -> tuple[str, ...]:
    """The Host names of this server for clients on this machine."""
    return (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}")


def _host(head: Head, port: int) -> Refusal | None:
    host = head.get("host")
    if host is None:
        return Refusal(400, "host_missing", "the request has no Host header")
    if host.lower() not in hosts(port):
        return Refusal(
            403,
            "host_not_allowed",
            "the Host header does not name this machine",
            f"use http://127.0.0.1:{port}",
        )
    return None


def _origin(head: Head, port: int) -> Refusal | None:
    origin, site = head.get("origin"), head.get("sec-fetch-site")
    own = [f"http://{host}" for host in hosts(port)]
    if (origin is not None and origin.lower() not in own) or site not in OWN_SITES:
        return Refusal(403, "origin_not_allowed", "requests from pages of other sites are refused")
    return None


def _token(head: Head, token: str | None) -> Refusal | None:
    if token is None:
        return None
    given = (head.get("authorization") or "").removeprefix("Bearer ")
    if hmac.compare_digest(given.encode(), token.encode()):
        return None
    return Refusal(
        401,
        "token_missing",
        "this call needs the management token",
        "send: Authorization: Bearer TOKEN (it is in the file named by CLAUDE_LOCAL_MANAGEMENT_TOKEN_FILE)",
    )


def _body(head: Head) -> Refusal | None:
    if head.get("transfer-encoding") is not None or head.get("content-length") is None:
        return Refusal(411, "length_required", "the request needs a Content-Length header")
    kind, _, parameter = (head.get("content-type") or "").partition(";")
    if kind.strip().lower() != "application/json" or parameter.strip().lower() not in ("", "charset=utf-8"):
        return Refusal(
            415,
            "not_json",
            "the body must be JSON, with that Content-Type",
            "send: Content-Type: application/json",
        )
    return _length(head)


def _length(head: Head) -> Refusal | None:
    length = head.get("content-length") or ""
    if not (length.isascii() and length.isdigit()):
        return Refusal(400, "bad_length", "Content-Length must be a number of bytes")
    if len(length) > 12 or int(length) > BODY_LIMIT_BYTES:
        return Refusal(413, "too_large", f"the body is longer than {BODY_LIMIT_BYTES} bytes")
    if int(length) == 0:
        return Refusal(400, "body_missing", "the request needs a JSON body", "send at least: {}")
    return None


def _no_body(head: Head) -> Refusal | None:
    if head.get("transfer-encoding") is not None or head.get("content-length") not in (None, "0"):
        return Refusal(400, "body_not_expected", f"{head.method} accepts no body")
    return None

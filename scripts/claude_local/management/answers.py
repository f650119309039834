"""Requests and answers of the management API: checked arguments, one form of errors with a status."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import bottle
from pydantic import BaseModel, ValidationError

from claude_local.foundation import errors, strict_json
from claude_local.foundation.plain_text import harmless
from claude_local.management.guard import HEADERS, Head, Refusal
from claude_local.management.routes import NoQuery, Route


class BadRequest(errors.UserError):
    """A query or a body that the route does not accept."""


STATUSES: tuple[tuple[type[errors.UserError], int, str], ...] = (
    (strict_json.BadJson, 400, "bad_json"),
    (BadRequest, 400, "bad_request"),
    (errors.Busy, 409, "busy"),
    (errors.NotIdle, 409, "not_idle"),
    (errors.UnknownProfile, 404, "unknown_model"),
    (errors.ProfileError, 503, "profiles_invalid"),
    (errors.EngineUnavailable, 503, "engine_unavailable"),
    (errors.EngineFailed, 502, "engine_failed"),
    (errors.StateNotWritten, 507, "state_not_written"),
    (errors.UserError, 409, "refused"),
)


def refused(refusal: Refusal, error: errors.UserError | None = None) -> bottle.HTTPResponse:
    """An error in the API's form. Closes the connection: the rest of its data is unknown."""
    body: dict[str, Any] = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
    if error and error.details:
        body["details"] = "\n".join(harmless(line) for line in error.details.splitlines())
    if isinstance(error, errors.Busy) and error.holder:
        body |= {"holder": error.holder, "since": error.since}
    answer = response({"error": body}, "application/json", status=refusal.status)
    answer.set_header("Connection", "close")
    if refusal.status == 401:
        answer.set_header("WWW-Authenticate", "Bearer")
    return answer


def response(result: Any, media_type: str, status: int | None = None) -> bottle.HTTPResponse:
    """A successful answer, with the common headers; a dict becomes JSON."""
    body = json.dumps(result).encode() if isinstance(result, dict) else result
    body = body.encode() if isinstance(body, str) else body
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    headers = {"Content-Type": media_type + charset}
    if isinstance(body, bytes):
        headers["Content-Length"] = str(len(body))
    status = status or bottle.response.status_code
    return bottle.HTTPResponse(body, status, headers | dict(HEADERS))


def http_error(error: bottle.HTTPError) -> Any:
    """An error of bottle in our form; a bug of ours is logged with its traceback."""
    status = int(error.status_code)
    if error.traceback:
        sys.stderr.write(error.traceback)
    codes = {404: "not_found", 405: "method_not_allowed", 500: "bug"}
    hint = "see GET /openapi.json" if status < 500 else "see the log of the management API"
    what = Refusal(status, codes.get(status, "bad_request"), str(error.status_line[4:]), hint)
    answer = refused(what)
    if "Allow" in error.headers:
        answer.set_header("Allow", error.headers["Allow"])
    error.headers.clear()
    for name, value in answer.headerlist:
        error.set_header(name, value)
    return answer.body


def head(environ: Mapping[str, Any]) -> Head:
    """Method and headers of a WSGI request, names in lower case."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    return Head(environ["REQUEST_METHOD"], headers)


def arguments(route: Route) -> list[BaseModel]:
    """The checked arguments of a request. Raises BadRequest for arguments that the route does not accept."""
    query = _query(bottle.request.query_string)
    arguments = [_checked(route.query, query)] if query or route.query is not NoQuery else []
    if route.body:
        body = strict_json.read_object(bottle.request["claude_local.body"])
        arguments.append(_checked(route.body, body))
    return arguments


def _query(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise BadRequest("the query of the address cannot be decoded") from None
    if len(dict(pairs)) != len(pairs):
        raise BadRequest("a query parameter is repeated")
    return dict(pairs)


def _checked(model: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:80]
        known = ", ".join(model.model_fields) or "nothing"
        raise BadRequest(
            f"`{place}`: {first['msg']}", hint=f"allowed: {known}; see GET /openapi.json"
        ) from None


def refusal(error: errors.UserError) -> Refusal:
    """Status, code and text of an expected error, without control characters."""
    status, code = next((status, code) for kind, status, code in STATUSES if isinstance(error, kind))
    return Refusal(status, code, harmless(error.message), harmless(error.hint))

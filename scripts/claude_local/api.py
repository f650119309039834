"""Answers what the management API is asked. `api_routes` says what can be asked, `api_guard` by whom."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import bottle
from pydantic import BaseModel, ValidationError

from claude_local import __version__, errors, lifecycle, plan, preflight, strict_json, web_files
from claude_local.api_guard import HEADERS, Head, Refusal, why_not
from claude_local.api_routes import ROUTES, Body, LogsQuery, NoQuery, Route, StartBody, SwitchBody, openapi
from claude_local.metrics_text import metrics_text
from claude_local.operations import Job, Operations
from claude_local.plain_text import harmless
from claude_local.settings import Settings
from claude_local.supervisor import Supervisor
from claude_local.verdicts import Hardware

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class BadRequest(errors.UserError):
    """A query or a body that is not in the route's row of the table."""


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


class Api:
    """The answers. Methods are named in `api_routes.ROUTES`."""

    def __init__(
        self, settings: Settings, operations: Operations, supervisor: Supervisor, token: str | None
    ) -> None:
        self.settings = settings
        self.operations = operations
        self.supervisor = supervisor
        self.token = token

    def app(self) -> WsgiApp:
        """The whole API as a WSGI application, behind its guard."""
        app = bottle.Bottle()
        for route in ROUTES:
            app.route(route.path, route.method, self._answerer(route))
        for path, file in web_files.files().items():
            app.route(path, "GET", lambda file=file: _response(file.content, file.media_type))
        app.default_error_handler = _http_error
        return self._guarded(app)

    def health(self) -> dict[str, Any]:
        return {"status": "ok"}

    def models(self) -> dict[str, Any]:
        now, hardware = self.supervisor.status(), plan.hardware_now()
        profiles = self.operations.profiles().values()
        return {"models": [self._model(profile, now, hardware) for profile in profiles]}

    def status(self) -> bytes:
        return self.supervisor.status_json()

    def metrics(self) -> str:
        counts = {"restarts_total": self.supervisor.restarts, "listeners": len(self.supervisor.events)}
        return metrics_text(self.supervisor.status(), counts)

    def logs(self, query: LogsQuery) -> dict[str, Any]:
        engine = lifecycle.log_engine(self.settings)
        lines = engine.log_lines(tail=query.tail, follow=False)
        return {"engine": engine.name, "lines": [harmless(line) for line in lines]}

    def events(self) -> Iterable[bytes]:
        listener = self.supervisor.listen()
        if listener is None:
            raise errors.EngineUnavailable("too many listeners", hint="close a dashboard")
        return iter(listener)

    def openapi(self) -> dict[str, Any]:
        return openapi(__version__, self.settings.management_port or 0)

    def switch(self, body: SwitchBody) -> dict[str, Any]:
        job = self.operations.switch(
            body.model,
            cut_replies=body.when == "now",
            idle_limit_seconds=body.idle_limit_seconds,
            force=body.force,
        )
        return self._told(job, body.wait, done="switched", unchanged="already active")

    def start(self, body: StartBody) -> dict[str, Any]:
        job = self.operations.start(body.model, force=body.force)
        return self._told(job, body.wait, done="started", unchanged="already active")

    def stop(self, _: Body) -> dict[str, Any]:
        names = self.operations.stop()
        self.supervisor.look_now()
        return {"outcome": "stopped" if names else "nothing was running", "engines": names}

    def _told(self, job: Job, wait: bool, *, done: str, unchanged: str) -> dict[str, Any]:
        """What became of a job, as the body of the answer; 202 while it goes on."""
        try:
            if not job.wait(until_done=wait):
                bottle.response.status = 202
                return {"outcome": "accepted", "follow": ["/status", "/events"]}
        finally:
            self.supervisor.look_now()
        status = self.supervisor.status().to_dict()
        return {"outcome": done if job.has_begun else unchanged, "status": status}

    def _model(self, profile: Any, now: Any, hardware: Hardware) -> dict[str, Any]:
        return {
            "name": profile.name,
            "aliases": list(profile.aliases),
            "title": profile.title,
            "description": profile.description,
            "file": profile.model.file,
            "size_bytes": preflight.model_size_bytes(self.settings, profile),
            "on_disk": (self.settings.models_dir / profile.model.file).is_file(),
            "context_tokens": profile.server.ctx_size,
            "tested_on": profile.tested_on,
            "verdict": plan.verdict(
                self.settings, profile, hardware=hardware, quick=True, is_loaded=True
            ).text,
            "active": profile.name == now.profile,
            "loaded": profile.name == now.loaded_profile,
        }

    def _guarded(self, app: WsgiApp) -> WsgiApp:
        known: dict[tuple[str, str], Route] = {(route.method, route.path): route for route in ROUTES}
        port = self.settings.management_port or 0

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            head = _head(environ)
            route = known.get((head.method, environ["PATH_INFO"]))
            token = self.token if route and route.private else None
            refusal = why_not(head, port=port, token=token, is_known=route is not None)
            if refusal:
                response = refused(refusal)
                start_response(response.status_line, response.headerlist)
                return [response.body] if head.method != "HEAD" else []
            return app(environ, start_response)

        return answer

    def _answerer(self, route: Route) -> Callable[[], Any]:
        method = getattr(self, route.name)

        def answer() -> Any:
            try:
                return _response(method(*_arguments(route)), route.media_type)
            except errors.UserError as error:
                return refused(_refusal(error), error)

        return answer


def refused(refusal: Refusal, error: errors.UserError | None = None) -> bottle.HTTPResponse:
    """An error in the API's one shape. The connection ends: what follows on it may be anything."""
    told: dict[str, Any] = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
    if error and error.details:
        told["details"] = "\n".join(harmless(line) for line in error.details.splitlines())
    if isinstance(error, errors.Busy) and error.holder:
        told |= {"holder": error.holder, "since": error.since}
    response = _response({"error": told}, "application/json", status=refusal.status)
    response.set_header("Connection", "close")
    if refusal.status == 401:
        response.set_header("WWW-Authenticate", "Bearer")
    return response


def _response(result: Any, media_type: str, status: int | None = None) -> bottle.HTTPResponse:
    body = json.dumps(result).encode() if isinstance(result, dict) else result
    body = body.encode() if isinstance(body, str) else body
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    headers = {"Content-Type": media_type + charset}
    if isinstance(body, bytes):
        headers["Content-Length"] = str(len(body))
    status = status or bottle.response.status_code
    return bottle.HTTPResponse(body, status, headers | dict(HEADERS))


def _http_error(error: bottle.HTTPError) -> Any:
    """What bottle itself refuses, in our shape; a bug of ours goes to the log with its traceback."""
    status = int(error.status_code)
    if error.traceback:
        sys.stderr.write(error.traceback)
    codes = {404: "not_found", 405: "method_not_allowed", 500: "bug"}
    hint = "see GET /openapi.json" if status < 500 else "see the log of the management API"
    refusal = Refusal(status, codes.get(status, "bad_request"), str(error.status_line[4:]), hint)
    response = refused(refusal)
    for name in ("Allow",):
        if name in error.headers:
            response.set_header(name, error.headers[name])
    error.headers.clear()
    for name, value in response.headerlist:
        error.set_header(name, value)
    return response.body


def _head(environ: Mapping[str, Any]) -> Head:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    return Head(environ["REQUEST_METHOD"], headers)


def _arguments(route: Route) -> list[BaseModel]:
    """What the request says, checked. Raises BadRequest for what is not in the route's row of the table."""
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
        raise BadRequest("the query of the address cannot be read") from None
    if len(dict(pairs)) != len(pairs):
        raise BadRequest("a query parameter came twice")
    return dict(pairs)


def _checked(model: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:80]
        known = ", ".join(model.model_fields) or "nothing"
        raise BadRequest(
            f"`{place}`: {first['msg']}", hint=f"known: {known}; see GET /openapi.json"
        ) from None


def _refusal(error: errors.UserError) -> Refusal:
    status, code = next((status, code) for kind, status, code in STATUSES if isinstance(error, kind))
    return Refusal(status, code, harmless(error.message), harmless(error.hint))

"""The table of routes as an OpenAPI 3.1 document. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter

from claude_local.management.routes import ROUTES, Route

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "additionalProperties": False,
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint")}
            | {"holder": {"type": "string"}, "since": {"type": "number"}, "details": {"type": "string"}},
        }
    },
}

# Refusals of the guard, for every route.
ALWAYS = {400: "malformed request", 401: "token missing", 403: "not from this machine", 408: "too slow"}
ALWAYS_POST = {411: "length missing", 413: "too large", 415: "not JSON"}


def openapi(version: str, port: int) -> dict[str, Any]:
    """The table as an OpenAPI 3.1 document."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "claude-local", "version": version},
        "servers": [{"url": f"http://127.0.0.1:{port}"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR_SCHEMA, **_parts()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    refusals = ALWAYS | (ALWAYS_POST if route.method == "POST" else {})
    statuses = sorted({*route.statuses, *refusals})
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": _parameters(route.query),
        "responses": {str(status): _answer(route, status) for status in statuses},
    }
    if route.private:
        operation["security"] = [{}, {"token": []}]
    if route.body:
        content = {"application/json": {"schema": route.body.model_json_schema()}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    properties = query.model_json_schema().get("properties", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _answer(route: Route, status: int) -> dict[str, Any]:
    if status >= 400:
        reference = {"$ref": "#/components/schemas/Error"}
        return {"description": "refused", "content": {"application/json": {"schema": reference}}}
    schema: Any = {"type": "object"} if route.media_type == "application/json" else {"type": "string"}
    if route.schema:
        schema = {key: value for key, value in _schema(route.schema).items() if key != "$defs"}
    return {"description": "done", "content": {route.media_type: {"schema": schema}}}


def _schema(of: TypeAdapter[Any]) -> dict[str, Any]:
    return of.json_schema(mode="serialization", ref_template="#/components/schemas/{model}")


def _parts() -> dict[str, Any]:
    """The types used in answers."""
    schemas = [_schema(route.schema) for route in ROUTES if route.schema]
    return {name: part for schema in schemas for name, part in schema.get("$defs", {}).items()}

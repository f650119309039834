"""All calls of the management API: one table, used for routing and for the description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from claude_local.foundation.snapshot import ModelList, Snapshot
from claude_local.lifecycle.request import Request
from claude_local.lifecycle.time_limits import IDLE_LIMIT_SECONDS
from claude_local.profiles.load import find_profile
from claude_local.profiles.profile import Profile


class Body(BaseModel):
    """A request's JSON body: strict types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


ModelName = Annotated[str, Field(min_length=1, max_length=64)]


class SwitchBody(Body):
    """The profile to activate."""

    model: ModelName
    wait: bool = True
    """`true` answers when the new model is ready; `false` answers 202 after the checks."""
    when: Literal["idle", "now"] = "idle"
    """`idle` waits for running replies; `now` cuts them off."""
    idle_limit_seconds: Annotated[float, Field(gt=0, le=3600)] = IDLE_LIMIT_SECONDS
    """How long `idle` waits before the call fails without a change."""
    force: bool = False
    """Whether to start a model that does not fit by its plan."""

    def request(self, profiles: Mapping[str, Profile]) -> Request:
        """The body as a request to the lifecycle. Raises UnknownProfile."""
        return Request(
            find_profile(profiles, self.model),
            profiles,
            force=self.force,
            cut_replies=self.when == "now",
            idle_limit_seconds=self.idle_limit_seconds,
        )


class StartBody(Body):
    """The profile to start; the one that ran last if no name is given."""

    model: ModelName | None = None
    wait: bool = True
    force: bool = False

    def request(self, profiles: Mapping[str, Profile], served_last: Callable[[], str]) -> Request:
        """The body as a request to the lifecycle. Raises UnknownProfile."""
        return Request(find_profile(profiles, self.model or served_last()), profiles, force=self.force)


class StopBody(Body):
    """An empty body."""


class LogsQuery(BaseModel):
    """The length of the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tail: Annotated[int, Field(ge=1, le=1000)] = 100


class NoQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Route:
    """One call. `name` is the method of `handlers.Handlers` that answers it."""

    method: Literal["GET", "POST"]
    path: str
    name: str
    summary: str
    statuses: tuple[int, ...] = (200,)
    body: type[Body] | None = None
    query: type[BaseModel] = NoQuery
    media_type: str = "application/json"
    private: bool = False
    """Whether it needs the token, if one is set."""
    schema: TypeAdapter[Any] | None = None
    """The schema of a successful answer; None means any object."""


FAILURES = (400, 409, 502, 503, 507)
"""The failures of calls that start, stop or switch."""


def _order(name: str, summary: str, body: type[Body], statuses: tuple[int, ...]) -> Route:
    """A call that starts, stops or switches."""
    return Route("POST", f"/{name}", name, summary, statuses, body, private=True)


ROUTES = (
    Route("GET", "/health", "health", "Whether this server answers. Does not ask the engine."),
    Route(
        "GET",
        "/models",
        "models",
        "The profiles, with whether each is downloaded, active and loaded.",
        statuses=(200, 503),
        schema=TypeAdapter(ModelList),
    ),
    Route("GET", "/status", "status", "The current state.", schema=TypeAdapter(Snapshot)),
    Route(
        "GET", "/metrics", "metrics", "The current state as numbers for Prometheus.", media_type="text/plain"
    ),
    Route(
        "GET",
        "/logs",
        "logs",
        "The end of the server's log.",
        statuses=(200, 409, 503),
        query=LogsQuery,
        private=True,
    ),
    Route(
        "GET",
        "/events",
        "events",
        "States, progress, samples and log lines as they arrive.",
        statuses=(200, 503),
        media_type="text/event-stream",
        private=True,
    ),
    Route("GET", "/openapi.json", "openapi", "This description."),
    _order(
        "switch",
        "Makes another profile the active one; on failure starts the old one again.",
        SwitchBody,
        (200, 202, 404, *FAILURES),
    ),
    _order("start", "Starts an engine with a profile.", StartBody, (200, 202, 404, *FAILURES)),
    _order("stop", "Stops the engine. This server keeps running.", StopBody, (200, *FAILURES)),
)

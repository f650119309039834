"""Everything the management API can be asked: one table, from which requests are routed and described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from claude_local.foundation.snapshot import ModelList, Snapshot
from claude_local.lifecycle.wish import IDLE_LIMIT_SECONDS, Wish
from claude_local.profiles.load import find_profile
from claude_local.profiles.profile import Profile


class Body(BaseModel):
    """A request's JSON body: strict, and nothing unknown in it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


ModelName = Annotated[str, Field(min_length=1, max_length=64)]


class SwitchBody(Body):
    """Which profile shall be active."""

    model: ModelName
    wait: bool = True
    """Whether the answer comes when the new model serves; else it comes at once, with 202."""
    when: Literal["idle", "now"] = "idle"
    """`idle` waits for the end of replies that are being written; `now` cuts them."""
    idle_limit_seconds: Annotated[float, Field(gt=0, le=3600)] = IDLE_LIMIT_SECONDS
    """How long `idle` waits before it gives up and changes nothing."""
    force: bool = False
    """Whether to try a model that does not fit by its plan."""

    def wish(self, profiles: Mapping[str, Profile]) -> Wish:
        """The same for the lifecycle. Raises UnknownProfile."""
        return Wish(
            find_profile(profiles, self.model),
            profiles,
            force=self.force,
            cut_replies=self.when == "now",
            idle_limit_seconds=self.idle_limit_seconds,
        )


class StartBody(Body):
    """Which profile to start; the one that served last if none is named."""

    model: ModelName | None = None
    wait: bool = True
    force: bool = False

    def wish(self, profiles: Mapping[str, Profile], served_last: Callable[[], str]) -> Wish:
        """The same for the lifecycle. Raises UnknownProfile."""
        return Wish(find_profile(profiles, self.model or served_last()), profiles, force=self.force)


class StopBody(Body):
    """Nothing to say."""


class LogsQuery(BaseModel):
    """How much of the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tail: Annotated[int, Field(ge=1, le=1000)] = 100


class NoQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Route:
    """One thing that can be asked. `name` is the function that answers, in `api`."""

    method: Literal["GET", "POST"]
    path: str
    name: str
    summary: str
    statuses: tuple[int, ...] = (200,)
    body: type[Body] | None = None
    query: type[BaseModel] = NoQuery
    media_type: str = "application/json"
    private: bool = False
    """Whether it needs the token, where one is set."""
    schema: TypeAdapter[Any] | None = None
    """Of a good answer; None is any object."""


FAILURES = (400, 409, 502, 503, 507)
"""What can come of changing what runs."""


def _order(name: str, summary: str, body: type[Body], statuses: tuple[int, ...]) -> Route:
    """A route that changes what runs."""
    return Route("POST", f"/{name}", name, summary, statuses, body, private=True)


ROUTES = (
    Route("GET", "/health", "health", "Whether this server answers. Asks nobody else."),
    Route(
        "GET",
        "/models",
        "models",
        "The profiles, which are on disk, and which is active.",
        statuses=(200, 503),
        schema=TypeAdapter(ModelList),
    ),
    Route("GET", "/status", "status", "What is true now.", schema=TypeAdapter(Snapshot)),
    Route("GET", "/metrics", "metrics", "The same as numbers for Prometheus.", media_type="text/plain"),
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
        "States, progress, samples and log lines as they come.",
        statuses=(200, 503),
        media_type="text/event-stream",
        private=True,
    ),
    Route("GET", "/openapi.json", "openapi", "This description."),
    _order(
        "switch",
        "Makes another profile the active one; on failure the old one serves again.",
        SwitchBody,
        (200, 202, 404, *FAILURES),
    ),
    _order("start", "Starts an engine with a profile.", StartBody, (200, 202, 404, *FAILURES)),
    _order("stop", "Stops the engine. This server goes on.", StopBody, (200, *FAILURES)),
)

"""The HTTP interface of llama-server's router mode: list, load and unload models, reload the presets.

Any request that names a model loads it, even a GET. Every query here sets `autoload=false`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from claude_local.foundation.errors import EngineFailed
from claude_local.machine.listeners import ListeningSocket, listeners_on
from claude_local.profiles.profile import ACTIVE_ALIAS
from claude_local.server.llama_http import LlamaHttp
from claude_local.server.model_facts import any_busy, server_facts

UNLOAD_TIMEOUT_SECONDS = 30  # llama-server itself kills a slow model earlier (flags.STOP_TIMEOUT_SECONDS)
POLL_SECONDS = 0.005
ASK_AGAIN_SECONDS = 0.2
"""A client may load a model again that was just unloaded."""
UNAUTHORIZED = 401

Model = dict[str, Any]
"""One entry of `GET /models`: id, aliases, status {value, args, failed, progress}, …"""


@dataclass(frozen=True)
class Router:
    """A llama-server in router mode."""

    http: LlamaHttp

    def models(self) -> list[Model]:
        """Every model of the presets; empty if the server does not answer, refuses our key or is not a router."""
        found = self.http.get_object("/models").get("data")
        return [model for model in found if _is_model(model)] if isinstance(found, list) else []

    def refuses_our_key(self) -> bool:
        return self.http.status_of("/models") == UNAUTHORIZED

    def is_locked(self) -> bool:
        """Whether the server refuses a request without our key. A server that accepts it is not ours."""
        return _known_locked.is_locked(self.http)

    def is_busy(self) -> bool:
        """Whether the model in memory is answering a request.

        A model that does not reply in time is busy: it may be reading a long prompt. A loading model is not busy.
        """
        name = loaded_model(self.models())
        found = self.http.get(f"/slots?model={name}&autoload=false") if name else []
        return any_busy(found) if isinstance(found, list) else True

    def unload_all(self) -> None:
        """Unloads all models and waits until none is in memory. Raises EngineFailed if one stays."""
        deadline = time.monotonic() + UNLOAD_TIMEOUT_SECONDS
        ask_at = time.monotonic()
        while name := running_model(self.models()):
            if time.monotonic() > deadline:
                raise EngineFailed(f"llama-server did not unload `{name}`")
            if time.monotonic() >= ask_at:
                ask_at = time.monotonic() + ASK_AGAIN_SECONDS
                with contextlib.suppress(EngineFailed):  # "not running": it has ended meanwhile
                    self.http.post("/models/unload", {"model": name})
            time.sleep(POLL_SECONDS)

    def read_presets_again(self) -> None:
        if self.http.get("/models?reload=1") is None:
            raise EngineFailed("llama-server did not reload its presets")

    def load(self, name: str) -> None:
        """Starts to load a model, unless it is already loaded or loading."""
        unloaded = [m["id"] for m in self.models() if m["status"]["value"] == "unloaded"]
        if name not in unloaded:
            return
        try:
            self.http.post("/models/load", {"model": name})
        except EngineFailed:
            if (
                running_model(self.models()) != name
            ):  # otherwise the request of another client loaded it first
                raise

    def facts(self, name: str) -> dict[str, Any]:
        """Context, slots and speeds of a loaded model, under their names in a Snapshot."""
        query = f"?model={name}&autoload=false"
        return server_facts(self.http, query)


class KnownLocked:
    """Caches which programs refused a request without a key: each such request writes a warning into their log."""

    def __init__(self) -> None:
        self._listeners: dict[int, frozenset[ListeningSocket]] = {}
        """By port. A restarted program is another listener."""

    def is_locked(self, http: LlamaHttp) -> bool:
        """Whether the server refuses, now or earlier as the same listener."""
        port = urlsplit(http.base_url).port or 0
        listeners = listeners_on(port)
        if listeners and self._listeners.get(port) == listeners:
            return True
        is_locked = dataclasses.replace(http, key="").status_of("/models") == UNAUTHORIZED
        if is_locked and listeners:
            self._listeners[port] = listeners
        return is_locked


_known_locked = KnownLocked()
"""One per process: engines are created for each query."""


def _is_model(entry: Any) -> bool:
    """Whether it is an entry of a router's list: other servers have /models, too."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("id"), str)
        and isinstance(entry.get("aliases"), list)
        and isinstance(entry.get("status"), dict)
        and isinstance(entry["status"].get("value"), str)
    )


def active_model(models: list[Model]) -> Model:
    """The model with the alias `local-llama`; {} without one."""
    return next((model for model in models if ACTIVE_ALIAS in model["aliases"]), {})


def running_model(models: list[Model]) -> str | None:
    """The name of the model that is loaded or loading; None without one."""
    return next((model["id"] for model in models if model["status"]["value"] != "unloaded"), None)


def loaded_model(models: list[Model]) -> str | None:
    """The name of the model that is completely loaded and awake; None without one."""
    return next((model["id"] for model in models if model["status"]["value"] == "loaded"), None)

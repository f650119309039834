"""The HTTP calls to a llama-server. Proxy settings of the environment are ignored."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from claude_local.foundation.errors import EngineFailed
from claude_local.machine import state
from claude_local.machine.listeners import owner_ids
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import ACTIVE_ALIAS

TIMEOUT_SECONDS = 10
ANSWER_TIMEOUT_SECONDS = 600

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class LlamaHttp:
    """A llama-server at `base_url` that needs `key`; an empty key is not sent."""

    base_url: str
    key: str
    owners: frozenset[int] | None = None
    """User ids whose programs may listen there; a server of another user counts as away."""

    def get(self, path: str) -> Any:
        """The JSON answer, or None if the server does not answer or refuses."""
        try:
            with self._open(path, None, TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except (OSError, HTTPException, ValueError):
            return None

    def get_object(self, path: str) -> dict[str, Any]:
        """The JSON answer; {} if it is not an object."""
        answer = self.get(path)
        return answer if isinstance(answer, dict) else {}

    def get_text(self, path: str) -> str:
        """The answer as text, or "" if the server does not answer or refuses."""
        try:
            with self._open(path, None, TIMEOUT_SECONDS) as answer:
                return str(answer.read().decode(errors="replace"))
        except (OSError, HTTPException):
            return ""

    def post(self, path: str, body: dict[str, Any], *, timeout_seconds: float = TIMEOUT_SECONDS) -> Any:
        """The JSON answer. Raises EngineFailed with the server's reason for a refusal."""
        try:
            with self._open(path, body, timeout_seconds) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise EngineFailed(f"llama-server refuses {path}: {error_text(error)}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise EngineFailed(f"llama-server does not answer {path}: {error}") from None

    def status_of(self, path: str, body: dict[str, Any] | None = None) -> int | None:
        """Only the HTTP status, or None if nothing answers."""
        try:
            with self._open(path, body, TIMEOUT_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except (OSError, HTTPException):
            return None

    def answer(self, prompt: str, *, max_tokens: int) -> Iterator[str]:
        """The active model's answer to `prompt`, in pieces as they arrive."""
        body = {
            "model": ACTIVE_ALIAS,
            "max_tokens": max_tokens,
            "stream": True,
            "messages": [{"role": "user", "content": prompt}],
        }
        try:
            with self._open("/v1/messages", body, ANSWER_TIMEOUT_SECONDS) as answer:
                yield from _text_deltas(answer)
        except urllib.error.HTTPError as error:
            raise EngineFailed(f"the model did not answer: {error_text(error)}") from None
        except (OSError, HTTPException) as error:
            raise EngineFailed(f"the model did not answer: {error}") from None

    def _open(self, path: str, body: dict[str, Any] | None, timeout_seconds: float) -> Any:
        if self.owners is not None and not owner_ids(urlsplit(self.base_url).port or 0) <= self.owners:
            raise PermissionError(f"the program on {self.base_url} belongs to another user")
        request = urllib.request.Request(  # noqa: S310  settings allow http and https only
            self.base_url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"}
            | ({"Authorization": f"Bearer {self.key}"} if self.key else {}),
        )
        return _opener.open(request, timeout=timeout_seconds)


def own_server(settings: Settings) -> LlamaHttp:
    """Our own llama-server. With Docker, root listens on its port."""
    owners = frozenset({0, settings.user_id})
    return LlamaHttp(f"http://127.0.0.1:{settings.llama_port}", state.api_key(settings), owners)


def server_of_clients(settings: Settings) -> LlamaHttp:
    """The server that clients use, ours or an external one, with its key.

    Raises UserError if the key file of the external server cannot be read.
    """
    return LlamaHttp(settings.base_url, state.client_key(settings))


def error_text(error: urllib.error.HTTPError) -> str:
    """The sentence in a server's error answer, else its status."""
    try:
        return str(json.load(error)["error"]["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"


def metric(metrics: str, name: str) -> float | None:
    """One value of llama-server's Prometheus text; None if it is missing."""
    found = re.search(rf"^llamacpp:{name} ([0-9.e+-]+)$", metrics, re.MULTILINE)
    return float(found.group(1)) if found else None


def _text_deltas(lines: Any) -> Iterator[str]:
    for line in lines:
        if line.startswith(b"data:"):
            delta = json.loads(line[5:]).get("delta", {})
            yield delta.get("text", "")

"""A client of the management API on this machine and of its events. Ignores proxy settings."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from claude_local.foundation.errors import UserError

LOOK_SECONDS = 15
DO_SECONDS = 120
SILENCE_SECONDS = 25
"""The server sends something every ten seconds; after this much silence it counts as gone."""


class NoAnswer(UserError):
    """The management API does not answer, or the answer is not one of its own."""


@dataclass(frozen=True)
class ApiClient:
    """The management API at 127.0.0.1:`port`; `token` is None if the API needs no token."""

    port: int
    token: str | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        """The JSON answer. Raises NoAnswer, or UserError with the server's reason for a refusal."""
        return self._ask("GET", path, None, LOOK_SECONDS)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON answer; it may take as long as stopping a model. Raises as `get` does."""
        return self._ask("POST", path, body, DO_SECONDS)

    def events(self) -> Iterator[tuple[str, Any]]:
        """Names and data of events as they arrive, until the server ends. Raises as `get` does.

        Closing the iterator closes the connection.
        """
        with self._connection(SILENCE_SECONDS) as connection:
            answer = self._answer(connection, "GET", "/events", None)
            if answer.status != 200:
                raise _refusal(answer)
            name = ""
            while line := self._line(answer):
                field, _, value = line.rstrip(b"\r\n").decode().partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, _parsed(value.encode())
                else:
                    yield "", None  # a heartbeat, or the end of an event

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, timeout_seconds: float) -> Any:
        with self._connection(timeout_seconds) as connection:
            answer = self._answer(connection, method, path, body)
            if answer.status >= 400:
                raise _refusal(answer)
            try:
                return _parsed(answer.read())
            except (OSError, http.client.HTTPException) as error:
                raise self._away(error) from None

    @contextlib.contextmanager
    def _connection(self, timeout_seconds: float) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        try:
            yield connection
        finally:
            connection.close()

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: dict[str, Any] | None
    ) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error) from None

    def _line(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.readline()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._away(error) from None

    def _away(self, error: Exception) -> NoAnswer:
        why = "does not answer in time" if isinstance(error, socket.timeout) else "does not answer"
        return NoAnswer(f"the management API on {self.address} {why}", hint="start it: invoke up")


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise NoAnswer("another program answers on the port of the management API") from None


def _refusal(answer: http.client.HTTPResponse) -> UserError:
    """The server's refusal as an error."""
    body = _parsed(answer.read())
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return NoAnswer(f"the management API answers with HTTP {answer.status}")
    return UserError(error["message"], hint=str(error.get("hint", "")))

"""A model hub on 127.0.0.1 for tests: speaks the protocol that huggingface_hub expects, with faults on demand.

Metadata comes from the hub's own address, the bytes of large files from a second address, to which the hub
redirects, as public hubs do. A client that sends a token to the second address leaks it; a test checks that.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_a_token_for_tests"
PIECE = 64 * 1024


@dataclass
class Seen:
    """One request: which of the two addresses, method, path and headers."""

    address: str
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Hub:
    """The hub's content, its faults, and the requests that it received."""

    url: str = ""
    storage_url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    # Faults
    gated: bool = False
    private: bool = False
    refuses_other_tokens: bool = False
    status: int | None = None
    ignores_ranges: bool = False
    is_no_hub: bool = False
    claims_bytes: int | None = None
    damages: bool = False
    breaks_after_bytes: int | None = None
    breaks_left: int = 0
    stops_after_bytes: int | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def add(self, repo: str, path: str, content: bytes) -> str:
        """Puts a file into a repository and returns its checksum."""
        self.repositories.setdefault(repo, {})[path] = content
        return hashlib.sha256(content).hexdigest()

    def asked(self, address: str) -> list[tuple[str, str]]:
        """Method and Range header of each request to `hub` or `storage`."""
        return [(s.method, s.headers.get("range", "")) for s in self.seen if s.address == address]


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Runs a hub until the block ends."""
    hub = Hub()
    servers = [_server(hub, "hub"), _server(hub, "storage")]
    hub.url, hub.storage_url = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        for server in servers:
            server.shutdown()
            server.server_close()


def _server(hub: Hub, address: str) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"hub": hub, "address": address})
    return _Server(("127.0.0.1", 0), handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    address: str

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.seen.append(Seen(self.address, self.command, self.path, headers))
        path = unquote(urlsplit(self.path).path)
        if self.address == "storage":
            self._storage(path)
        elif self.hub.status is not None:
            self._refuse(self.hub.status, "")
        elif path.startswith("/api/models/"):
            self._model_info(path.removeprefix("/api/models/"))
        else:
            self._resolve(path)

    def _is_let_in(self, repo: str) -> bool:
        sent = self.headers.get("Authorization")
        token = sent == f"Bearer {TOKEN}"
        if sent and not token and self.hub.refuses_other_tokens:
            self._send(401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif repo not in self.hub.repositories or (self.hub.private and not token):
            self._refuse(404 if token else 401, "RepoNotFound")
        elif self.hub.gated and not token:
            self._refuse(401, "GatedRepo")
        else:
            return True
        return False

    def _model_info(self, path: str) -> None:
        repo, _, revision = path.partition("/revision/")
        if not self._is_let_in(repo):
            return
        if revision not in ("", "main", COMMIT):
            self._refuse(404, "RevisionNotFound")
            return
        files = [
            {"rfilename": name, "size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
            for name, content in self.hub.repositories[repo].items()
        ]
        body = {"id": repo, "sha": COMMIT, "siblings": files, "cardData": self.hub.cards.get(repo, {})}
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _resolve(self, path: str) -> None:
        repo, found, rest = path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        if not found or not self._is_let_in(repo):
            if not found:
                self._refuse(404, "RepoNotFound")
            return
        if revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
            return
        content = self.hub.repositories[repo].get(name)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        self._lead_to(repo, name, content)

    def _lead_to(self, repo: str, name: str, content: bytes) -> None:
        known = {} if self.hub.is_no_hub else {"X-Repo-Commit": COMMIT}
        if not name.endswith(".gguf"):
            self._send_part(content, {**known, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'})
            return
        size = len(content) if self.hub.claims_bytes is None else self.hub.claims_bytes
        headers = {
            **known,
            "Location": f"{self.hub.storage_url}/{repo}/{name}",
            "X-Linked-Size": str(size),
            "X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        }
        self._send(302, b"", headers)

    def _storage(self, path: str) -> None:
        owner, name, file = path.lstrip("/").split("/", 2)
        content = self.hub.repositories[f"{owner}/{name}"][file]
        if self.hub.damages:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self._send_part(content, {"Accept-Ranges": "bytes"})

    def _send_part(self, content: bytes, headers: dict[str, str]) -> None:
        asked = self.headers.get("Range", "")
        if not asked or self.hub.ignores_ranges:
            self._send(200, content, headers)
            return
        first, last = asked.removeprefix("bytes=").split("-")
        start, end = int(first), min(int(last or len(content)), len(content) - 1)
        if start >= len(content):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        place = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
        self._send(206, content[start : end + 1], {**headers, **place})

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code} if code else {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send_body(body)

    def _send_body(self, body: bytes) -> None:
        limit = len(body)
        if self.address == "storage" and self.hub.breaks_left > 0 and self.hub.breaks_after_bytes is not None:
            self.hub.breaks_left -= 1
            limit = self.hub.breaks_after_bytes
            self.close_connection = True
        stop = self.hub.stops_after_bytes if self.address == "storage" else None
        for start in range(0, min(limit, len(body)), PIECE):
            if stop is not None and start >= stop:
                self.hub.stopped.set()
                self.hub.go_on.wait()
                stop = None
            try:
                self.wfile.write(body[start : min(start + PIECE, limit)])
            except (BrokenPipeError, ConnectionResetError):
                return

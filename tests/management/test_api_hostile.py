"""The management API against hostile clients, byte by byte over raw sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.api_client import Answer, Api, Served, read_answer, request

BODY = b'{"model":"nosuch"}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
def api(served: Served) -> Iterator[Api]:
    """The API; after each test it must still answer, with an empty log."""
    yield served.api
    assert served.process.poll() is None
    assert served.api.get("/health").json() == {"status": "ok"}
    assert "Traceback" not in served.log.read_text()


@dataclass(frozen=True)
class Case:
    """A request and the expected answer. PORT stands for the server's port."""

    name: str
    status: int
    code: str
    method: str = "POST"
    path: str = "/switch"
    body: bytes | None = BODY
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""

    def bytes_for(self, port: int) -> bytes:
        if self.raw:
            return self.raw.replace(b"PORT", str(port).encode())
        headers = {name: value.replace("PORT", str(port)) for name, value in self.headers.items()}
        return request(self.method, self.path, port, self.body, headers)


def get(name: str, status: int, code: str, **headers: str) -> Case:
    return Case(name, status, code, method="GET", path="/status", body=None, headers=headers)


def post(name: str, status: int, code: str, body: bytes = BODY, **headers: str) -> Case:
    return Case(name, status, code, body=body, headers=headers)


def raw(name: str, status: int, code: str, data: bytes) -> Case:
    return Case(name, status, code, raw=data)


HOST = b"Host: 127.0.0.1:PORT\r\n"
JSON = b"Content-Type: application/json\r\n"
LONG = "a" * 70

CASES = [
    # Host and origin
    get("a foreign name that resolves to this machine", 403, "host_not_allowed", Host="evil.example:PORT"),
    get("our name without the port", 403, "host_not_allowed", Host="localhost"),
    get("another port", 403, "host_not_allowed", Host="127.0.0.1:1"),
    get("a name that begins like ours", 403, "host_not_allowed", Host="127.0.0.1:PORT.evil.example"),
    get("a name that ends like ours", 403, "host_not_allowed", Host="evil.127.0.0.1:PORT"),
    get("a user before the host", 403, "host_not_allowed", Host="evil@127.0.0.1:PORT"),
    get("all addresses", 403, "host_not_allowed", Host="0.0.0.0:PORT"),
    get("an empty host", 400, "host_missing", Host=""),
    get("a page of another site", 403, "origin_not_allowed", Origin="https://evil.example"),
    get("a page without an origin", 403, "origin_not_allowed", Origin="null"),
    get("a page of another local server", 403, "origin_not_allowed", Origin="http://127.0.0.1:3000"),
    get("our page over another protocol", 403, "origin_not_allowed", Origin="https://127.0.0.1:PORT"),
    get("an image in a page", 403, "origin_not_allowed", Sec_Fetch_Site="cross-site"),
    get("a page of the same domain", 403, "origin_not_allowed", Sec_Fetch_Site="same-site"),
    get("a word that no browser sends", 403, "origin_not_allowed", Sec_Fetch_Site="anything"),
    post("a form of another site", 403, "origin_not_allowed", Origin="https://evil.example"),
    # Requests that a page may send without a preflight
    post("a form", 415, "not_json", b"model=demo", Content_Type="application/x-www-form-urlencoded"),
    post("plain text", 415, "not_json", Content_Type="text/plain"),
    post("a form with a file", 415, "not_json", Content_Type="multipart/form-data; boundary=x"),
    post("no media type", 415, "not_json", Content_Type=""),
    post("JSON and something else", 415, "not_json", Content_Type="application/json, text/plain"),
    post("a media type that begins alike", 415, "not_json", Content_Type="application/jsonp"),
    post("another charset", 415, "not_json", Content_Type="application/json; charset=utf-7"),
    Case("a preflight request", 405, "method_not_allowed", method="OPTIONS", body=None),
    # Lengths
    post("no length", 411, "length_required", Content_Length=""),
    post("a length that is not a number", 400, "bad_request", Content_Length="1x"),
    post("a length below zero", 400, "bad_request", Content_Length="-1"),
    post("a length with a sign", 400, "bad_request", Content_Length="+18"),
    post("nothing at all", 400, "body_missing", b""),
    post("one byte too many", 413, "too_large", b"{" + b" " * 16_384),
    post("a gigabyte announced", 413, "too_large", Content_Length="1000000000"),
    post("a length beyond every number", 413, "too_large", Content_Length="9" * 30),
    post("chunks instead of a length", 411, "length_required", Content_Length="", Transfer_Encoding="chunked"),
    post("both chunks and a length", 411, "length_required", Transfer_Encoding="chunked"),
    Case("a GET with a body", 400, "body_not_expected", method="GET", path="/status"),
    # JSON
    post("half a document", 400, "bad_json", b'{"model":"demo"'),
    post("not UTF-8", 400, "bad_json", b'{"model":"\xff"}'),
    post("a key twice", 400, "bad_json", b'{"model":"demo","model":"nosuch"}'),
    post("NaN", 400, "bad_json", b'{"model":"demo","idle_limit_seconds":NaN}'),
    post("infinity", 400, "bad_json", b'{"model":"demo","idle_limit_seconds":1e999}'),
    post("a huge number", 400, "bad_json", b'{"model":' + b"9" * 5000 + b"}"),
    post("deep nesting", 400, "bad_json", b'{"model":' + b"[" * 8000 + b"]" * 8000 + b"}"),
    post("a list", 400, "bad_json", b'["demo"]'),
    post("a byte order mark", 400, "bad_json", b'\xef\xbb\xbf{"model":"demo"}'),
    post("half a surrogate pair", 400, "bad_json", b'{"model":"\\ud800"}'),
    post("a line end in a text", 400, "bad_json", b'{"model":"de\nmo"}'),
    post("data after the document", 400, "bad_json", b'{"model":"demo"}{}'),
    # Fields
    post("no model", 400, "bad_request", b"{}"),
    post("a model that is a number", 400, "bad_request", b'{"model":1}'),
    post("a model that is a list", 400, "bad_request", b'{"model":["demo"]}'),
    post("an unknown field", 400, "bad_request", b'{"model":"demo","image":"evil:latest"}'),
    post("a mount", 400, "bad_request", b'{"model":"demo","volumes":["/:/host"]}'),
    post("yes for true", 400, "bad_request", b'{"model":"demo","wait":"yes"}'),
    post("one for true", 400, "bad_request", b'{"model":"demo","force":1}'),
    post("another when", 400, "bad_request", b'{"model":"demo","when":"always"}'),
    post("a limit below zero", 400, "bad_request", b'{"model":"demo","idle_limit_seconds":-1}'),
    post("a very long name", 400, "bad_request", f'{{"model":"{LONG}"}}'.encode()),
    post("a path for a name", 404, "unknown_model", b'{"model":"../../etc/passwd"}'),
    post("a flag for a name", 404, "unknown_model", b'{"model":"--rpc evil:1"}'),
    post("a line end for a name", 404, "unknown_model", b'{"model":"x\\nCOMPOSE_FILE=/evil"}'),
    post("the alias for a name", 404, "unknown_model", b'{"model":"local-llama"}'),
    post("control characters for a name", 404, "unknown_model", b'{"model":"\\u001b[2J\\u0000"}'),
    # Paths and methods
    Case("another method", 405, "method_not_allowed", method="DELETE", body=None),
    Case("a path up", 404, "not_found", method="GET", path="/../../etc/passwd", body=None),
    Case("an escaped path up", 404, "not_found", method="GET", path="/%2e%2e/%2e%2e/etc/passwd", body=None),
    Case("a zero byte in the path", 404, "not_found", method="GET", path="/status%00", body=None),
    Case("a slash at the end", 404, "not_found", method="GET", path="/status/", body=None),
    Case("two slashes", 400, "bad_request", method="GET", path="//status", body=None),
    Case("an unknown parameter", 400, "bad_request", method="GET", path="/logs?file=/etc/passwd", body=None),
    Case("a parameter twice", 400, "bad_request", method="GET", path="/logs?tail=1&tail=2", body=None),
    Case("too many lines", 400, "bad_request", method="GET", path="/logs?tail=100000000", body=None),
    Case("lines below zero", 400, "bad_request", method="GET", path="/logs?tail=-1", body=None),
    Case("a parameter that is not UTF-8", 400, "bad_request", method="GET", path="/logs?tail=%ff", body=None),
    Case("a parameter where none is allowed", 400, "bad_request", method="GET", path="/status?x=1", body=None),
    # HTTP itself
    raw("another server's address", 400, "bad_request", b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    raw("a tunnel", 405, "bad_request", b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n"),
    raw("no host", 400, "host_missing", b"GET /status HTTP/1.1\r\n\r\n"),
    raw("two hosts", 400, "bad_request", b"GET /status HTTP/1.1\r\n" + HOST + HOST + b"\r\n"),
    raw("two lengths", 400, "bad_request", b"POST /switch HTTP/1.1\r\n" + HOST + JSON
        + b"Content-Length: 2\r\nContent-Length: 18\r\n\r\n{}"),
    raw("a space before the colon", 400, "bad_request", b"GET /status HTTP/1.1\r\nHost : 127.0.0.1:PORT\r\n\r\n"),
    raw("a header over two lines", 400, "bad_request",
        b"GET /status HTTP/1.1\r\nHost: evil\r\n 127.0.0.1:PORT\r\n\r\n"),
    raw("line ends without a carriage return", 400, "bad_request", b"GET /status HTTP/1.1\nHost: 127.0.0.1:PORT\n\n"),
    raw("a header without a name", 400, "bad_request", b"GET /status HTTP/1.1\r\n: x\r\n" + HOST + b"\r\n"),
    raw("another protocol", 505, "bad_request", b"GET /status HTTP/2.0\r\n" + HOST + b"\r\n"),
    raw("no protocol", 400, "bad_request", b"GET /status\r\n\r\n"),
    raw("TLS", 400, "bad_request", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    raw("noise", 400, "bad_request", bytes(range(128, 256)) + b"\r\n\r\n"),
    raw("a huge header", 413, "too_large",
        b"GET /status HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 20_000 + b"\r\n\r\n"),
    raw("a thousand headers", 413, "too_large",
        b"GET /status HTTP/1.1\r\n" + HOST + b"X-A: aaaaaaaaaaaa\r\n" * 1000 + b"\r\n"),
    raw("a huge path", 414, "too_large", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    raw("a method in lower case", 400, "bad_request", b"get /status HTTP/1.1\r\n" + HOST + b"\r\n"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_request_is_refused_in_one_form(case: Case, api: Api) -> None:
    answer = api.send(case.bytes_for(api.port))

    assert (answer.status, answer.code) == (case.status, case.code), answer
    assert answer.headers["connection"] == "close"
    assert_is_closed_to_pages(answer)


def assert_is_closed_to_pages(answer: Answer) -> None:
    assert [name for name in answer.headers if name.startswith("access-control")] == []
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_requests_to_our_own_names_are_answered(host: str, api: Api) -> None:
    answer = api.get("/health", Host=f"{host}:{api.port}", Origin=f"http://127.0.0.1:{api.port}")

    assert answer.status == 200
    assert_is_closed_to_pages(answer)


def test_a_second_request_hidden_behind_a_refused_one_is_not_answered(api: Api) -> None:
    hidden = request("GET", "/health", api.port)
    with api.connect() as connection:
        connection.sendall(request("POST", "/switch", api.port, b"{}", {"Connection": "keep-alive"}) + hidden)
        first = read_answer(connection)
        rest = connection.recv(1000)

    assert (first.status, rest) == (400, b"")


def test_a_body_that_ends_too_early_is_refused(api: Api) -> None:
    with api.connect() as connection:
        connection.sendall(request("POST", "/switch", api.port, BODY)[:-5])
        connection.shutdown(socket.SHUT_WR)

        answer = read_answer(connection)

    assert (answer.status, answer.code) == (400, "bad_request")


def test_slow_clients_are_closed_and_block_no_other_client(api: Api) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(api.connect()) for _ in range(60)]
        for connection in slow:
            connection.sendall(b"GET /status HTTP/1.1\r\nHost: ")
        beside = api.send(request("GET", "/health", api.port), timeout_seconds=2)
        answers = [read_answer(connection) for connection in slow]

    assert beside.status == 200
    assert {answer.status for answer in answers} == {408}
    assert {answer.code for answer in answers} == {"too_slow"}


def test_a_request_with_a_slow_body_is_closed_too(api: Api) -> None:
    with api.connect() as connection:
        connection.sendall(request("POST", "/switch", api.port, BODY)[:-5])
        beside = api.send(request("GET", "/health", api.port), timeout_seconds=2)

        answer = read_answer(connection)

    assert beside.status == 200
    assert (answer.status, answer.code) == (408, "too_slow")


def test_silent_connections_block_no_other_client_up_to_a_limit(api: Api) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(api.connect()) for _ in range(100)]
        beside = api.send(request("GET", "/health", api.port), timeout_seconds=2)
        silent += [stack.enter_context(api.connect()) for _ in range(60)]
        last = read_answer(silent[-1])

    assert beside.status == 200
    assert (last.status, last.code) == (503, "overloaded")


def test_listeners_that_do_not_read_block_no_other_client(api: Api) -> None:
    with ExitStack() as stack:
        deaf = [stack.enter_context(api.connect()) for _ in range(16)]
        for connection in deaf:
            connection.sendall(request("GET", "/events", api.port))
            connection.recv(15)
        beside = api.send(request("GET", "/status", api.port), timeout_seconds=10)
        one_more = api.get("/events")

    assert beside.status == 200
    assert (one_more.status, one_more.code) == (503, "engine_unavailable")


@pytest.mark.parametrize("path", ["/switch", "/start", "/stop", "/logs", "/events"])
def test_with_a_token_file_these_calls_need_the_token(path: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    with Served(tmp_path, CLAUDE_LOCAL_MANAGEMENT_TOKEN_FILE=str(token)) as served:
        call = (
            served.api.get
            if path in ("/logs", "/events")
            else lambda path, **h: served.api.post(path, {}, **h)
        )
        without, wrong = call(path), call(path, Authorization="Bearer wrong")
        right = call(path, Authorization="Bearer secret", Connection="close") if path != "/events" else None
        look = served.api.get("/status")

    assert [(answer.status, answer.code) for answer in (without, wrong)] == [(401, "token_missing")] * 2
    assert without.headers["www-authenticate"] == "Bearer"
    assert right is None or right.status != 401
    assert look.status == 200

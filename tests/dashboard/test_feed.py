"""The dashboard's requests and events, against small servers with the answers that each test gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from claude_local.dashboard.api_client import ApiClient, NoAnswer
from claude_local.dashboard.feed import Feed, models_of, snapshot_of
from claude_local.dashboard.scene import History, LogTail
from claude_local.dashboard.session import look_of, speaks_utf8
from claude_local.dashboard.view_state import Stop, Switch
from claude_local.foundation.errors import UserError
from claude_local.foundation.snapshot import STOPPED, ModelEntry
from support.dashboard_screens import READY, model

WAIT_SECONDS = 100
Answer = tuple[int, bytes]
Serve = Callable[[dict[str, Answer]], "Server"]


class Server(ThreadingHTTPServer):
    """Answers each path from `answers` and records the requests."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def client(self) -> ApiClient:
        return ApiClient(int(self.server_address[1]), token="secret")


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((f"{self.command} {self.path} {self.headers['Authorization']}", body))
        status, answer = self.server.answers[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *arguments: Any) -> None:
        """Logs nothing."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(answers: dict[str, Answer]) -> Server:
        servers.append(Server(answers))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ok(answer: Any) -> Answer:
    return 200, json.dumps(answer).encode()


def quiet_feed(client: ApiClient | None = None) -> Feed:
    return Feed(client or ApiClient(1), lambda: None)


def test_a_snapshot_comes_back_from_its_json_as_it_was() -> None:
    assert snapshot_of(json.loads(json.dumps(READY.to_dict()))) == READY


def test_unknown_fields_of_a_newer_server_are_ignored() -> None:
    assert snapshot_of({**STOPPED.to_dict(), "new_in_version_9": 1}) == STOPPED


@pytest.mark.parametrize("answer", [[], {"state": "dancing"}, {"state": "ready", "slots": "many"}, None])
def test_an_answer_of_another_version_names_the_next_step(answer: Any) -> None:
    with pytest.raises(NoAnswer) as caught:
        snapshot_of(answer)

    assert (caught.value.message, caught.value.hint) == (
        "the management API has another version",
        "invoke down, then invoke up",
    )


def test_downloaded_models_come_first_and_verdicts_are_kept() -> None:
    far = model("a", "", (), None, None, False, "does not fit")
    near = model("b", "", ("c",), 5, 4096, True, "fits")
    answer = json.loads(json.dumps({"models": [asdict(far), asdict(near)]}))

    assert models_of(answer) == (near, far)


@pytest.mark.parametrize("name", [field.name for field in fields(ModelEntry)])
def test_a_model_without_one_of_its_fields_comes_from_another_version(name: str) -> None:
    entry = asdict(model("a", "", (), 5, 4096, True, "fits"))
    del entry[name]

    with pytest.raises(NoAnswer, match="has another version"):
        models_of({"models": [entry]})


def test_the_log_tail_replaces_the_known_lines_and_new_lines_follow() -> None:
    feed = quiet_feed()
    feed.take("log", {"lines": ["before the connection was lost"]})
    feed.take("log_tail", {"lines": ["one", "two\x1b[2J"]})
    feed.take("log", {"lines": ["three"]})

    assert feed.scene(0.0).log == LogTail(1, ("one", "two·[2J", "three"))


def test_the_history_of_a_card_begins_with_the_first_sample() -> None:
    feed = quiet_feed()
    feed.take("state", READY.to_dict())
    feed.take("sample", READY.to_dict())  # in the same second

    assert feed.scene(0.0).history == History(
        {0: (87.0,), 1: (42.0,)}, (READY.turns[-1].generation_tokens_per_second,)
    )


def test_events_are_read_one_by_one_until_the_server_ends(serve: Serve) -> None:
    stream = b': still here\n\nevent: state\ndata: {"a": 1}\n\nevent: log\ndata: {"lines": []}\n\n'
    server = serve({"/events": (200, stream)})

    events = [(name, data) for name, data in server.client.events() if name]

    assert events == [("state", {"a": 1}), ("log", {"lines": []})]


def test_a_refusal_of_the_server_becomes_the_error(serve: Serve) -> None:
    refusal = {"error": {"code": "busy", "message": "another command is running", "hint": "wait"}}
    server = serve({"/switch": (409, json.dumps(refusal).encode())})

    with pytest.raises(UserError) as caught:
        server.client.post("/switch", {"model": "demo"})

    assert (caught.value.message, caught.value.hint) == ("another command is running", "wait")
    assert server.asked == [("POST /switch Bearer secret", {"model": "demo"})]


@pytest.mark.parametrize("answer", [(200, b"<html>"), (500, b"oops"), (404, b'{"error": "no"}')])
def test_another_program_on_the_port_is_recognised(serve: Serve, answer: Answer) -> None:
    with pytest.raises(NoAnswer):
        serve({"/status": answer}).client.get("/status")


def test_a_port_without_a_listener_names_the_next_step() -> None:
    with pytest.raises(NoAnswer) as caught:
        ApiClient(1).get("/status")

    assert (caught.value.message, caught.value.hint) == (
        "the management API on 127.0.0.1:1 does not answer",
        "start it: invoke up",
    )


@pytest.mark.parametrize(
    ("state", "path"),
    [("ready", "/switch"), ("loading", "/switch"), ("stopped", "/start"), ("failed", "/start")],
)
def test_a_model_is_started_if_the_engine_is_stopped_and_switched_to_otherwise(
    serve: Serve, state: Any, path: str
) -> None:
    status = replace(STOPPED, state=state).to_dict()
    server = serve({"/status": ok(status), path: ok({}), "/stop": ok({})})
    feed = quiet_feed(server.client)

    feed._do(Switch("demo"))
    feed._do(Stop())

    assert [(asked.split()[1], body) for asked, body in server.asked] == [
        ("/status", None),
        (path, {"model": "demo", "wait": False}),
        ("/stop", {}),
    ]


def test_a_refused_wish_is_a_notice_until_the_next_key(serve: Serve) -> None:
    refusal = {"error": {"code": "busy", "message": "running\x1b", "hint": "wait"}}
    server = serve({"/stop": (409, json.dumps(refusal).encode()), "/events": (503, b"")})
    changed = threading.Event()
    feed = Feed(server.client, changed.set)
    feed.start()
    feed.ask(Stop())
    while not feed.scene(0.0).notice:
        assert changed.wait(WAIT_SECONDS)
        changed.clear()

    assert feed.scene(0.0).notice == "running·\nhint: wait"
    feed.forget_notice()
    assert feed.scene(0.0).notice == ""


@pytest.mark.parametrize(
    ("environment", "is_utf8"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),  # set by Python itself
        ({"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, False),
        ({"LANG": "en_US.ISO-8859-1"}, False),
        ({}, False),
    ],
)
def test_the_locale_decides_whether_utf8_is_used(environment: dict[str, str], is_utf8: bool) -> None:
    assert speaks_utf8(environment) == is_utf8


@pytest.mark.parametrize(
    ("environment", "colors"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_no_color_and_dumb_terminals_are_obeyed(environment: dict[str, str], colors: bool) -> None:
    look = look_of({"TERM": "xterm", **environment}, "auto")

    assert (look.colors, look.can_move_cursor) == (colors, environment.get("TERM") != "dumb")

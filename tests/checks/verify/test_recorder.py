"""recorder: answers like the Messages API and records every request."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from pathlib import Path
from typing import Any

from claude_local.checks.verify.recorder import Recorded, Recorder

BODY = {"model": "some-model", "messages": [{"role": "user", "content": "hi"}]}


def send(
    recorder: Recorder, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", recorder.port, timeout=10)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def events_of(content: bytes) -> list[dict[str, Any]]:
    events = []
    for block in content.decode().strip().split("\n\n"):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def use_a_tool(_request: Recorded) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": "look"},
        {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/x"}},
    ]


def test_a_message_without_stream_is_answered_as_one_json_object() -> None:
    with Recorder() as recorder:
        answer, content = send(recorder, "POST", "/v1/messages?beta=true", BODY)

    message = json.loads(content)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert message["content"] == [{"type": "text", "text": "ok"}]
    assert (message["model"], message["stop_reason"]) == ("some-model", "end_turn")


def test_a_streamed_message_comes_as_events_in_order() -> None:
    with Recorder(use_a_tool) as recorder:
        answer, content = send(recorder, "POST", "/v1/messages", {**BODY, "stream": True})

    events = events_of(content)
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert [event["type"] for event in events] == [
        *("message_start", *block, *block),
        *("message_delta", "message_stop"),
    ]
    assert events[2]["delta"] == {"type": "text_delta", "text": "look"}
    assert events[4]["content_block"] == {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}
    assert json.loads(events[5]["delta"]["partial_json"]) == {"file_path": "/x"}
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_the_script_sees_the_request_that_it_answers() -> None:
    def repeat(request: Recorded) -> list[dict[str, Any]]:
        return [{"type": "text", "text": request.json()["messages"][0]["content"]}]

    with Recorder(repeat) as recorder:
        _, content = send(recorder, "POST", "/v1/messages", BODY)

    assert json.loads(content)["content"] == [{"type": "text", "text": "hi"}]


def test_a_request_is_recorded_with_its_headers_and_body() -> None:
    with Recorder() as recorder:
        send(recorder, "POST", "/v1/messages?beta=true", BODY, {"X-Api-Key": "secret-word"})

    [request] = recorder.requests
    assert (request.method, request.path) == ("POST", "/v1/messages?beta=true")
    assert request.headers["x-api-key"] == "secret-word"
    assert (request.json(), recorder.messages()) == (BODY, [BODY])
    assert request.raw.startswith("POST /v1/messages?beta=true\n")
    assert "x-api-key: secret-word\n" in request.raw
    assert request.raw.endswith(json.dumps(BODY))


def test_a_body_that_is_not_an_object_reads_as_empty() -> None:
    requests = [Recorded("POST", "/", {}, body) for body in (b"", b"no json", b"[1]", b"\xff")]

    assert [request.json() for request in requests] == [{}, {}, {}, {}]


def test_count_tokens_health_and_head_are_answered_and_recorded() -> None:
    with Recorder() as recorder:
        _, counted = send(recorder, "POST", "/v1/messages/count_tokens", BODY)
        _, health = send(recorder, "GET", "/health")
        head, nothing = send(recorder, "HEAD", "/")

    assert json.loads(counted)["input_tokens"] > 1
    assert json.loads(health)["status"] == "ok"
    assert (head.status, nothing) == (200, b"")
    assert [(request.method, request.path) for request in recorder.requests] == [
        ("POST", "/v1/messages/count_tokens"),
        ("GET", "/health"),
        ("HEAD", "/"),
    ]
    assert recorder.messages() == []


def test_a_proxy_request_is_refused_and_recorded() -> None:
    with Recorder() as recorder, socket.create_connection(("127.0.0.1", recorder.port), 10) as connection:
        connection.sendall(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
        status = connection.makefile("rb").readline()

    assert b" 403 " in status
    assert [(request.method, request.path) for request in recorder.requests] == [
        ("CONNECT", "example.org:443")
    ]


def test_with_a_key_only_requests_with_that_key_are_answered() -> None:
    with Recorder(key="the-key") as recorder:
        statuses = [
            send(recorder, method, path, BODY if method == "POST" else None, headers)[0].status
            for method, path in (("GET", "/models"), ("POST", "/v1/messages"))
            for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Bearer the-key"})
        ]

    assert statuses == [401, 401, 200, 401, 401, 200]
    assert len(recorder.requests) == 6


def test_parallel_requests_are_all_answered() -> None:
    everyone_is_here = threading.Barrier(8, timeout=10)

    def wait_for_all(_request: Recorded) -> list[dict[str, Any]]:
        everyone_is_here.wait()
        return [{"type": "text", "text": "ok"}]

    statuses: list[int] = []
    with Recorder(wait_for_all) as recorder:
        threads = [
            threading.Thread(
                target=lambda: statuses.append(send(recorder, "POST", "/v1/messages", BODY)[0].status)
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert statuses == [200] * 8
    assert len(recorder.messages()) == 8


def test_two_recorders_share_no_requests() -> None:
    with Recorder() as one, Recorder() as other:
        send(one, "GET", "/one")

    assert one.url != other.url
    assert ([request.path for request in one.requests], other.requests) == (["/one"], [])


def test_it_also_listens_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Recorder(unix_socket=path) as recorder, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        status = connection.makefile("rb").readline()

    assert b" 200 " in status
    assert [request.path for request in recorder.requests] == ["/health"]


def test_nothing_listens_after_the_end() -> None:
    with Recorder() as recorder:
        port = recorder.port

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0

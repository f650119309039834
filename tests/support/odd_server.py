"""A web server on 127.0.0.1 that answers each request for a file as a test says, wrong answers too."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[bytes, int | None], bytes]
"""The whole response, from the file's content and the first byte of the requested range."""


@dataclass
class OddServer:
    """The file, the answers to the first requests (the last one is repeated), and the ranges that were requested."""

    content: bytes
    answers: list[Answer]
    url: str = ""
    ranges: list[str] = field(default_factory=list)


@contextmanager
def running(content: bytes, *answers: Answer) -> Iterator[OddServer]:
    """Runs the server until the block ends."""
    odd = OddServer(content, list(answers))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b"".join(iter(self.rfile.readline, b"\r\n")).decode()
            asked = re.search(r"(?im)^range: *(\S+)", head)
            odd.ranges.append(asked[1] if asked else "")
            start = re.match(r"bytes=(\d+)-", odd.ranges[-1])
            answer = odd.answers.pop(0) if len(odd.answers) > 1 else odd.answers[0]
            self.wfile.write(answer(odd.content, int(start[1]) if start else None))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is part of the tests."""

    with Server(("127.0.0.1", 0), Handler) as server:
        odd.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield odd
        server.shutdown()


def response(status: str, body: bytes, **headers: str) -> bytes:
    """A response; `Content_Length=…` is a header of this name, "" leaves it out."""
    fields = {"Connection": "close", "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def part(content: bytes, start: int | None, **headers: str) -> bytes:
    """What a good server answers: the part, or the whole file without a range."""
    if start is None:
        return whole(content, start, **headers)
    if start >= len(content):
        return response("416 Range Not Satisfiable", b"", Content_Range=f"bytes */{len(content)}")
    place = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return response("206 Partial Content", content[start:], **{"Content_Range": place, **headers})


def whole(content: bytes, _: int | None, **headers: str) -> bytes:
    """The whole file, whatever was requested."""
    return response("200 OK", content, **headers)

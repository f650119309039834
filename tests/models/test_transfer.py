"""transfer: whatever a server answers, the right file or one true line."""

from __future__ import annotations

import gzip
import io
from functools import partial

import pytest

from claude_local.foundation.errors import UserError
from claude_local.models import hub, transfer
from claude_local.models.hub import Place, RemoteFile
from support.odd_server import Answer, OddServer, part, response, running, whole

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
HAVE = 3000
PATH = "model.gguf"


def cut(answer: Answer, body_bytes: int) -> Answer:
    """The answer, ended after so many bytes of its body."""

    def shorter(content: bytes, start: int | None) -> bytes:
        head, _, body = answer(content, start).partition(b"\r\n\r\n")
        return head + b"\r\n\r\n" + body[:body_bytes]

    return shorter


def compressed(content: bytes, _: int | None) -> bytes:
    return whole(gzip.compress(content), None, Content_Encoding="gzip")


def compressed_part(content: bytes, start: int | None) -> bytes:
    return (
        compressed(content, None)
        if start is None
        else part(gzip.compress(content), 0, Content_Encoding="gzip")
    )


def chunked(content: bytes, start: int | None) -> bytes:
    body = content[start or 0 :]
    pieces = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    place = f"bytes {start}-{SIZE - 1}/{SIZE}" if start is not None else ""
    status = "206 Partial Content" if place else "200 OK"
    return response(status, pieces, Content_Length="", Transfer_Encoding="chunked", Content_Range=place)


def small_part(content: bytes, start: int | None) -> bytes:
    assert start is not None
    body = content[start : start + 1000]
    return response(
        "206 Partial Content", body, Content_Range=f"bytes {start}-{start + len(body) - 1}/{SIZE}"
    )


def other_part(content: bytes, _: int | None, *, first: int) -> bytes:
    return part(content, first)


def gap(content: bytes, start: int | None) -> bytes:
    """Begins one byte late."""
    return whole(content, None) if start is None else part(content, start + 1)


def longer(content: bytes, _: int | None) -> bytes:
    return response("200 OK", content + b"more", Content_Length="")


def elsewhere(target: str) -> Answer:
    return lambda *_: response("302 Found", b"", Location=target)


def refused(status: str, **headers: str) -> Answer:
    return lambda *_: response(status, b"", **headers)


RIGHT: dict[str, list[Answer]] = {
    "a good server": [part],
    "no ranges": [whole],
    "no ranges and no length": [partial(whole, Content_Length="")],
    "chunks": [chunked],
    "part without its place": [partial(part, Content_Range="")],
    "part with nonsense as place": [partial(part, Content_Range="some bytes")],
    "part in another unit": [partial(part, Content_Range="lines 1-2/3"), whole],
    "part without total": [partial(part, Content_Range=f"bytes {HAVE}-{SIZE - 1}/*")],
    "an earlier part": [partial(other_part, first=0)],
    "a part a little earlier": [lambda c, s: part(c, s and s - 10)],
    "a later part": [gap],
    "small parts": [small_part],
    "the whole file, compressed": [compressed],
    "compressed parts": [compressed_part],
    "416": [refused("416 Range Not Satisfiable"), whole],
    "longer without length": [longer],
    "busy for a moment": [refused("503 Service Unavailable"), refused("429 Too Many Requests"), part],
    "cut in the head": [cut(part, 0), part],
    "cut in the middle": [cut(part, 2000), part],
    "cut one byte before the end": [cut(part, SIZE - HAVE - 1), part],
    "cut each time": [cut(part, 700)],
    "whole file cut, then parts": [cut(whole, 500), part],
    "parts cut, then whole file": [cut(part, 500), whole],
    "no answer at all": [lambda *_: b"", part],
    "changed in between": [
        partial(cut(partial(part, ETag='"old"'), 100)),
        partial(part, ETag='"new"'),
    ],
    "another tag each time": [cut(partial(part, ETag=f'"{n}"'), 4000) for n in range(9)],
}

WRONG: dict[str, tuple[list[Answer], str]] = {
    "shorter file": (
        [lambda c, s: part(c[:-1], s)],
        "{url} sends another {path} than the hub describes: 10,239 bytes, not 10,240",
    ),
    "longer file": (
        [lambda c, s: whole(c + b"more", s)],
        "{url} sends another {path} than the hub describes: 10,244 bytes, not 10,240",
    ),
    "always shorter": (
        [cut(partial(whole, Content_Length=""), 2000)],
        "{hub} sends {path} only up to byte 3,000 of 10,240",
    ),
    "a web page": (
        [lambda *_: response("200 OK", b"<html>", Content_Type="text/html")],
        "{url} answers with a web page instead of {path}",
    ),
    "no content": ([refused("204 No Content")], "{url} answers HTTP 204 for {path}"),
    "416 for everything": ([refused("416 Range Not Satisfiable")], "{url} answers HTTP 416 for owner/name"),
    "gone": ([refused("410 Gone")], "{url} answers HTTP 410 for owner/name"),
    "forbidden": ([refused("403 Forbidden")], "{url} refuses owner/name (HTTP 403)"),
    "always busy": ([refused("503 Service Unavailable")], "{url} answers HTTP 503 for owner/name"),
    "too many requests": (
        [refused("429 Too Many Requests")],
        "{url} allows no more requests for now (HTTP 429)",
    ),
    "broken compression": (
        [partial(whole, Content_Encoding="gzip")],
        "{hub} does not answer: Error -3 while decompressing data: incorrect header check (from {url})",
    ),
    "in circles": (
        [elsewhere("/again")],
        "{hub} does not answer: Exceeded maximum allowed redirects. (from {url})",
    ),
    "to nowhere": (
        [elsewhere("nonsense://x/y")],
        "{hub} does not answer: Request URL has an unsupported protocol 'nonsense://'. (from nonsense://x)",
    ),
}


def remote_at(server: OddServer) -> RemoteFile:
    return RemoteFile(Place("owner/name", PATH), f"{server.url}/file", "0" * 40, "e" * 64, SIZE)


def downloaded(server: OddServer, have: int) -> bytes:
    into = io.BytesIO(CONTENT[:have])
    into.seek(have)
    transfer.download(remote_at(server), into, have_bytes=have, pause=lambda _: None)
    return into.getvalue()


@pytest.mark.parametrize("have", [0, HAVE], ids=["from the start", "resumed"])
@pytest.mark.parametrize("name", RIGHT)
def test_a_download_ends_in_the_right_file(name: str, have: int) -> None:
    with running(CONTENT, *RIGHT[name]) as server:
        assert downloaded(server, have) == CONTENT


@pytest.mark.parametrize("name", WRONG)
def test_a_download_that_cannot_end_well_is_one_true_line(name: str) -> None:
    answers, expected = WRONG[name]

    with running(CONTENT, *answers) as server, pytest.raises(UserError) as caught:
        downloaded(server, HAVE)

    assert caught.value.message == expected.format(url=server.url, hub=hub.endpoint(), path=PATH)
    assert caught.value.hint


@pytest.mark.parametrize("cut_after", range(0, 400, 25))
def test_a_connection_may_break_at_any_point_of_the_answer(cut_after: int) -> None:
    def broken(content: bytes, start: int | None) -> bytes:
        return part(content, start)[:cut_after]

    with running(CONTENT, broken, part) as server:
        assert downloaded(server, HAVE) == CONTENT
        assert server.ranges[0] == f"bytes={HAVE}-"


def test_a_redirect_in_between_is_followed() -> None:
    with running(CONTENT, part) as storage, running(CONTENT, elsewhere(f"{storage.url}/f")) as server:
        assert downloaded(server, HAVE) == CONTENT
        assert storage.ranges == [f"bytes={HAVE}-"]


@pytest.mark.parametrize(
    "answer", [part, cut(part, 50), lambda c, _: part(c, 5)], ids=["all", "cut", "other"]
)
def test_a_part_is_exactly_the_one_that_was_requested_or_an_error(answer: Answer) -> None:
    with running(CONTENT, answer) as server:
        try:
            got = transfer.read_part(remote_at(server), 100, 60, pause=lambda _: None)
        except UserError as error:
            assert error.hint
        else:
            assert got == CONTENT[100:160]

"""Gets the bytes of a remote file, whatever the server does with a request for a part of it.

Servers ignore ranges, answer with another part or a smaller one, compress, redirect, cut the connection, or change the
file in between. The bytes that are kept always are the beginning of the file, as far as the server says; the checksum
of the whole file is compared elsewhere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from claude_local.foundation.errors import HubFailed
from claude_local.models import hub
from claude_local.models.hub import RemoteFile
from claude_local.models.hub_failures import origin

WAITS_SECONDS = (0.5, 1, 2, 4)
"""Before each further request, as long as no request brings more of the file."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
CONTENT_RANGE = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+|\*)", re.IGNORECASE)
OTHER_MIRROR = "try again later, or another mirror: HF_ENDPOINT=https://..."


def download(
    remote: RemoteFile, into: BinaryIO, *, have_bytes: int = 0, pause: Callable[[float], None] = time.sleep
) -> None:
    """Downloads the file to `into`, which already has the first `have_bytes`.

    Asks again as long as each request brings more, and a few times without. Raises HubFailed; the bytes so far stay.
    """
    with hub.hub_errors(remote.place, remote.token):
        _Download(remote, into, have_bytes).run(pause)


def read_part(
    remote: RemoteFile, start: int, count: int, *, pause: Callable[[float], None] = time.sleep
) -> bytes:
    """`count` bytes of the file. Raises HubFailed if the server does not send this part."""
    with hub.hub_errors(remote.place, remote.token):
        for wait in (*WAITS_SECONDS, None):
            try:
                part = _part(remote, start, count)
            except hub.library().errors.HTTPError as error:
                if wait is None or not _is_passing(error):
                    raise
            else:
                if len(part) == count:
                    return part
            if wait is not None:
                pause(wait)
    raise HubFailed(f"{hub.endpoint()} sends only a part of {remote.place.path}", hint=OTHER_MIRROR)


class _Again(Exception):
    """The answer cannot be used; another request can."""


class _Download:
    """A download: what is there, and what this server can do."""

    def __init__(self, remote: RemoteFile, into: BinaryIO, have_bytes: int) -> None:
        self._remote, self._into = remote, into
        self._position = self._furthest = have_bytes
        self._use_ranges = True
        self._etag = ""
        self._restarts_for_etag = 0

    def run(self, pause: Callable[[float], None]) -> None:
        waits = iter(WAITS_SECONDS)
        while self._position < self._remote.size_bytes:
            before, failure = self._furthest, None
            try:
                self._request()
            except _Again:
                pass
            except hub.library().errors.HTTPError as error:
                if not _is_passing(error):
                    raise
                failure = error
            self._furthest = max(self._furthest, self._position)
            if self._furthest > before:
                waits = iter(WAITS_SECONDS)
                continue
            if (wait := next(waits, None)) is None:
                raise failure or self._stuck()
            pause(wait)

    def _request(self) -> None:
        wanted = f"bytes={self._position}-" if self._use_ranges else ""
        with _answer(self._remote, wanted) as response:
            if response.status_code == 416 and self._use_ranges:
                self._restart(use_ranges=False)
                raise _Again
            _errors_of(response)
            self._begin(response)
            for chunk in response.iter_bytes():
                missing = self._remote.size_bytes - self._position
                self._into.write(chunk[:missing])
                self._position += min(len(chunk), missing)
                if (
                    len(chunk) > missing
                ):  # more than the hub says; the checksum decides what the first part is
                    return

    def _begin(self, response: Any) -> None:
        """Moves to where this answer begins in the file. Raises _Again if it cannot be used."""
        self._refuse_another_file(response)
        if response.status_code != 206:
            self._restart(use_ranges=self._use_ranges)
            return
        part = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if _is_encoded(response) or not part or int(part[1]) > self._position:
            self._restart(use_ranges=False)
            raise _Again
        etag, self._etag = self._etag, response.headers.get("ETag", "")
        if etag and etag != self._etag and self._restarts_for_etag == 0:
            self._restarts_for_etag += 1
            self._restart(use_ranges=True)
            raise _Again
        self._move_to(int(part[1]))

    def _refuse_another_file(self, response: Any) -> None:
        path, size = self._remote.place.path, self._remote.size_bytes
        if response.status_code not in (200, 203, 206):
            raise HubFailed(
                f"{_server(response)} answers HTTP {response.status_code} for {path}", hint=OTHER_MIRROR
            )
        if path.endswith(".gguf") and response.headers.get("Content-Type", "").startswith("text/html"):
            raise HubFailed(
                f"{_server(response)} answers with a web page instead of {path}",
                hint="this network may want a login: open any page in a browser, then run it again",
            )
        sent = _size_of_whole(response)
        if sent is not None and sent != size:
            raise HubFailed(
                f"{_server(response)} sends another {path} than the hub describes: {sent:,} bytes, not {size:,}",
                hint=OTHER_MIRROR,
            )

    def _restart(self, *, use_ranges: bool) -> None:
        self._use_ranges = use_ranges
        self._move_to(0)

    def _move_to(self, position: int) -> None:
        if position != self._position:
            self._into.seek(position)
            self._into.truncate()
            self._position = position

    def _stuck(self) -> HubFailed:
        return HubFailed(
            f"{hub.endpoint()} sends {self._remote.place.path} only up to byte {self._furthest:,} "
            f"of {self._remote.size_bytes:,}",
            hint=OTHER_MIRROR,
        )


def _part(remote: RemoteFile, start: int, count: int) -> bytes:
    with _answer(remote, f"bytes={start}-{start + count - 1}") as response:
        _errors_of(response)
        sent = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        is_part = response.status_code == 206 and not _is_encoded(response) and sent and int(sent[1]) == start
        is_whole = response.status_code == 200 and (start, count) == (0, remote.size_bytes)
        if not (is_part or is_whole):
            raise HubFailed(f"{_server(response)} does not serve parts of files", hint="try another mirror")
        part = bytearray()
        for chunk in response.iter_bytes():
            part += chunk
            if len(part) >= count:
                break
    return bytes(part[:count])


@contextmanager
def _answer(remote: RemoteFile, wanted: str) -> Iterator[Any]:
    library = hub.library()
    headers = library.utils.build_hf_headers(token=remote.token.value if remote.token else False)
    headers |= {"Accept-Encoding": "identity", **({"Range": wanted} if wanted else {})}
    seconds = library.constants.HF_HUB_DOWNLOAD_TIMEOUT
    with library.get_session().stream("GET", remote.url, headers=headers, timeout=seconds) as response:
        yield response


def _errors_of(response: Any) -> None:
    hub.library().utils.hf_raise_for_status(response)


def _is_passing(error: Any) -> bool:
    """Whether the same request can succeed later: a connection that broke, or a server that is busy."""
    import httpx2

    response = getattr(error, "response", None)
    if response is not None:
        return response.status_code in PASSING
    return isinstance(error, httpx2.TimeoutException | httpx2.NetworkError | httpx2.RemoteProtocolError)


def _size_of_whole(response: Any) -> int | None:
    """The size of the whole file by this answer; None if it does not say."""
    if _is_encoded(response):
        return None
    if response.status_code == 206:
        part = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        return int(part[3]) if part and part[3] != "*" else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _is_encoded(response: Any) -> bool:
    return response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")


def _server(response: Any) -> str:
    return origin(str(response.url))

"""The only door to a model hub: finds files, fetches them, reads parts of them.

Built on huggingface_hub, which brings the address of a mirror (`HF_ENDPOINT`), the token that `hf auth
login` stored, `HF_HUB_OFFLINE` and retries. Its own way of saving files is not used: it begins again
after every interruption, and its second protocol (xet) talks to other servers than the mirror.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from claude_local.foundation.errors import HubFailed, UserError

TIMEOUT_SECONDS = 10
BUFFER_BYTES = 4 * 2**20
CHUNK_BYTES = 2**20
"""What is lost at most when a connection breaks, and how often progress is shown."""
SHA256 = re.compile(r"[0-9a-f]{64}")
LOGIN_HINT = "log in with a token that may read it: hf auth login"
RETRY_HINT = "start it again, it goes on where it stopped; a mirror: HF_ENDPOINT=https://..."


@dataclass(frozen=True)
class Place:
    """A path in a repository, in its newest state or at a commit, tag or branch."""

    repo: str
    path: str
    revision: str | None = None


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub describes it. `url` leads to exactly this version."""

    place: Place
    url: str
    commit: str
    etag: str
    size_bytes: int

    @property
    def sha256(self) -> str | None:
        """Its checksum; the hub knows it of all large files."""
        return self.etag if SHA256.fullmatch(self.etag) else None


@dataclass(frozen=True)
class Repository:
    """What the hub says of a repository: files with their sizes, and what its card declares."""

    commit: str
    sizes: dict[str, int]
    card: dict[str, Any]


def endpoint() -> str:
    """Address of the hub or the mirror that is asked."""
    return str(_library().constants.ENDPOINT)


def find(place: Place, *, timeout_seconds: float = TIMEOUT_SECONDS) -> RemoteFile:
    """Asks for size, checksum and commit of a file. Raises HubFailed with the cause."""
    hub = _library()
    with _hub_errors(place):
        url = hub.hf_hub_url(place.repo, place.path, revision=place.revision)
        seen = hub.get_hf_file_metadata(url, timeout=timeout_seconds)
    if not (seen.commit_hash and seen.etag and seen.size is not None):
        raise HubFailed(
            f"{endpoint()} does not answer as a model hub does",
            hint="check HF_ENDPOINT and whether something between you and the hub answers for it",
        )
    fixed = hub.hf_hub_url(place.repo, place.path, revision=seen.commit_hash)
    return RemoteFile(place, fixed, seen.commit_hash, seen.etag, seen.size)


def fetch(remote: RemoteFile, into: BinaryIO, *, have_bytes: int = 0) -> None:
    """Writes the file to `into`, whose first `have_bytes` are there already.

    A broken connection is taken up again some times. Raises HubFailed; what came stays in `into`.
    """
    hub = _library()
    with _hub_errors(remote.place):
        hub.file_download.http_get(
            remote.url,
            into,
            resume_size=have_bytes,
            headers={**hub.utils.build_hf_headers(), "Range": "bytes=0-"},
        )


def open_part(remote: RemoteFile) -> io.BufferedReader:
    """The file for reading; only the parts that are read are fetched."""
    return io.BufferedReader(_Ranges(remote), BUFFER_BYTES)


def read_text(place: Place, *, limit_bytes: int) -> str | None:
    """A small text file of a repository, or None where it has none or a larger one."""
    try:
        remote = find(place)
    except MissingFile:
        return None
    if remote.size_bytes > limit_bytes:
        return None
    return _read_range(remote, 0, remote.size_bytes).decode(errors="replace")


def repository(repo: str, revision: str | None = None) -> Repository:
    """Commit, files and card of a repository. Raises HubFailed."""
    hub = _library()
    with _hub_errors(Place(repo, "", revision)):
        seen = hub.HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS)
    sizes = {file.rfilename: file.size or 0 for file in seen.siblings or []}
    card = seen.card_data.to_dict() if seen.card_data else {}
    return Repository(seen.sha or "main", sizes, card)


class MissingFile(HubFailed):
    """The repository is there and has no such file."""


class _Ranges(io.RawIOBase):
    """A remote file as a seekable stream."""

    def __init__(self, remote: RemoteFile) -> None:
        self._remote = remote
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._remote.size_bytes}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._remote.size_bytes - self._position)
        if wanted <= 0:
            return 0
        data = _read_range(self._remote, self._position, wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class _Bounded(io.BytesIO):
    """Memory for one part; refuses more, which a server sends that ignores ranges."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._limit:
            raise HubFailed(f"{endpoint()} does not serve parts of files", hint="try another mirror")
        return super().write(data)


def _read_range(remote: RemoteFile, start: int, count: int) -> bytes:
    hub = _library()
    part = _Bounded(count)
    headers = {**hub.utils.build_hf_headers(), "Range": f"bytes={start}-{start + count - 1}"}
    with _hub_errors(remote.place):
        if count:
            hub.file_download.http_get(remote.url, part, headers=headers, expected_size=count)
    return part.getvalue()


def _library() -> Any:
    """huggingface_hub, made quiet, with plain HTTP, and sending nothing about this machine."""
    import huggingface_hub
    import huggingface_hub.file_download
    import huggingface_hub.utils.logging

    library: Any = huggingface_hub
    library.constants.HF_HUB_DISABLE_TELEMETRY = True
    library.constants.HF_HUB_DISABLE_XET = True
    library.constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    library.utils.disable_progress_bars()
    library.utils.logging.set_verbosity_error()
    return library


@contextlib.contextmanager
def _hub_errors(place: Place) -> Iterator[None]:
    """Turns what huggingface_hub raises into one line and a next step."""
    errors = _library().errors
    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise HubFailed("HF_HUB_OFFLINE is set: no hub is asked", hint="unset HF_HUB_OFFLINE") from None
    except errors.HfHubHTTPError as error:
        raise _refusal(place, error) from None
    except errors.HTTPError as error:
        reason = str(error).strip() or type(error).__name__
        raise HubFailed(f"{endpoint()} does not answer: {reason}", hint=RETRY_HINT) from None
    except errors.HFValidationError:
        raise HubFailed(f"`{place.repo}` is no name of a repository", hint="as owner/name") from None


def _refusal(place: Place, error: Any) -> UserError:
    errors = _library().errors
    name = f"{place.repo}{f' at {place.revision}' if place.revision else ''}"
    if isinstance(error, errors.GatedRepoError):
        return HubFailed(
            f"{place.repo} is gated: its owner gives access one by one",
            hint=f"ask for access at {endpoint()}/{place.repo}, then {LOGIN_HINT}",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return HubFailed(
            f"{endpoint()} has no repository {place.repo}, or it is private",
            hint=f"check the name; if it is private, {LOGIN_HINT}",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return HubFailed(f"{place.repo} has no revision {place.revision}", hint="leave `revision` out")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return MissingFile(f"{name} has no file {place.path}", hint=_similar(place))
    status = error.response.status_code
    if status in (401, 403):
        return HubFailed(f"{endpoint()} refuses {name} (HTTP {status})", hint=LOGIN_HINT)
    return HubFailed(f"{endpoint()} answers HTTP {status} for {name}", hint=RETRY_HINT)


def _similar(place: Place) -> str:
    """What the repository has instead; names on a hub are case sensitive, and uploads get renamed."""
    if not place.path.endswith(".gguf"):
        return ""
    with contextlib.suppress(HubFailed):
        names = {n.lower(): n for n in repository(place.repo, place.revision).sizes if n.endswith(".gguf")}
        near = difflib.get_close_matches(place.path.lower(), names, n=4, cutoff=0.5)
        if near:
            return f"it has: {', '.join(names[n] for n in near)}"
    return f"see what it has: {endpoint()}/{place.repo}/tree/main"

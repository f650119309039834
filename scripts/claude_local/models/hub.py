"""Access to a model hub: finds files and downloads them; the errors of the hub as messages.

Built on huggingface_hub, which supports a mirror (`HF_ENDPOINT`), the token that `hf auth login` stored,
`HF_HUB_OFFLINE` and retries. Its own way of saving files is not used: it starts over after every
interruption, and its second protocol (xet) contacts other servers than the mirror.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from claude_local.foundation.errors import HubFailed, UserError

TIMEOUT_SECONDS = 10
CHUNK_BYTES = 2**20
"""The most that is lost when a connection breaks, and the step of the progress display."""
SHA256 = re.compile(r"[0-9a-f]{64}")
LOGIN_HINT = "log in with a token that may read it: hf auth login"
RETRY_HINT = "run it again, it resumes where it stopped; a mirror: HF_ENDPOINT=https://..."


@dataclass(frozen=True)
class Place:
    """A path in a repository, at its newest state or at a commit, tag or branch."""

    repo: str
    path: str
    revision: str | None = None


@dataclass(frozen=True)
class RemoteFile:
    """A file as described by the hub. `url` is fixed to exactly this version."""

    place: Place
    url: str
    commit: str
    etag: str
    size_bytes: int

    @property
    def sha256(self) -> str | None:
        """Its checksum; the hub has one for every large file."""
        return self.etag if SHA256.fullmatch(self.etag) else None


@dataclass(frozen=True)
class Repository:
    """A repository as described by the hub: files with their sizes, and the metadata of its card."""

    commit: str
    sizes: dict[str, int]
    card: dict[str, Any]


def endpoint() -> str:
    """Address of the hub, or of the mirror in use."""
    return str(library().constants.ENDPOINT)


def find(place: Place, *, timeout_seconds: float = TIMEOUT_SECONDS) -> RemoteFile:
    """Gets size, checksum and commit of a file. Raises HubFailed with the cause."""
    hub = library()
    with hub_errors(place):
        url = hub.hf_hub_url(place.repo, place.path, revision=place.revision)
        seen = hub.get_hf_file_metadata(url, timeout=timeout_seconds)
    if not (seen.commit_hash and seen.etag and seen.size is not None):
        raise HubFailed(
            f"{endpoint()} does not answer like a model hub",
            hint="check HF_ENDPOINT, and whether a proxy answers instead of the hub",
        )
    fixed = hub.hf_hub_url(place.repo, place.path, revision=seen.commit_hash)
    return RemoteFile(place, fixed, seen.commit_hash, seen.etag, seen.size)


def fetch(remote: RemoteFile, into: BinaryIO, *, have_bytes: int = 0) -> None:
    """Downloads the file to `into`, which already has the first `have_bytes`.

    A broken connection is resumed a few times. Raises HubFailed; the bytes so far stay in `into`.
    """
    hub = library()
    with hub_errors(remote.place):
        hub.file_download.http_get(
            remote.url,
            into,
            resume_size=have_bytes,
            headers={**hub.utils.build_hf_headers(), "Range": "bytes=0-"},
        )


def repository(repo: str, revision: str | None = None) -> Repository:
    """Commit, files and card of a repository. Raises HubFailed."""
    hub = library()
    with hub_errors(Place(repo, "", revision)):
        seen = hub.HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS)
    sizes = {file.rfilename: file.size or 0 for file in seen.siblings or []}
    card = seen.card_data.to_dict() if seen.card_data else {}
    return Repository(seen.sha or "main", sizes, card)


def library() -> Any:
    """huggingface_hub, configured to be quiet, use plain HTTP, and send nothing about this machine."""
    import huggingface_hub
    import huggingface_hub.file_download
    import huggingface_hub.utils.logging

    hub: Any = huggingface_hub
    hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    hub.constants.HF_HUB_DISABLE_XET = True
    hub.constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    hub.utils.disable_progress_bars()
    hub.utils.logging.set_verbosity_error()
    return hub


@contextlib.contextmanager
def hub_errors(place: Place) -> Iterator[None]:
    """Turns the exceptions of huggingface_hub into one line and a next step."""
    errors = library().errors
    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise HubFailed("HF_HUB_OFFLINE is set: no hub is contacted", hint="unset HF_HUB_OFFLINE") from None
    except errors.HfHubHTTPError as error:
        raise _refusal(place, error) from None
    except errors.HTTPError as error:
        reason = str(error).strip() or type(error).__name__
        raise HubFailed(f"{endpoint()} does not answer: {reason}", hint=RETRY_HINT) from None
    except errors.HFValidationError:
        raise HubFailed(f"`{place.repo}` is not a repository name", hint="write it as owner/name") from None


class MissingFile(HubFailed):
    """The repository exists but does not have the file."""


def _refusal(place: Place, error: Any) -> UserError:
    errors = library().errors
    name = f"{place.repo}{f' at {place.revision}' if place.revision else ''}"
    if isinstance(error, errors.GatedRepoError):
        return HubFailed(
            f"{place.repo} is gated: its owner grants access individually",
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
    """Similar names in the repository; names on a hub are case sensitive, and uploads get renamed."""
    if not place.path.endswith(".gguf"):
        return ""
    with contextlib.suppress(HubFailed):
        names = {n.lower(): n for n in repository(place.repo, place.revision).sizes if n.endswith(".gguf")}
        near = difflib.get_close_matches(place.path.lower(), names, n=4, cutoff=0.5)
        if near:
            return f"it has: {', '.join(names[n] for n in near)}"
    return f"see what it has: {endpoint()}/{place.repo}/tree/main"

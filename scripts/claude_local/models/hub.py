"""Access to a model hub: finds files; the errors of the hub as messages.

Built on huggingface_hub, which supports a mirror (`HF_ENDPOINT`), the token that `hf auth login` stored, and
`HF_HUB_OFFLINE`. Its own way of getting files is not used: it starts over after every interruption, trusts every
answer to a request for a part, and its second protocol (xet) contacts other servers than the mirror.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from claude_local.foundation.errors import HubFailed
from claude_local.machine import proxies, terminal
from claude_local.models import hub_client, hub_failures, hub_token
from claude_local.models.hub_failures import MissingFile
from claude_local.models.hub_token import Token

TIMEOUT_SECONDS = 10
SHA256 = re.compile(r"[0-9a-f]{64}")
Found = TypeVar("Found")


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
    token: Token | None = None
    """The token to send for it; None for a file that everyone may read."""

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
    return proxies.without_password(library().constants.ENDPOINT)


def find(place: Place, *, timeout_seconds: float = TIMEOUT_SECONDS) -> RemoteFile:
    """Gets size, checksum and commit of a file. Raises HubFailed with the cause."""
    hub = library()

    def ask(token: str | bool) -> Any:
        url = hub.hf_hub_url(place.repo, place.path, revision=place.revision)
        return hub.get_hf_file_metadata(url, timeout=timeout_seconds, token=token)

    try:
        seen, token = _asked(place, ask)
    except MissingFile as missing:
        raise MissingFile(missing.message, hint=_similar(place)) from None
    if not (seen.commit_hash and seen.etag and seen.size is not None):
        raise HubFailed(
            f"{endpoint()} does not answer like a model hub",
            hint="check HF_ENDPOINT, and whether a proxy answers instead of the hub",
        )
    fixed = hub.hf_hub_url(place.repo, place.path, revision=seen.commit_hash)
    return RemoteFile(place, fixed, seen.commit_hash, seen.etag, seen.size, token)


def repository(repo: str, revision: str | None = None) -> Repository:
    """Commit, files and card of a repository. Raises HubFailed."""

    def ask(token: str | bool) -> Any:
        hub = library().HfApi(token=token)
        return hub.model_info(repo, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS)

    seen, _ = _asked(Place(repo, "", revision), ask)
    sizes = {file.rfilename: file.size or 0 for file in seen.siblings or []}
    card = seen.card_data.to_dict() if seen.card_data else {}
    return Repository(seen.sha or "main", sizes, card)


@functools.cache
def library() -> Any:
    """huggingface_hub, configured to be quiet, use plain HTTP, and send nothing about this machine.

    Raises HubFailed if a variable of the environment does not let it start.
    """
    hub_client.check(os.environ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about settings of its own downloads, which are not used
        import huggingface_hub
        import huggingface_hub.utils.logging

    hub: Any = huggingface_hub
    hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    hub.constants.HF_HUB_DISABLE_XET = True
    hub.utils.logging.set_verbosity_error()
    hub.set_client_factory(lambda: hub_client.new_client(os.environ, _refuse_if_offline))
    return hub


@contextlib.contextmanager
def hub_errors(place: Place, token: Token | None = None) -> Iterator[None]:
    """Turns the exceptions of huggingface_hub into one line and a next step. `token` was sent."""
    errors = library().errors
    try:
        yield
    except errors.OfflineModeIsEnabled:
        name = "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"
        raise HubFailed(f"{name} is set: no hub is contacted", hint=f"unset {name}") from None
    except errors.HfHubHTTPError as error:
        raise hub_failures.refusal(
            endpoint(), place.repo, place.path, place.revision, error, errors, token
        ) from None
    except errors.HTTPError as error:
        raise hub_failures.no_answer(error, endpoint(), os.environ) from None
    except errors.HFValidationError:
        raise HubFailed(f"`{place.repo}` is not a repository name", hint="write it as owner/name") from None


def _asked(place: Place, ask: Callable[[str | bool], Found]) -> tuple[Found, Token | None]:
    """What the hub answers, and the token that it accepted. Public files are asked for without a refused one."""
    hub = library()
    token = hub_token.find(hub, os.environ)
    with hub_errors(place, token):
        try:
            return ask(token.value if token else False), token
        except hub.errors.GatedRepoError:
            raise
        except hub.errors.HfHubHTTPError as refused:
            if token is None or refused.response.status_code not in (401, 403):
                raise
            try:
                found = ask(False)
            except (hub.errors.RemoteEntryNotFoundError, hub.errors.RevisionNotFoundError):
                raise
            except hub.errors.HfHubHTTPError:
                raise refused from None
            _warn_of(token)
            return found, None


@functools.cache
def _warn_of(token: Token) -> None:
    """Says once that a token is refused."""
    terminal.warn(f"{endpoint()} refuses {token.name}; public files need none ({token.remedy})")


def _refuse_if_offline(_: Any) -> None:
    hub = library()
    if hub.constants.is_offline_mode():
        raise hub.errors.OfflineModeIsEnabled


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

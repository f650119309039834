"""Downloads a profile's files from a model hub and checks each against its checksum.

A file is downloaded under a hidden name in the same folder, and renamed when it is complete and correct.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from claude_local.foundation import figures
from claude_local.foundation.errors import HubFailed, UserError
from claude_local.machine.settings import Settings
from claude_local.models import checksums, hub, transfer
from claude_local.models.download_lock import Counted, locked, partial_path, size_of
from claude_local.models.model_files import Wanted, wanted_files
from claude_local.profiles.profile import Profile


class Show(Protocol):
    """A progress display, such as `progress.transfer`."""

    def __call__(
        self, label: str, total_bytes: int, *, have_bytes: int = 0
    ) -> AbstractContextManager[Callable[[int], None]]: ...


@dataclass(frozen=True)
class Pulled:
    """A file that is on disk now. `checked` names the source of the expected checksum; "" if there was none."""

    target: Path
    size_bytes: int
    sha256: str
    downloaded: bool
    checked: str


def pull(settings: Settings, profile: Profile, show: Show, *, force: bool = False) -> list[Pulled]:
    """Downloads missing files and checks existing ones; `force` downloads all of them again.

    Raises UserError with the cause and the next step. A partial download is kept and resumed by the next call.
    """
    wanted = wanted_files(settings, profile)
    here = {item: _check_present(settings, item, show) for item in wanted if _is_here(item, force)}
    missing = {item: _find(item) for item in wanted if item not in here}
    _check_space(settings, missing)
    return [here[item] if item in here else _download(settings, item, missing[item], show) for item in wanted]


def _is_here(item: Wanted, force: bool) -> bool:
    return item.target.is_file() and not force


def _check_present(settings: Settings, item: Wanted, show: Show) -> Pulled:
    size = item.target.stat().st_size
    if item.size_bytes and size != item.size_bytes:
        raise UserError(
            f"{item.target} is not the file that the profile names: it has {size:,} bytes, "
            f"not {item.size_bytes:,}",
            hint=f"replace it: invoke pull {item.profile} --force",
        )
    expected, source = item.sha256, "the profile"
    if expected is None and item.repo:
        with contextlib.suppress(HubFailed):  # without a hub there is no checksum to compare
            expected, source = hub.find(item.place).sha256, "the hub"
    with show(f"checking {item.target.name}", size) as at:
        actual = checksums.sha256_of(settings.state_dir, item.target, _summing(at))
    if expected and actual != expected:
        raise UserError(
            f"{item.target} is not the file that {source} names: its sha256 is {actual}, not {expected}",
            hint=f"replace it: invoke pull {item.profile} --force",
        )
    return Pulled(item.target, size, actual, downloaded=False, checked=source if expected else "")


def _find(item: Wanted) -> hub.RemoteFile:
    """The hub's description of a file. Raises UserError if it differs from the profile."""
    if item.repo is None:
        hint = "write it: invoke demo-model" if item.profile == "demo" else f"put it there: {item.target}"
        raise UserError(f"profile `{item.profile}` does not say where {item.hub_path} comes from", hint=hint)
    remote = hub.find(item.place)
    for what, mine, theirs in (
        ("sha256", item.sha256, remote.sha256),
        ("size_bytes", item.size_bytes, remote.size_bytes),
    ):
        if mine and theirs and mine != theirs:
            raise UserError(
                f"{item.hub_path} in {item.repo} is not the file that profile `{item.profile}` names: "
                f"{what} {theirs}, not {mine}",
                hint="if a newer file was uploaded and you want it: remove size_bytes and sha256 from "
                f"profiles/{item.profile}.yaml, then: invoke pull {item.profile} --record",
            )
    return remote


def _check_space(settings: Settings, missing: dict[Wanted, hub.RemoteFile]) -> None:
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    sizes = [remote.size_bytes - size_of(partial_path(item, remote)) for item, remote in missing.items()]
    free = shutil.disk_usage(settings.models_dir).free
    if sum(sizes) > free:
        raise UserError(
            f"not enough disk space in {settings.models_dir}: {figures.size(sum(sizes))} needed, "
            f"{figures.size(free)} free",
            hint="delete what no profile uses: invoke models --prune; or use another disk: CLAUDE_LOCAL_MODELS_DIR",
        )


def _download(settings: Settings, item: Wanted, remote: hub.RemoteFile, show: Show) -> Pulled:
    partial = partial_path(item, remote)
    try:
        with locked(partial, item) as file:
            _fill(file, partial, remote, show)
            sha256 = _verified(item, remote, partial, show)
            partial.replace(item.target)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        first = "make room" if full else f"check that you can write to {item.target.parent}"
        raise UserError(
            f"{item.target} cannot be written: {error.strerror or error}",
            hint=f"{first}, then continue ({figures.size(size_of(partial))} are kept): invoke pull {item.profile}",
        ) from None
    checksums.moved(settings.state_dir, item.target, sha256)
    source = "the profile" if item.sha256 else "the hub" if remote.sha256 else ""
    return Pulled(item.target, remote.size_bytes, sha256, downloaded=True, checked=source)


def _fill(file: IO[bytes], partial: Path, remote: hub.RemoteFile, show: Show) -> None:
    have = size_of(partial)
    if have > remote.size_bytes:
        have = file.truncate(0)
    file.seek(have)
    with show(remote.place.path, remote.size_bytes, have_bytes=have) as at:
        if have < remote.size_bytes:
            transfer.download(remote, Counted(file, at), have_bytes=have)  # type: ignore[arg-type]
    file.flush()


def _verified(item: Wanted, remote: hub.RemoteFile, partial: Path, show: Show) -> str:
    size, expected = size_of(partial), item.sha256 or remote.sha256
    with show(f"checking {item.target.name}", size) as at:
        actual = checksums.hash_file(partial, _summing(at))
    wrong_size = size != remote.size_bytes
    if wrong_size or (expected and actual != expected):
        partial.unlink()
        what = (
            f"{size:,} bytes, not {remote.size_bytes:,}" if wrong_size else f"sha256 {actual}, not {expected}"
        )
        raise UserError(
            f"{item.hub_path} arrived damaged or changed: {what}; it was deleted",
            hint=f"download it again: invoke pull {item.profile}; if this repeats, try another mirror",
        )
    return actual


def _summing(at: Callable[[int], None]) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        at(done)

    return advance

"""Brings a profile's files from a model hub onto this disk, and checks each against its checksum.

A file grows under a hidden name beside its place and gets its own name when it is whole and right.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from claude_local.foundation import figures
from claude_local.foundation.errors import Busy, HubFailed, UserError
from claude_local.machine.settings import Settings
from claude_local.models import checksums, hub
from claude_local.models.model_files import PARTIAL, Wanted, wanted_files
from claude_local.profiles.profile import Profile


class Show(Protocol):
    """How progress is shown; `progress.transfer` is one."""

    def __call__(
        self, label: str, total_bytes: int, *, have_bytes: int = 0
    ) -> AbstractContextManager[Callable[[int], None]]: ...


@dataclass(frozen=True)
class Pulled:
    """A file that is on disk now. `checked` is what it was compared with, or "" if with nothing."""

    target: Path
    size_bytes: int
    sha256: str
    downloaded: bool
    checked: str


def pull(settings: Settings, profile: Profile, show: Show, *, force: bool = False) -> list[Pulled]:
    """Downloads what is missing and checks what is there; `force` downloads everything again.

    Raises UserError with the cause and the next step. What came so far stays and is gone on with.
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
        with contextlib.suppress(HubFailed):  # without a hub there is nothing to compare with
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
    """The hub's description of a file, if it is the one that the profile means."""
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
                f"{item.repo} has another {item.hub_path} than profile `{item.profile}` means: "
                f"{what} {theirs}, not {mine}",
                hint=f"a newer upload? To take it, remove size_bytes and sha256 from profiles/{item.profile}"
                f".yaml, then: invoke pull {item.profile} --record",
            )
    return remote


def _check_space(settings: Settings, missing: dict[Wanted, hub.RemoteFile]) -> None:
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    sizes = [remote.size_bytes - _size(_partial(item, remote)) for item, remote in missing.items()]
    free = shutil.disk_usage(settings.models_dir).free
    if sum(sizes) > free:
        raise UserError(
            f"{figures.size(sum(sizes))} are to come, and {settings.models_dir} has {figures.size(free)} free",
            hint="make room (invoke models --prune), or use another disk: CLAUDE_LOCAL_MODELS_DIR",
        )


def _download(settings: Settings, item: Wanted, remote: hub.RemoteFile, show: Show) -> Pulled:
    partial = _partial(item, remote)
    try:
        with _locked(partial, item) as file:
            _fill(file, partial, remote, show)
            sha256 = _verified(item, remote, partial, show)
            partial.replace(item.target)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        first = "make room" if full else f"see that you may write in {item.target.parent}"
        raise UserError(
            f"{item.target} cannot be written: {error.strerror or error}",
            hint=f"{first}, then go on ({figures.size(_size(partial))} are kept): invoke pull {item.profile}",
        ) from None
    checksums.moved(settings.state_dir, item.target, sha256)
    source = "the profile" if item.sha256 else "the hub" if remote.sha256 else ""
    return Pulled(item.target, remote.size_bytes, sha256, downloaded=True, checked=source)


def _fill(file: IO[bytes], partial: Path, remote: hub.RemoteFile, show: Show) -> None:
    have = _size(partial)
    if have > remote.size_bytes:
        have = file.truncate(0)
    file.seek(have)
    with show(remote.place.path, remote.size_bytes, have_bytes=have) as at:
        if have < remote.size_bytes:
            hub.fetch(remote, _Counted(file, at), have_bytes=have)  # type: ignore[arg-type]
    file.flush()


def _verified(item: Wanted, remote: hub.RemoteFile, partial: Path, show: Show) -> str:
    size, expected = _size(partial), item.sha256 or remote.sha256
    with show(f"checking {item.target.name}", size) as at:
        actual = checksums.hash_file(partial, _summing(at))
    wrong_size = size != remote.size_bytes
    if wrong_size or (expected and actual != expected):
        partial.unlink()
        what = (
            f"{size:,} bytes, not {remote.size_bytes:,}" if wrong_size else f"sha256 {actual}, not {expected}"
        )
        raise UserError(
            f"{item.hub_path} came damaged or changed: {what}; it is deleted",
            hint=f"download it again: invoke pull {item.profile}; if it stays so, try another mirror",
        )
    return actual


class _Counted:
    """A file that tells how far it is."""

    def __init__(self, file: IO[bytes], at: Callable[[int], None]) -> None:
        self._file, self._at = file, at
        self.tell, self.seek = file.tell, file.seek

    def write(self, data: bytes) -> int:
        count = self._file.write(data)
        self._at(self._file.tell())
        return count

    def truncate(self, size: int | None = None) -> int:
        result = self._file.truncate(size)
        self._at(result)
        return result


@contextlib.contextmanager
def _locked(partial: Path, item: Wanted) -> Iterator[Any]:
    """The growing file, open, and held against a second `invoke pull`."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.touch()
    with partial.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another command is downloading {item.target.name}", hint="wait for it") from None
        yield file


def _partial(item: Wanted, remote: hub.RemoteFile) -> Path:
    version = re.sub(r"\W", "", remote.etag)[:12]
    return item.target.with_name(f".{item.target.name}.{version}{PARTIAL}")


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _summing(at: Callable[[int], None]) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        at(done)

    return advance

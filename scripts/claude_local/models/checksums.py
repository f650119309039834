"""Checksums of model files, cached by path, size and modification time, so that each is computed once."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from claude_local.machine.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.machine.state_folder import CHECKSUMS, CHECKSUMS_LOCK

CHUNK_BYTES = 4 * 2**20


def known_sha256(state_dir: Path, file: Path) -> str | None:
    """The cached checksum of `file`; None without one, or if the file has changed."""
    seen = _read(state_dir).get(str(file.resolve()))
    if not isinstance(seen, dict):
        return None
    return str(seen["sha256"]) if {**seen, "sha256": ""} == _fingerprint(file) else None


def has_changed(state_dir: Path, file: Path) -> bool:
    """Whether a checksum of `file` is cached and the file has changed since."""
    return str(file.resolve()) in _read(state_dir) and known_sha256(state_dir, file) is None


def sha256_of(state_dir: Path, file: Path, advance: Callable[[int], None]) -> str:
    """The checksum of `file`, cached or computed now. `advance` receives the number of bytes of each chunk."""
    known = known_sha256(state_dir, file)
    if known:
        return known
    before = _fingerprint(file)
    made = hash_file(file, advance)
    if _fingerprint(file) == before:
        _remember(state_dir, file, {**before, "sha256": made})
    return made


def hash_file(file: Path, advance: Callable[[int], None]) -> str:
    """The SHA-256 of a file as hex digits."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(CHUNK_BYTES):
            digest.update(piece)
            advance(len(piece))
    return digest.hexdigest()


def moved(state_dir: Path, file: Path, sha256: str) -> None:
    """Caches a checksum that was computed before the file was renamed."""
    _remember(state_dir, file, {**_fingerprint(file), "sha256": sha256})


def _fingerprint(file: Path) -> dict[str, Any]:
    seen = file.stat()
    return {"size_bytes": seen.st_size, "changed_ns": seen.st_mtime_ns, "sha256": ""}


def _read(state_dir: Path) -> dict[str, Any]:
    try:
        seen = json.loads(CHECKSUMS.below(state_dir).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return seen if isinstance(seen, dict) else {}


def _remember(state_dir: Path, file: Path, entry: dict[str, Any]) -> None:
    private_directory(state_dir)
    with CHECKSUMS_LOCK.below(state_dir).open("a") as lock:  # two commands may finish at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        seen = {path: known for path, known in _read(state_dir).items() if Path(path).exists()}
        text = json.dumps(seen | {str(file.resolve()): entry}, indent=1, sort_keys=True)
        write_atomic(CHECKSUMS.below(state_dir), text.encode(), mode=PRIVATE_FILE)

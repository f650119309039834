"""Reads the headers of model files on disk. A model in several files (shards) is one model.

Only the first shard describes the model; the others have tensors, their number and the number of shards.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path

from claude_local.foundation.errors import BrokenModelFile, UserError
from claude_local.foundation.gguf_facts import REPLACE_HINT, GgufHeader, TensorInfo, header_of

__all__ = ["GgufHeader", "TensorInfo", "header_of", "read_header", "read_model", "shard_names"]

SHARD = re.compile(r"-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
MAX_SHARDS = 1000
REMEMBERED_FILES = 16
"""Headers in the cache; each takes about 0.2 MB."""


def read_header(path: Path) -> GgufHeader:
    """The header of one GGUF file. Raises UserError if the file is missing or broken.

    Cached until the file changes: skipping a vocabulary takes about 60 ms.
    """
    try:
        if not path.is_file():
            raise UserError(f"there is no file {path}", hint="see what is there: invoke models")
        seen = path.stat()
        return _read_header(path, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


@functools.lru_cache(maxsize=REMEMBERED_FILES)
def _read_header(path: Path, *_: int) -> GgufHeader:
    with path.open("rb") as stream:
        return header_of(stream, path.stat().st_size, str(path))


def read_model(path: Path) -> GgufHeader:
    """The merged headers of all shards of a model; `path` is the first shard, or the only file."""
    first = read_header(path)
    paths = [path.with_name(name) for name in shard_names(path.name)]
    headers = [first, *(read_header(other) for other in paths[1:])]
    _check_shards(headers, paths)
    return _merged(first, headers[1:])


def _merged(first: GgufHeader, others: list[GgufHeader]) -> GgufHeader:
    """One header with the tensors and the size of all shards."""
    if not others:
        return first
    return dataclasses.replace(
        first,
        file_bytes=first.file_bytes + sum(part.file_bytes for part in others),
        shard_count=1 + len(others),
        tensors=sum((part.tensors for part in others), first.tensors),
    )


def shard_names(file: str) -> tuple[str, ...]:
    """Names of all shards of a model in order; for a single file, its own name.

    Raises UserError if `file` is not the first shard.
    """
    found = SHARD.search(file)
    if not found:
        return (file,)
    number, count = int(found["number"]), int(found["count"])
    if number != 1 or not 1 <= count <= MAX_SHARDS:
        raise UserError(f"{file} is not the first shard of a model", hint="name the one with -00001-of-")
    base = file[: found.start()]
    return tuple(f"{base}-{index:05}-of-{count:05}.gguf" for index in range(1, count + 1))


def _check_shards(headers: list[GgufHeader], files: list[Path]) -> None:
    """Raises BrokenModelFile if a file is not the shard that its name says."""
    for number, (header, file) in enumerate(zip(headers, files, strict=True)):
        count = header.metadata.get("split.count")
        own = header.metadata.get("split.no", 0)
        if count is not None and (own, count) != (number, len(files)):
            seen = f"shard {own + 1} of {count}" if type(own) is int else "not a shard"
            raise BrokenModelFile(
                f"{file} is {seen}, not {number + 1} of {len(files)} as its name says",
                hint=f"give it back its own name, or {REPLACE_HINT}",
            )
    tensors = sum(len(header.tensors) for header in headers)
    expected = headers[0].metadata.get("split.tensors.count", tensors)
    if expected != tensors:
        raise BrokenModelFile(
            f"{files[0]} and its shards have {tensors} tensors and should have {expected}", hint=REPLACE_HINT
        )

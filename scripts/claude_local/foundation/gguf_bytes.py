"""Reads the bytes of a GGUF header with a limit on everything: lengths in the file are untrusted.

The reader of the `gguf` package loops over and allocates whatever a file claims; a few changed bytes
keep it busy for hours. This one reads at most MAX_HEADER_BYTES, keeps short values and only counts the
others. It reads GGUF 2 and 3: magic, version, counts, key-value pairs, tensor descriptions.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from typing import BinaryIO

MAGIC = b"GGUF"
VERSIONS = (2, 3)

# Far above real models (about 60 keys, 3,000 tensors, 20 MB with the largest vocabularies).
MAX_HEADER_BYTES = 64 * 2**20
MAX_KEYS = 4096
MAX_TENSORS = 65536
MAX_STRING_BYTES = 16 * 2**20
MAX_NAME_BYTES = 1024
MAX_DIMENSIONS = 4
MAX_ALIGNMENT = 2**20
# Longer values are skipped: vocabularies, merges, whole tokenizer files.
KEPT_STRING_BYTES = 2**20
KEPT_ITEMS = 1024
SKIP_BY_SEEKING_BYTES = 64 * 1024
STRINGS_AT_ONCE = 1000
"""Skipping this many takes about 0.2 ms, during which other threads wait; Python's own switch interval is 5 ms."""

STRING, ARRAY = 8, 9
NUMBERS = {
    number: struct.Struct("<" + code)
    for number, code in {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?"}.items()
} | {10: struct.Struct("<Q"), 11: struct.Struct("<q"), 12: struct.Struct("<d")}
U32, U64 = NUMBERS[4], NUMBERS[10]

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...]


class Broken(Exception):
    """A defect of a header; the message completes a sentence."""


@dataclass(frozen=True)
class RawTensor:
    """The description of one tensor. `offset` counts from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type_number: int
    offset: int


@dataclass
class RawHeader:
    """A header as it is in the file."""

    values: dict[str, Value] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    """Number of items of each array, including arrays that were too long to keep."""
    tensors: list[RawTensor] = field(default_factory=list)
    data_offset: int = 0


@dataclass
class _Cursor:
    """Reads forward in a file of `file_bytes`, never past its end or past the limit."""

    stream: BinaryIO
    file_bytes: int
    position: int = 0

    def take(self, count: int) -> bytes:
        self._advance(count)
        data = self.stream.read(count)
        if len(data) != count:
            raise Broken("it ends in the middle of the header")
        return data

    def skip(self, count: int) -> None:
        if count <= SKIP_BY_SEEKING_BYTES:
            self.take(count)
            return
        self._advance(count)
        self.stream.seek(self.position)

    def skip_strings(self, count: int) -> None:
        """Skips `count` strings, up to half a million in a vocabulary: fast, and yields to other threads in between."""
        end = min(self.file_bytes, MAX_HEADER_BYTES)
        room = end - self.position
        for begun in range(0, count, STRINGS_AT_ONCE):
            room = self._skip_some(min(STRINGS_AT_ONCE, count - begun), room)
            if room < 0:
                break
            time.sleep(0)
        self._advance(end - self.position - room)

    def _skip_some(self, count: int, room: int) -> int:
        """Skips up to `count` strings and returns the remaining room in bytes, negative if it ran out."""
        read, size_of = self.stream.read, U64.unpack
        for _ in range(count):
            head = read(U64.size)
            size = size_of(head)[0] if len(head) == U64.size else MAX_STRING_BYTES
            room -= U64.size + size
            if room < 0:
                break
            if size <= SKIP_BY_SEEKING_BYTES:
                read(size)
            else:
                self.stream.seek(size, 1)
        return room

    def number(self, kind: struct.Struct) -> int:
        return int(kind.unpack(self.take(kind.size))[0])

    def counted(self, limit: int, what: str) -> int:
        count = self.number(U64)
        if count > limit:
            raise Broken(f"it claims {count:,} {what}; the limit is {limit:,}")
        return count

    def name(self) -> str:
        return self.take(self.counted(MAX_NAME_BYTES, "bytes in a name")).decode(errors="replace")

    def _advance(self, count: int) -> None:
        self.position += count
        if self.position > self.file_bytes:
            raise Broken("it ends in the middle of the header")
        if self.position > MAX_HEADER_BYTES:
            raise Broken(f"its header is longer than {MAX_HEADER_BYTES // 2**20} MiB")


def read_raw_header(stream: BinaryIO, file_bytes: int) -> RawHeader:
    """The header at the beginning of `stream`. Raises Broken with the defect, and OSError."""
    cursor = _Cursor(stream, file_bytes)
    _check_magic(cursor)
    tensor_count = cursor.counted(MAX_TENSORS, "tensors")
    key_count = cursor.counted(MAX_KEYS, "keys")
    header = RawHeader()
    for _ in range(key_count):
        _read_pair(cursor, header)
    header.tensors.extend(_read_tensor(cursor) for _ in range(tensor_count))
    alignment = _alignment(header)
    header.data_offset = -(-cursor.position // alignment) * alignment
    return header


def _check_magic(cursor: _Cursor) -> None:
    if cursor.file_bytes < len(MAGIC) or cursor.take(len(MAGIC)) != MAGIC:
        raise Broken("it does not begin with `GGUF`")
    version = cursor.number(U32)
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        why = "for big-endian machines" if swapped in VERSIONS else f"version {version}"
        raise Broken(f"it is {why}; versions 2 and 3 are known")


def _read_pair(cursor: _Cursor, header: RawHeader) -> None:
    key = cursor.name()
    if key in header.values or key in header.lengths:
        raise Broken(f"it has the key {key!r:.60} twice")
    kind = cursor.number(U32)
    if kind == ARRAY:
        _read_array(cursor, key, header)
        return
    value = _read_string(cursor) if kind == STRING else _read_number(cursor, kind)
    if value is not None:
        header.values[key] = value


def _read_number(cursor: _Cursor, kind: int) -> Scalar:
    if kind not in NUMBERS:
        raise Broken(f"it has a value of the unknown type {kind}")
    value: Scalar = NUMBERS[kind].unpack(cursor.take(NUMBERS[kind].size))[0]
    return value


def _read_string(cursor: _Cursor) -> str | None:
    size = cursor.counted(MAX_STRING_BYTES, "bytes in a text")
    if size > KEPT_STRING_BYTES:
        cursor.skip(size)
        return None
    return cursor.take(size).decode(errors="replace")


def _read_array(cursor: _Cursor, key: str, header: RawHeader) -> None:
    kind = cursor.number(U32)
    smallest = U64.size if kind == STRING else NUMBERS[kind].size if kind in NUMBERS else 0
    if not smallest:
        raise Broken(f"it has a list of the unknown type {kind}")
    count = cursor.counted(MAX_HEADER_BYTES // smallest, "items in a list")
    header.lengths[key] = count
    if count > KEPT_ITEMS:
        _skip_items(cursor, kind, count)
    elif kind == STRING:
        header.values[key] = tuple(_read_string(cursor) or "" for _ in range(count))
    else:
        header.values[key] = tuple(_read_number(cursor, kind) for _ in range(count))


def _skip_items(cursor: _Cursor, kind: int, count: int) -> None:
    if kind == STRING:
        cursor.skip_strings(count)
    else:
        cursor.skip(count * NUMBERS[kind].size)


def _read_tensor(cursor: _Cursor) -> RawTensor:
    name = cursor.name()
    dimensions = cursor.number(U32)
    if dimensions > MAX_DIMENSIONS:
        raise Broken(f"tensor {name!r:.60} has {dimensions} dimensions")
    shape = tuple(cursor.number(U64) for _ in range(dimensions))
    return RawTensor(name, shape, cursor.number(U32), cursor.number(U64))


def _alignment(header: RawHeader) -> int:
    alignment = header.values.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
        raise Broken(f"its alignment is {alignment!r:.40}, not a power of two")
    return alignment

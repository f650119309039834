"""Facts about a model from the header of its GGUF file: sizes, layers, heads, tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from claude_local.foundation.errors import BrokenModelFile
from claude_local.foundation.gguf_bytes import Broken, RawHeader, RawTensor, Value, read_raw_header
from claude_local.foundation.gguf_types import FILE_TYPES, TENSOR_TYPES
from claude_local.foundation.plain_text import one_line

ARCHITECTURE = re.compile(r"[A-Za-z0-9._-]{1,64}")
TEMPLATE = "tokenizer.chat_template"
TOOL_TEMPLATE = f"{TEMPLATE}.tool_use"
REPLACE_HINT = "download it again: invoke pull MODEL --force"
MAX_METADATA_TEXT = 4096
MAX_TENSOR_NAME_BYTES = 63
MAX_ELEMENTS = 2**56
MAX_NUMBER = 2**40

PerLayer = int | tuple[int, ...]
"""One number for all layers, or one per layer."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: `shape` as GGUF stores it (fastest dimension first), `type_name` as in `Q4_K`."""

    name: str
    shape: tuple[int, ...]
    type_name: str
    size_bytes: int


@dataclass(frozen=True)
class GgufHeader:
    """The header of a model file. A missing value is None.

    If llama.cpp has a rule for a missing value, it is applied: head_count_kv is head_count, and
    key_length and value_length are embedding_length / head_count.
    """

    architecture: str
    """"" in a file that is not a model, and in the second and later shards of one."""
    name: str | None
    """On one line, cleaned for display."""
    file_bytes: int
    """Size of the file on disk; for merged shards, of all of them."""
    shard_count: int
    file_type: str
    """The quantisation named in the file, as in `Q4_K_M`; else the type of most of its bytes."""
    n_layers: int | None
    context_length: int | None
    embedding_length: int | None
    head_count: PerLayer | None
    head_count_kv: PerLayer | None
    key_length: int | None
    value_length: int | None
    expert_count: int | None
    expert_used_count: int | None
    sliding_window: int | None
    vocabulary_size: int | None
    chat_template: str | None
    """For requests without tools, unless `tool_template` says otherwise."""
    tool_template: str | None
    """The template that llama-server uses for requests with tools, as Claude Code's are."""
    tensors: tuple[TensorInfo, ...]
    metadata: Mapping[str, Value]
    """Every short value by its full key, as in `llama.rope.freq_base`; short lists as tuples."""
    list_lengths: Mapping[str, int]
    """Number of items of every list by its full key, of long ones too."""

    @property
    def tensor_bytes(self) -> int:
        """Size of all weights in bytes."""
        return sum(tensor.size_bytes for tensor in self.tensors)

    def own(self, key: str) -> Value | None:
        """A value under the prefix of the architecture: `own("kv_lora_rank")` is `deepseek2.kv_lora_rank`."""
        return self.metadata.get(f"{self.architecture}.{key}")


def header_of(stream: BinaryIO, file_bytes: int, name: str, *, hint: str = REPLACE_HINT) -> GgufHeader:
    """The header at the beginning of `stream`, of a file of `file_bytes` in total.

    Raises BrokenModelFile; its message begins with `name`.
    """
    try:
        raw = read_raw_header(stream, file_bytes)
        tensors = tuple(_tensor(tensor) for tensor in raw.tensors)
        _check_end(raw, tensors, file_bytes)
        return _header(raw, tensors, file_bytes)
    except Broken as error:
        raise BrokenModelFile(f"{name} is not a complete GGUF file: {error}", hint=hint) from None


def _header(raw: RawHeader, tensors: tuple[TensorInfo, ...], file_bytes: int) -> GgufHeader:
    architecture = _text(raw, "general.architecture") or ""
    if not (ARCHITECTURE.fullmatch(architecture) or (not architecture and _needs_no_architecture(raw))):
        raise Broken(f"its architecture is {architecture!r:.60}")

    def number(key: str) -> int | None:
        return _number(raw, f"{architecture}.{key}")

    heads = _per_layer(raw, f"{architecture}.attention.head_count")
    width = _head_width(number("embedding_length"), heads)
    kv_heads = _per_layer(raw, f"{architecture}.attention.head_count_kv")
    key_length, value_length = number("attention.key_length"), number("attention.value_length")
    return GgufHeader(
        architecture=architecture,
        name=one_line(_text(raw, "general.name") or "") or None,
        file_bytes=file_bytes,
        shard_count=1,
        file_type=_file_type(raw, tensors),
        n_layers=number("block_count"),
        context_length=number("context_length"),
        embedding_length=number("embedding_length"),
        head_count=heads,
        head_count_kv=heads if kv_heads is None else kv_heads,
        key_length=width if key_length is None else key_length,
        value_length=width if value_length is None else value_length,
        expert_count=number("expert_count"),
        expert_used_count=number("expert_used_count"),
        sliding_window=number("attention.sliding_window"),
        vocabulary_size=raw.lengths.get("tokenizer.ggml.tokens"),
        chat_template=_template(raw),
        tool_template=_tool_template(raw),
        tensors=tensors,
        metadata={k: v for k, v in raw.values.items() if _is_short(v)},
        list_lengths=raw.lengths,
    )


def _tensor(raw: RawTensor) -> TensorInfo:
    known = TENSOR_TYPES.get(raw.type_number)
    if known is None:
        raise Broken(f"tensor {raw.name!r:.60} has the unknown type {raw.type_number}")
    type_name, block, block_bytes = known
    if len(raw.name.encode()) > MAX_TENSOR_NAME_BYTES:
        raise Broken(f"tensor {raw.name!r:.60} has a name of more than {MAX_TENSOR_NAME_BYTES} bytes")
    elements = math.prod(raw.shape)
    if elements > MAX_ELEMENTS or (raw.shape and raw.shape[0] % block):
        raise Broken(f"tensor {raw.name!r:.60} has the impossible shape {raw.shape}")
    return TensorInfo(raw.name, raw.shape, type_name, elements // block * block_bytes)


def _check_end(raw: RawHeader, tensors: tuple[TensorInfo, ...], file_bytes: int) -> None:
    ends = (part.offset + info.size_bytes for part, info in zip(raw.tensors, tensors, strict=True))
    expected = raw.data_offset + max(ends, default=0)
    if tensors and expected > file_bytes:
        raise Broken(f"it has {file_bytes:,} bytes and should have {expected:,}")
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise Broken("it has a tensor twice")


def _file_type(raw: RawHeader, tensors: tuple[TensorInfo, ...]) -> str:
    number = raw.values.get("general.file_type")
    if type(number) is int and number in FILE_TYPES:
        return FILE_TYPES[number]
    sizes: dict[str, int] = {}
    for tensor in tensors:
        sizes[tensor.type_name] = sizes.get(tensor.type_name, 0) + tensor.size_bytes
    return max(sizes, key=lambda name: sizes[name], default="unknown")


def _text(raw: RawHeader, key: str) -> str | None:
    value = raw.values.get(key)
    if value is not None and not isinstance(value, str):
        raise Broken(f"its {key} should be a line of text, not {value!r:.60}")
    return value


def _needs_no_architecture(raw: RawHeader) -> bool:
    """The second and later shards, and files with another purpose than a model."""
    return bool(raw.values.get("split.no") or raw.values.get("general.type"))


def _template(raw: RawHeader, key: str = TEMPLATE) -> str | None:
    """A template; llama-server ignores one that is not text."""
    value = raw.values.get(key)
    return value if isinstance(value, str) else None


def _tool_template(raw: RawHeader) -> str | None:
    """As llama-server chooses (build 11669): the one for tools if there is one, else the default."""
    return _template(raw, TOOL_TEMPLATE) or _template(raw)


def _number(raw: RawHeader, key: str) -> int | None:
    value = raw.values.get(key)
    if isinstance(value, tuple):  # one per layer: use the largest
        value = max((item for item in value if type(item) is int), default=None)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise Broken(f"its {key} should be a whole number, not {value!r:.60}")
    return value


def _per_layer(raw: RawHeader, key: str) -> PerLayer | None:
    value = raw.values.get(key)
    if not isinstance(value, tuple):
        return _number(raw, key)
    if not all(type(item) is int and 0 <= item <= MAX_NUMBER for item in value):
        raise Broken(f"its {key} should be whole numbers, not {value!r:.60}")
    return tuple(int(item) for item in value)


def _head_width(embedding_length: int | None, heads: PerLayer | None) -> int | None:
    most = max(heads, default=0) if isinstance(heads, tuple) else heads
    return embedding_length // most if embedding_length and most else None


def _is_short(value: Value) -> bool:
    return not isinstance(value, str) or len(value) <= MAX_METADATA_TEXT

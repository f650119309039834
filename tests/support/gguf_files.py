"""GGUF files for tests: headers with the real dimensions of known architectures, and no weights.

The gguf package writes the header; the weights are a hole in the file, so a model of 60 GB takes a few kB
of disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf

Q4_K, Q8_0, MXFP4, F32 = (gguf.GGMLQuantizationType[name] for name in ("Q4_K", "Q8_0", "MXFP4", "F32"))


ALIGNMENT = 32


@dataclass(frozen=True)
class Dimensions:
    """The dimensions of every model, in llama.cpp's terms."""

    architecture: str
    layers: int
    embedding: int
    heads: int
    kv_heads: int | list[int]


@dataclass(frozen=True)
class Shape(Dimensions):
    """The dimensions of one model."""

    context: int
    feed_forward: int = 1024
    key_length: int | None = None
    value_length: int | None = None
    experts: int | None = None
    experts_used: int | None = None
    window: int | None = None
    more: dict[str, int] = field(default_factory=dict)
    weights: gguf.GGMLQuantizationType = Q4_K
    file_type: int = gguf.LlamaFileType.MOSTLY_Q4_K_M


SHAPES = [
    Shape("llama", 32, 4096, 32, 8, 131072, 14336),
    Shape("qwen2", 28, 1536, 12, 2, 32768, 8960, weights=Q8_0, file_type=gguf.LlamaFileType.MOSTLY_Q8_0),
    Shape("qwen3", 36, 4096, 32, 8, 40960, 12288, 128, 128),
    Shape("qwen3moe", 48, 2048, 32, 4, 262144, 768, 128, 128, 128, 8),
    Shape("gemma3", 62, 5376, 32, 16, 131072, 21504, 128, 128, window=1024),
    Shape("glm4moe", 47, 4096, 96, 8, 131072, 1408, 128, 128, 128, 8),
    Shape(
        *("gpt-oss", 24, 2880, 64, 8, 131072, 2880, 64, 64, 32, 4, 128),
        weights=MXFP4,
        file_type=gguf.LlamaFileType.MOSTLY_MXFP4_MOE,
    ),
    Shape("deepseek2", 27, 2048, 16, 1, 163840, 1536, 576, 512, 64, 6, more={"attention.kv_lora_rank": 512}),
    Shape("mistral3", 40, 5120, 32, 8, 393216, 32768, 128, 128),
    Shape("deci", 4, 1024, 8, [8, 0, 4, 2], 8192),
]
"""Ten architectures; the last has a different number of KV heads in each layer."""

CHAT_TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


def write_header_only(
    path: Path,
    shape: Shape,
    *,
    vocabulary: int = 256,
    layers: range | None = None,
    chat_template: str = CHAT_TEMPLATE,
    name: str | None = None,
    more: dict[str, Any] | None = None,
) -> Path:
    """Writes a GGUF file with the header of such a model and the tensors of `layers`."""
    writer = gguf.GGUFWriter(path, shape.architecture)
    _add_metadata(writer, shape, name or f"{shape.architecture} (random weights)")
    for key, value in (more or {}).items():
        writer.add_key_value(key, value, gguf.GGUFValueType.get_type(value))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"t{number}" for number in range(vocabulary)])
    writer.add_chat_template(chat_template)
    size = _add_tensors(writer, shape, vocabulary, layers or range(shape.layers))
    return write_with_hole(writer, path, size)


def write_with_hole(writer: Any, path: Path, size_bytes: int) -> Path:
    """Writes the header that `writer` has collected; the weights become a hole of this size."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(aligned(path.stat().st_size) + size_bytes)
    return path


def aligned(size_bytes: int) -> int:
    """The size, rounded up to the alignment of the next tensor."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def add_dimensions(writer: Any, shape: Dimensions, *, context: int, feed_forward: int) -> None:
    """Adds the metadata that every architecture has."""
    writer.add_block_count(shape.layers)
    writer.add_context_length(context)
    writer.add_embedding_length(shape.embedding)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)


def _add_metadata(writer: Any, shape: Shape, name: str) -> None:
    writer.add_name(name)
    add_dimensions(writer, shape, context=shape.context, feed_forward=shape.feed_forward)
    writer.add_file_type(shape.file_type)
    numbers = {
        "attention.key_length": shape.key_length,
        "attention.value_length": shape.value_length,
        "attention.sliding_window": shape.window,
        "expert_count": shape.experts,
        "expert_used_count": shape.experts_used,
        **shape.more,
    }
    for key, value in numbers.items():
        if value is not None:
            writer.add_uint32(f"{shape.architecture}.{key}", value)


def _add_tensors(writer: Any, shape: Shape, vocabulary: int, layers: range) -> int:
    """Adds the tensors' descriptions and returns the bytes that they need."""
    total = 0

    def add(name: str, dimensions: tuple[int, ...], kind: gguf.GGMLQuantizationType) -> None:
        nonlocal total
        row = gguf.quant_shape_to_byte_shape(dimensions, kind)
        size = 1
        for length in row:
            size *= length
        writer.add_tensor_info(name, row, _NUMPY[kind == F32], size, raw_dtype=kind)
        total += aligned(size)

    width = shape.embedding
    if 0 in layers:
        add("token_embd.weight", (vocabulary, width), Q8_0)
    for layer in layers:
        add(f"blk.{layer}.attn_norm.weight", (width,), F32)
        ffn = (shape.experts, shape.feed_forward, width) if shape.experts else (shape.feed_forward, width)
        name = "ffn_up_exps" if shape.experts else "ffn_up"
        add(f"blk.{layer}.{name}.weight", ffn, _fitting(shape.weights, width))
    return total


def _fitting(kind: gguf.GGMLQuantizationType, width: int) -> gguf.GGMLQuantizationType:
    return kind if width % gguf.GGML_QUANT_SIZES[kind][0] == 0 else Q8_0


def _numpy() -> dict[bool, Any]:
    import numpy as np

    return {True: np.dtype(np.float32), False: np.dtype(np.uint8)}


_NUMPY = _numpy()

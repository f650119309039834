"""GGUF models of many architectures and any size that llama-server can load, in a few kB of disk.

The gguf package writes header and vocabulary; the weights are a hole in the file, so they are all zero. The memory
that llama-server allocates for a model depends only on its shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import gguf
import numpy as np

from support.gguf_files import Dimensions, add_dimensions, aligned, write_with_hole

F32, F16, Q4_0, Q8_0 = (gguf.GGMLQuantizationType[name] for name in ("F32", "F16", "Q4_0", "Q8_0"))

Tensors = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Shape(Dimensions):
    """The dimensions of one model."""

    feed_forward: int
    head_length: int
    vocabulary: int = 4096
    context: int = 131072
    experts: int = 0
    weights: gguf.GGMLQuantizationType = F16
    merges: bool = False
    """Whether the vocabulary has merges, like real ones; reading them takes time."""
    more: dict[str, Any] = field(default_factory=dict)
    """More metadata, by key below the architecture."""


MODELS = {
    "llama": Shape("llama", 8, 768, 12, 4, 2048, 64),
    "llama-wide": Shape("llama", 4, 2048, 16, 2, 5632, 128, vocabulary=32000, weights=Q8_0),
    "qwen2": Shape("qwen2", 12, 896, 14, 2, 2432, 64, vocabulary=16384),
    "qwen3": Shape("qwen3", 10, 1024, 16, 8, 3072, 128, vocabulary=8192),
    "qwen3moe": Shape(
        *("qwen3moe", 6, 1024, 16, 4, 3072, 128),
        experts=16,
        weights=Q4_0,
        more={"expert_used_count": 4, "expert_feed_forward_length": 384},
    ),
    "gemma3": Shape(
        *("gemma3", 18, 640, 4, 1, 2048, 256),
        vocabulary=32768,
        more={"attention.sliding_window": 512},
    ),
    "gpt-oss": Shape(
        *("gpt-oss", 8, 960, 16, 4, 960, 64),
        experts=8,
        weights=Q8_0,
        more={
            "expert_used_count": 4,
            "expert_feed_forward_length": 960,
            "attention.sliding_window": 128,
        },
    ),
    "deepseek2": Shape(
        *("deepseek2", 6, 1024, 8, 1, 2816, 576),
        experts=8,
        weights=Q8_0,
        more={
            "expert_used_count": 2,
            "expert_shared_count": 1,
            "expert_feed_forward_length": 704,
            "expert_weights_scale": 1.0,
            "leading_dense_block_count": 1,
            "attention.q_lora_rank": 384,
            "attention.kv_lora_rank": 512,
            "attention.key_length_mla": 192,
            "attention.value_length_mla": 128,
            "rope.dimension_count": 64,
        },
    ),
    "phi3": Shape(
        *("phi3", 8, 1024, 16, 8, 2816, 64),
        vocabulary=32064,
        more={"attention.sliding_window": 2048, "rope.dimension_count": 64},
    ),
    "olmo2": Shape("olmo2", 8, 1024, 16, 16, 4096, 64),
    "starcoder2": Shape("starcoder2", 10, 1024, 16, 2, 4096, 64, vocabulary=12288),
    "cohere2": Shape(
        *("cohere2", 8, 1024, 16, 4, 2816, 64),
        vocabulary=24576,
        more={"attention.sliding_window": 1024, "logit_scale": 0.25, "rope.dimension_count": 64},
    ),
    "lfm2": Shape(
        *("lfm2", 8, 1024, 16, [0, 0, 4, 0, 0, 4, 0, 4], 4096, 64),
        more={"shortconv.l_cache": 3},
    ),
    "mamba2": Shape(
        *("mamba2", 8, 768, 0, 0, 0, 0),
        more={
            "ssm.conv_kernel": 4,
            "ssm.inner_size": 1536,
            "ssm.state_size": 128,
            "ssm.time_step_rank": 24,
            "ssm.group_count": 1,
        },
    ),
    "qwen35moe": Shape(
        *("qwen35moe", 8, 512, 8, 2, 0, 64),
        experts=8,
        weights=Q4_0,
        more={
            "expert_used_count": 2,
            "expert_feed_forward_length": 256,
            "expert_shared_feed_forward_length": 256,
            "full_attention_interval": 4,
            "rope.dimension_count": 32,
            "rope.dimension_sections": [6, 5, 5, 0],
            "ssm.conv_kernel": 4,
            "ssm.inner_size": 1024,
            "ssm.state_size": 64,
            "ssm.time_step_rank": 16,
            "ssm.group_count": 8,
        },
    ),
}

LARGE = Shape(
    *("qwen3moe", 24, 2048, 32, 4, 6144, 128),
    vocabulary=151_936,
    merges=True,
    experts=128,
    weights=Q8_0,
    more={"expert_used_count": 8, "expert_feed_forward_length": 768},
)
"""24 of the 48 layers of Qwen3-Coder-30B-A3B, with a vocabulary as large as its own: 16.6 GB.

This is a usual size for a card of 24 GB, and the most that fits into a machine of 24 GB.
"""


def write_model(path: Path, shape: Shape) -> Path:
    """Writes the model; the first token is begin-of-text, the second end-of-text."""
    writer = gguf.GGUFWriter(path, shape.architecture)
    _add_metadata(writer, shape)
    _add_tokenizer(writer, shape.vocabulary, merges=shape.merges)
    size = sum(_add_tensor(writer, name, dimensions, shape.weights) for name, dimensions in _tensors(shape))
    return write_with_hole(writer, path, size)


def _add_metadata(writer: Any, shape: Shape) -> None:
    writer.add_name(f"{shape.architecture} (zero weights)")
    add_dimensions(writer, shape, context=shape.context, feed_forward=shape.feed_forward)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_layer_norm_eps(1e-5)
    writer.add_vocab_size(shape.vocabulary)
    values: dict[str, Any] = {"expert_count": shape.experts, **shape.more} if shape.experts else shape.more
    if shape.head_length:
        value_length = shape.more.get("attention.kv_lora_rank", shape.head_length)
        lengths = {"attention.key_length": shape.head_length, "attention.value_length": value_length}
        values = {**lengths, **values}
    for key, value in values.items():
        name = f"{shape.architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        else:
            kind = gguf.GGUFValueType.FLOAT32 if isinstance(value, float) else gguf.GGUFValueType.UINT32
            writer.add_key_value(name, value, kind)


def _add_tokenizer(writer: Any, vocabulary: int, *, merges: bool) -> None:
    """Adds four control tokens, the 256 bytes in GPT-2's letters, and fillers or words with merges."""
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in letters]
    text = [chr(byte) for byte in letters] + [chr(256 + index) for index in range(len(others))]
    tokens = ["<s>", "</s>", "<unk>", "<|endoftext|>", *text]  # phi3 looks these up by name
    words = list(islice(_words(), vocabulary - len(tokens))) if merges else []
    tokens += words or [f"<{index}>" for index in range(len(tokens), vocabulary)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 4 + [gguf.TokenType.NORMAL] * (vocabulary - 4))
    writer.add_token_merges([f"{word[:-1]} {word[-1]}" for word in words] or ["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)


def _words() -> Iterator[str]:
    """All words of two letters, of three, and so on: each is a shorter word and one more letter."""
    for length in count(2):
        yield from map("".join, product(ascii_lowercase, repeat=length))


def _add_tensor(
    writer: Any, name: str, dimensions: tuple[int, ...], weights: gguf.GGMLQuantizationType
) -> int:
    """Adds a tensor's description, fastest dimension last, and returns its bytes in the file."""
    kind = weights if len(dimensions) > 1 and "conv" not in name and "gate_inp" not in name else F32
    kind = F32 if name.endswith((".bias", "ssm_a", "ssm_d", "ssm_norm.weight")) else kind
    row = gguf.quant_shape_to_byte_shape(dimensions, kind) if kind not in (F32, F16) else dimensions
    items: dict[Any, np.dtype[Any]] = {F32: np.dtype(np.float32), F16: np.dtype(np.float16)}
    item = items.get(kind, np.dtype(np.uint8))
    size = int(np.prod(row)) * item.itemsize
    raw = None if kind in (F32, F16) else kind
    writer.add_tensor_info(name, row, item, size, raw_dtype=raw)
    return aligned(size)


# ---- The tensors of each architecture. Dimensions in numpy's order: rows, columns.


def _tensors(shape: Shape) -> Tensors:
    yield "token_embd.weight", (shape.vocabulary, shape.embedding)
    norm = "token_embd_norm" if shape.architecture == "lfm2" else "output_norm"
    yield f"{norm}.weight", (shape.embedding,)
    if shape.architecture == "starcoder2":
        yield "output_norm.bias", (shape.embedding,)
    if shape.architecture not in ("gemma3", "cohere2", "lfm2"):
        yield "output.weight", (shape.vocabulary, shape.embedding)
    for layer in range(shape.layers):
        for name, dimensions in LAYERS[shape.architecture](shape, layer):
            yield f"blk.{layer}.{name}", dimensions


def _kv_heads(shape: Shape, layer: int) -> int:
    return shape.kv_heads[layer] if isinstance(shape.kv_heads, list) else shape.kv_heads


def _attention(shape: Shape, layer: int, *, bias: bool = False) -> Tensors:
    width, query, key = (
        shape.embedding,
        shape.heads * shape.head_length,
        _kv_heads(shape, layer) * shape.head_length,
    )
    for name, rows in (("attn_q", query), ("attn_k", key), ("attn_v", key)):
        yield f"{name}.weight", (rows, width)
        if bias:
            yield f"{name}.bias", (rows,)
    yield "attn_output.weight", (width, query)


def _norms(shape: Shape, *names: str, length: int | None = None) -> Tensors:
    for name in names:
        yield f"{name}.weight", (length or shape.embedding,)


def _dense(shape: Shape) -> Tensors:
    yield "ffn_gate.weight", (shape.feed_forward, shape.embedding)
    yield "ffn_up.weight", (shape.feed_forward, shape.embedding)
    yield "ffn_down.weight", (shape.embedding, shape.feed_forward)


def _experts(shape: Shape, *, bias: bool = False) -> Tensors:
    width, inner, count = shape.embedding, shape.more["expert_feed_forward_length"], shape.experts
    yield "ffn_gate_inp.weight", (count, width)
    yield "ffn_gate_exps.weight", (count, inner, width)
    yield "ffn_up_exps.weight", (count, inner, width)
    yield "ffn_down_exps.weight", (count, width, inner)
    if bias:
        yield "ffn_gate_inp.bias", (count,)
        yield "ffn_gate_exps.bias", (count, inner)
        yield "ffn_up_exps.bias", (count, inner)
        yield "ffn_down_exps.bias", (count, width)


def _llama(shape: Shape, layer: int) -> Tensors:
    yield from _norms(shape, "attn_norm", "ffn_norm")
    yield from _attention(shape, layer)
    yield from _dense(shape)


def _qwen2(shape: Shape, layer: int) -> Tensors:
    yield from _norms(shape, "attn_norm", "ffn_norm")
    yield from _attention(shape, layer, bias=True)
    yield from _dense(shape)


def _qwen3(shape: Shape, layer: int) -> Tensors:
    yield from _norms(shape, "attn_norm", "ffn_norm")
    yield from _norms(shape, "attn_q_norm", "attn_k_norm", length=shape.head_length)
    yield from _attention(shape, layer)
    yield from _experts(shape) if shape.experts else _dense(shape)


def _gemma3(shape: Shape, layer: int) -> Tensors:
    yield from _norms(shape, "attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm")
    yield from _norms(shape, "attn_q_norm", "attn_k_norm", length=shape.head_length)
    yield from _attention(shape, layer)
    yield from _dense(shape)


def _gpt_oss(shape: Shape, layer: int) -> Tensors:
    yield from _norms(shape, "attn_norm", "post_attention_norm")
    yield from _attention(shape, layer, bias=True)
    yield "attn_output.bias", (shape.embedding,)
    yield "attn_sinks.weight", (shape.heads,)
    yield from _experts(shape, bias=True)


def _deepseek2(shape: Shape, layer: int) -> Tensors:
    rank, rope = shape.more["attention.kv_lora_rank"], shape.more["rope.dimension_count"]
    query = shape.more["attention.q_lora_rank"]
    key, value = shape.more["attention.key_length_mla"], shape.more["attention.value_length_mla"]
    yield from _norms(shape, "attn_norm", "ffn_norm")
    yield from _norms(shape, "attn_kv_a_norm", length=rank)
    yield "attn_q_a.weight", (query, shape.embedding)
    yield "attn_q_a_norm.weight", (query,)
    yield "attn_q_b.weight", (shape.heads * key, query)
    yield "attn_kv_a_mqa.weight", (rank + rope, shape.embedding)
    yield "attn_k_b.weight", (shape.heads, rank, key - rope)
    yield "attn_v_b.weight", (shape.heads, value, rank)
    yield "attn_output.weight", (shape.embedding, shape.heads * value)
    if layer < shape.more["leading_dense_block_count"]:
        yield from _dense(shape)
        return
    inner = shape.more["expert_feed_forward_length"]
    yield from _experts(shape)
    yield "ffn_gate_shexp.weight", (inner, shape.embedding)
    yield "ffn_up_shexp.weight", (inner, shape.embedding)
    yield "ffn_down_shexp.weight", (shape.embedding, inner)


def _phi3(shape: Shape, layer: int) -> Tensors:
    query, key = shape.heads * shape.head_length, _kv_heads(shape, layer) * shape.head_length
    yield from _norms(shape, "attn_norm", "ffn_norm")
    yield "attn_qkv.weight", (query + 2 * key, shape.embedding)
    yield "attn_output.weight", (shape.embedding, query)
    yield "ffn_up.weight", (2 * shape.feed_forward, shape.embedding)
    yield "ffn_down.weight", (shape.embedding, shape.feed_forward)


def _olmo2(shape: Shape, layer: int) -> Tensors:
    yield from _norms(shape, "post_attention_norm", "post_ffw_norm")
    yield from _norms(shape, "attn_q_norm", length=shape.heads * shape.head_length)
    yield from _norms(shape, "attn_k_norm", length=_kv_heads(shape, layer) * shape.head_length)
    yield from _attention(shape, layer)
    yield from _dense(shape)


def _starcoder2(shape: Shape, layer: int) -> Tensors:
    for name in ("attn_norm", "ffn_norm"):
        yield f"{name}.weight", (shape.embedding,)
        yield f"{name}.bias", (shape.embedding,)
    yield from _attention(shape, layer, bias=True)
    yield "attn_output.bias", (shape.embedding,)
    yield "ffn_up.weight", (shape.feed_forward, shape.embedding)
    yield "ffn_up.bias", (shape.feed_forward,)
    yield "ffn_down.weight", (shape.embedding, shape.feed_forward)
    yield "ffn_down.bias", (shape.embedding,)


def _cohere2(shape: Shape, layer: int) -> Tensors:
    yield from _norms(shape, "attn_norm")
    yield from _attention(shape, layer)
    yield from _dense(shape)


def _lfm2(shape: Shape, layer: int) -> Tensors:
    yield from _norms(shape, "attn_norm", "ffn_norm")
    yield from _dense(shape)
    if _kv_heads(shape, layer):
        yield from _norms(shape, "attn_q_norm", "attn_k_norm", length=shape.head_length)
        yield from _attention(shape, layer)
        return
    yield "shortconv.in_proj.weight", (3 * shape.embedding, shape.embedding)
    yield "shortconv.conv.weight", (shape.embedding, shape.more["shortconv.l_cache"])
    yield "shortconv.out_proj.weight", (shape.embedding, shape.embedding)


def _mamba2(shape: Shape, _: int) -> Tensors:
    inner, state, heads = (shape.more[f"ssm.{key}"] for key in ("inner_size", "state_size", "time_step_rank"))
    groups = shape.more["ssm.group_count"]
    yield from _norms(shape, "attn_norm")
    yield "ssm_in.weight", (2 * inner + 2 * groups * state + heads, shape.embedding)
    yield "ssm_conv1d.weight", (inner + 2 * groups * state, shape.more["ssm.conv_kernel"])
    yield "ssm_conv1d.bias", (inner + 2 * groups * state,)
    yield "ssm_dt.bias", (heads,)
    yield "ssm_a", (heads, 1)
    yield "ssm_d", (heads, 1)
    yield "ssm_norm.weight", (groups, inner // groups)
    yield "ssm_out.weight", (shape.embedding, inner)


def _qwen35moe(shape: Shape, layer: int) -> Tensors:
    """Three layers of linear attention, then one of full attention with a gate; experts in all."""
    width, inner = shape.embedding, shape.more["expert_shared_feed_forward_length"]
    yield from _norms(shape, "attn_norm", "post_attention_norm")
    if (layer + 1) % shape.more["full_attention_interval"] == 0:
        yield from _norms(shape, "attn_q_norm", "attn_k_norm", length=shape.head_length)
        for name, (rows, columns) in _attention(shape, layer):
            yield name, (2 * rows if name == "attn_q.weight" else rows, columns)
    else:
        yield from _linear_attention(shape)
    yield from _experts(shape)
    yield "ffn_gate_inp_shexp.weight", (width,)
    yield "ffn_gate_shexp.weight", (inner, width)
    yield "ffn_up_shexp.weight", (inner, width)
    yield "ffn_down_shexp.weight", (width, inner)


def _linear_attention(shape: Shape) -> Tensors:
    width, heads, state, groups, values = (
        shape.embedding,
        *(shape.more[f"ssm.{key}"] for key in ("time_step_rank", "state_size", "group_count", "inner_size")),
    )
    channels = 2 * groups * state + values
    yield "attn_qkv.weight", (channels, width)
    yield "attn_gate.weight", (values, width)
    yield "ssm_conv1d.weight", (channels, shape.more["ssm.conv_kernel"])
    yield "ssm_dt.bias", (heads,)
    yield "ssm_a", (heads,)
    yield "ssm_beta.weight", (heads, width)
    yield "ssm_alpha.weight", (heads, width)
    yield "ssm_norm.weight", (state,)
    yield "ssm_out.weight", (width, values)


LAYERS: dict[str, Callable[[Shape, int], Tensors]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "qwen3moe": _qwen3,
    "gemma3": _gemma3,
    "gpt-oss": _gpt_oss,
    "deepseek2": _deepseek2,
    "phi3": _phi3,
    "olmo2": _olmo2,
    "starcoder2": _starcoder2,
    "cohere2": _cohere2,
    "lfm2": _lfm2,
    "mamba2": _mamba2,
    "qwen35moe": _qwen35moe,
}

"""The memory that a model needs, computed from its file alone: weights, KV cache, compute buffers.

Weights and the KV cache of known architectures (`kv_cache`) are exact; the compute buffer follows a rule that
was compared with llama-server's allocations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.models.fit.kv_cache import (
    CELLS,
    FLOAT_BYTES,
    Load,
    bytes_by_layer,
    cache_bytes,
    has_attention,
    number,
    padded,
)

HIDDEN_STATES = 8
"""Hidden states of a batch in the compute buffer, as seen on build 11669."""
STATES_BEFORE_SCORES = 5
"""The same at the end of the graph."""


FLOAT_TYPES = ("f32", "f16", "bf16")
PIPELINE_COPIES = 4
"""Copies of the inputs of a batch for cards that compute in turn."""


@dataclass(frozen=True)
class Estimate:
    """The memory of a model, on one device or on all together."""

    weights_bytes: int
    cache_bytes: int
    compute_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.cache_bytes + self.compute_bytes

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            self.weights_bytes + other.weights_bytes,
            self.cache_bytes + other.cache_bytes,
            self.compute_bytes + other.compute_bytes,
            (*self.notes, *other.notes),
        )


def estimate(header: GgufHeader, load: Load) -> Estimate:
    """The memory of the model for these load parameters."""
    of_cache, notes = cache_bytes(header, load)
    return Estimate(header.tensor_bytes, of_cache, _compute_bytes(header, load, load.slots), notes)


def compute_bytes(header: GgufHeader, load: Load) -> int:
    """The compute buffer in RAM of the layers there."""
    return _compute_bytes(header, load, load.slots)


def card_compute_bytes(header: GgufHeader, load: Load, *, is_pipelined: bool) -> int:
    """The compute buffer on a card; cards that compute in turn have copies of their inputs (build 11669)."""
    mask = _mask_bytes(header, load)
    states = max(_compute_bytes(header, load, load.slots) - mask, _converted_bytes(header, load))
    return mask + max(0, states) if not is_pipelined else PIPELINE_COPIES * mask + 2 * max(0, states)


def _converted_bytes(header: GgufHeader, load: Load) -> int:
    """The cache of a layer as f16, which flash attention on a card makes of a quantised one, and its queries."""
    share = sum(kind not in FLOAT_TYPES for kind in (load.cache_type_k, load.cache_type_v)) / 2
    as_f16 = dataclasses.replace(load, cache_type_k="f16", cache_type_v="f16")
    layer = max(bytes_by_layer(header, as_f16), default=0.0)
    heads = header.head_count if isinstance(header.head_count, int) else max(header.head_count or (0,))
    width = max(header.embedding_length or 0, heads * (header.key_length or 0))
    return int(share * layer) + HIDDEN_STATES * width * load.batch_tokens * FLOAT_BYTES if share else 0


def host_compute_bytes(header: GgufHeader, load: Load, *, is_pipelined: bool) -> int:
    """The compute buffer in RAM while all layers are on cards: their inputs."""
    copies, states = (PIPELINE_COPIES, 10) if is_pipelined else (1, 4)
    state = (header.embedding_length or 0) * load.batch_tokens * FLOAT_BYTES
    return copies * _mask_bytes(header, load) + states * state


def unused_scores_bytes(header: GgufHeader, load: Load) -> int:
    """The bytes that llama-fit-params counts and llama-server does not allocate (both build 11669).

    The tool reserves the scores of every token of a batch, the server those of one token per slot.
    """
    of_all = _compute_bytes(header, load, load.batch_tokens)
    return of_all - _compute_bytes(header, load, load.slots)


def largest_context(most: int, fits: Callable[[int], bool]) -> int | None:
    """The largest context up to `most` that fits; None if no context does."""
    low, high = 0, most // CELLS
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle * CELLS):
            low = middle
        else:
            high = middle - 1
    return low * CELLS or None


def expert_bytes(header: GgufHeader) -> int:
    """Weights of all experts: `fit` moves these to the CPU first, because each token uses only a few of them."""
    return sum(tensor.size_bytes for tensor in header.tensors if "_exps." in tensor.name)


def embedding_bytes(header: GgufHeader) -> int:
    """Weights that llama.cpp always keeps in RAM: the input token embeddings."""
    return sum(tensor.size_bytes for tensor in header.tensors if tensor.name.startswith("token_embd."))


def _compute_bytes(header: GgufHeader, load: Load, scored_tokens: int) -> int:
    """The peak of simultaneous buffers: the mask and a layer's states, or the scores of the next tokens.

    The scores reuse the place of the mask if they fit there; otherwise they follow it.
    """
    batch, width = load.batch_tokens, header.embedding_length or 0
    mask = _mask_bytes(header, load)
    states = (_inner_width(header) + HIDDEN_STATES * width) * batch * FLOAT_BYTES
    scores = (header.vocabulary_size or 0) * scored_tokens * FLOAT_BYTES
    behind = mask if mask < scores else 0
    return max(mask + states, behind + scores + STATES_BEFORE_SCORES * width * batch * FLOAT_BYTES)


def _mask_bytes(header: GgufHeader, load: Load) -> int:
    """The attention mask of a batch; without flash attention also the attention scores of each head."""
    if not has_attention(header):
        return 0
    heads = (
        max(header.head_count, default=0) if isinstance(header.head_count, tuple) else header.head_count or 0
    )
    value = 2 if load.flash_attention else FLOAT_BYTES * (1 + heads)
    of_slot = load.context_tokens if load.unified else load.context_tokens // load.slots
    return padded(of_slot) * load.batch_tokens * value


def _inner_width(header: GgufHeader) -> int:
    """The largest number of values per token inside a layer, besides hidden states."""
    width, used = header.embedding_length or 0, header.expert_used_count or 0
    has_gate = any(".ffn_gate" in t.name or ".attn_qkv." in t.name for t in header.tensors)
    has_dense = not header.expert_count or number(header, "leading_dense_block_count")
    dense = (2 if has_gate else 1) * number(header, "feed_forward_length") if has_dense else 0
    experts = used * (width + number(header, "expert_feed_forward_length"))
    inner = number(header, "ssm.inner_size")
    convolution = inner + 2 * number(header, "ssm.group_count") * number(header, "ssm.state_size")
    recurrent = max(4 * inner, 2 * convolution)
    return max(dense, experts, recurrent, _latent_width(header))


def _latent_width(header: GgufHeader) -> int:
    """The same for latent attention: the queries of all heads, plain and at the length of the compressed key."""
    key = number(header, "attention.key_length_mla")
    if not key:
        return 0
    heads = header.head_count if isinstance(header.head_count, int) else 0
    compressed = number(header, "attention.kv_lora_rank") + number(header, "rope.dimension_count")
    return heads * (compressed + key) + (header.embedding_length or 0)

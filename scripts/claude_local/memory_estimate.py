"""How much memory a model needs, computed from its file alone: weights, KV cache, compute buffers.

Weights and KV cache are exact for the architectures below; the compute buffer is a rule that was compared
with what llama-server allocates. What is not known is said in `notes` and counted as too much, not too little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from claude_local.gguf_header import GgufHeader

Notes = tuple[str, ...]

# Bytes of one value; the quantised types hold 32 values and a scale in one block.
CACHE_BYTES = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32,
    "q4_1": 20 / 32, "q4_0": 18 / 32, "iq4_nl": 18 / 32,
}  # fmt: skip

# Of so many layers, one attends to everything and the others to a sliding window.
WINDOW_PERIODS = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "exaone4": 4, "olmo2": 4,
}  # fmt: skip
# Their files name a window that llama.cpp does not use.
IGNORES_WINDOW = ("phi3", "mistral3", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "starcoder2")

CELLS = 256
"""The KV cache has a multiple of this many cells."""
HIDDEN_STATES = 8
"""How many hidden states of a batch are in the compute buffer, as seen on build 11669; and at the end:"""
STATES_BEFORE_SCORES = 5
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Load:
    """How llama-server is told to load a model."""

    context_tokens: int
    """Of all slots together."""
    slots: int = 1
    batch_tokens: int = 512
    """Prompt tokens computed at once (`ubatch_size`)."""
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: bool = True
    full_window: bool = False
    """`swa_full`: layers with a sliding window keep everything as well."""


@dataclass(frozen=True)
class Estimate:
    """What a model needs, on one device or on all together."""

    weights_bytes: int
    cache_bytes: int
    compute_bytes: int
    notes: Notes = ()

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.cache_bytes + self.compute_bytes


def estimate(header: GgufHeader, load: Load) -> Estimate:
    """What the model needs when it is loaded like this."""
    cache_bytes, notes = _cache(header, load)
    return Estimate(header.tensor_bytes, cache_bytes, _compute_bytes(header, load, load.slots), notes)


def unused_scores_bytes(header: GgufHeader, load: Load) -> int:
    """What llama-fit-params counts and llama-server does not take (both build 11669).

    The tool makes room for the scores of every token of a batch, the server for one token of each slot.
    """
    of_all = _compute_bytes(header, load, load.batch_tokens)
    return of_all - _compute_bytes(header, load, load.slots)


def largest_context(header: GgufHeader, load: Callable[[int], Load], available_bytes: int) -> int | None:
    """The largest context, up to the model's own, that needs no more memory; None if none does."""
    low, high = 0, (header.context_length or 0) // CELLS
    while low < high:
        middle = (low + high + 1) // 2
        if estimate(header, load(middle * CELLS)).total_bytes <= available_bytes:
            low = middle
        else:
            high = middle - 1
    return low * CELLS or None


def expert_bytes(header: GgufHeader) -> int:
    """Weights of all experts, of which each token uses a few: what `fit` moves to the CPU first."""
    return sum(tensor.size_bytes for tensor in header.tensors if "_exps." in tensor.name)


def embedding_bytes(header: GgufHeader) -> int:
    """Weights that llama.cpp keeps in RAM in any case: the table of input tokens."""
    return sum(tensor.size_bytes for tensor in header.tensors if tensor.name.startswith("token_embd."))


def _cache(header: GgufHeader, load: Load) -> tuple[int, Notes]:
    layers = range(header.n_layers or 0)
    full = _padded(load.context_tokens)
    short = min(full, _padded(((header.sliding_window or 0) + load.batch_tokens) * load.slots))
    with_window, notes = _short_layers(header, load)
    total = sum(
        (short if layer in with_window else full) * _cell_bytes(header, load, layer) for layer in layers
    )
    recurrent = [layer for layer in layers if not _attends(header, layer)]
    state_bytes, more = _state_bytes(header) if recurrent else (0, ())
    return int(total) + len(recurrent) * state_bytes * load.slots, (*notes, *more)


def _padded(cells: int) -> int:
    return -(-cells // CELLS) * CELLS


def _cell_bytes(header: GgufHeader, load: Load, layer: int) -> float:
    """Bytes that a layer keeps of one token."""
    if not _attends(header, layer):
        return 0
    of_key, of_value = CACHE_BYTES[load.cache_type_k], CACHE_BYTES[load.cache_type_v]
    rank = _number(header, "attention.kv_lora_rank")
    if rank and header.own("attention.key_length_mla") is not None:
        # Latent attention keeps one compressed key, and the value is a part of it.
        return (rank + _number(header, "rope.dimension_count")) * of_key
    heads = _kv_heads(header, layer)
    return heads * ((header.key_length or 0) * of_key + (header.value_length or 0) * of_value)


def _kv_heads(header: GgufHeader, layer: int) -> int:
    heads = header.head_count_kv
    if isinstance(heads, tuple):
        return heads[layer] if layer < len(heads) else 0
    return heads or 0


def _attends(header: GgufHeader, layer: int) -> bool:
    """Whether a layer has a KV cache; the others of a hybrid keep a state of fixed size."""
    interval = _number(header, "full_attention_interval")
    if interval or (header.architecture in ("qwen3next", "qwen35", "qwen35moe")):
        return (layer + 1) % (interval or 4) == 0
    return _kv_heads(header, layer) > 0


def _state_bytes(header: GgufHeader) -> tuple[int, Notes]:
    """What a recurrent layer keeps for each slot."""
    inner = _number(header, "ssm.inner_size")
    if inner:
        groups = 2 * _number(header, "ssm.group_count") * _number(header, "ssm.state_size")
        convolution = max(0, _number(header, "ssm.conv_kernel") - 1) * (inner + groups)
        return (convolution + _number(header, "ssm.state_size") * inner) * FLOAT_BYTES, ()
    taps = _number(header, "shortconv.l_cache")
    if taps:
        return (taps - 1) * (header.embedding_length or 0) * FLOAT_BYTES, ()
    return 0, (f"the state of the recurrent layers of `{header.architecture}` is not known, nor counted",)


def _short_layers(header: GgufHeader, load: Load) -> tuple[frozenset[int], Notes]:
    """Which layers attend to a sliding window only."""
    layers = range(header.n_layers or 0)
    if not header.sliding_window or load.full_window or header.architecture in IGNORES_WINDOW:
        return frozenset(), ()
    pattern = header.own("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return frozenset(layer for layer, is_short in zip(layers, pattern, strict=False) if is_short), ()
    period = pattern if type(pattern) is int and pattern > 0 else WINDOW_PERIODS.get(header.architecture)
    if period:
        return frozenset(layer for layer in layers if (layer + 1) % period), ()
    note = f"which layers of `{header.architecture}` have a sliding window is not known: none is counted so"
    return frozenset(), (note,)


def _compute_bytes(header: GgufHeader, load: Load, scored_tokens: int) -> int:
    """The most that is alive at once: the mask with a layer's states, or the scores of the next tokens.

    The scores go to where the mask was if they find room there, else behind it.
    """
    batch, width = load.batch_tokens, header.embedding_length or 0
    mask = _mask_bytes(header, load)
    states = (_inner_width(header) + HIDDEN_STATES * width) * batch * FLOAT_BYTES
    scores = (header.vocabulary_size or 0) * scored_tokens * FLOAT_BYTES
    behind = mask if mask < scores else 0
    return max(mask + states, behind + scores + STATES_BEFORE_SCORES * width * batch * FLOAT_BYTES)


def _mask_bytes(header: GgufHeader, load: Load) -> int:
    """Which token of a batch sees which cell, and without flash attention how much by each head."""
    if not _has_attention(header):
        return 0
    heads = max(header.head_count) if isinstance(header.head_count, tuple) else header.head_count or 0
    value = 2 if load.flash_attention else FLOAT_BYTES * (1 + heads)
    return _padded(load.context_tokens // load.slots) * load.batch_tokens * value


def _has_attention(header: GgufHeader) -> bool:
    return any(_attends(header, layer) for layer in range(header.n_layers or 0))


def _inner_width(header: GgufHeader) -> int:
    """The most values per token inside a layer, besides hidden states."""
    width, used = header.embedding_length or 0, header.expert_used_count or 0
    has_gate = any(".ffn_gate" in t.name or ".attn_qkv." in t.name for t in header.tensors)
    has_dense = not header.expert_count or _number(header, "leading_dense_block_count")
    dense = (2 if has_gate else 1) * _number(header, "feed_forward_length") if has_dense else 0
    experts = used * (width + _number(header, "expert_feed_forward_length"))
    latent = _number(header, "attention.kv_lora_rank") + _number(header, "rope.dimension_count")
    if header.own("attention.key_length_mla") is None:
        latent = 0
    heads = header.head_count if isinstance(header.head_count, int) else 0
    return max(dense, experts, 4 * _number(header, "ssm.inner_size")) + heads * latent


def _number(header: GgufHeader, key: str) -> int:
    value = header.own(key)
    if isinstance(value, tuple):
        value = max((item for item in value if type(item) is int), default=0)
    return value if type(value) is int else 0

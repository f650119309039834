"""The KV cache of a model, computed from its file: bytes per layer and token.

Exact for the architectures below. Unknown values are overestimated, never underestimated, and noted.
"""

from __future__ import annotations

from dataclasses import dataclass

from claude_local.foundation.gguf_header import GgufHeader

Notes = tuple[str, ...]

# Bytes per value; a block of a quantised type has 32 values and a scale.
CACHE_BYTES = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32,
    "q4_1": 20 / 32, "q4_0": 18 / 32, "iq4_nl": 18 / 32,
}  # fmt: skip

# One of this many layers attends to everything, the others to a sliding window.
WINDOW_PERIODS = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "exaone4": 4, "olmo2": 4,
}  # fmt: skip
# Their files have a window that llama.cpp does not use.
IGNORES_WINDOW = ("phi3", "mistral3", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "starcoder2")

FLOAT_BYTES = 4
CELLS = 256
"""The KV cache has a multiple of this many cells."""


@dataclass(frozen=True)
class Load:
    """The parameters with which llama-server loads a model."""

    context_tokens: int
    """Context of all slots together."""
    slots: int = 1
    batch_tokens: int = 512
    """Prompt tokens computed together (`ubatch_size`)."""
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: bool = True
    full_window: bool = False
    """`swa_full`: layers with a sliding window keep all tokens too."""
    unified: bool = False
    """Whether the slots share one cache, each with the whole context."""


def cache_bytes(header: GgufHeader, load: Load) -> tuple[int, Notes]:
    """Bytes of the whole cache, including the states of recurrent layers; and notes on unknown values."""
    _, notes = _short_layers(header, load)
    recurrent = [layer for layer in layers_of(header) if not _attends(header, layer)]
    _, more = _state_bytes(header) if recurrent else (0, ())
    return int(sum(bytes_by_layer(header, load))), (*notes, *more)


def bytes_by_layer(header: GgufHeader, load: Load) -> tuple[float, ...]:
    """Bytes of the cache, or of the states of all slots, in each layer."""
    layers = layers_of(header)
    full = padded(load.context_tokens)
    short = min(full, padded(((header.sliding_window or 0) + load.batch_tokens) * load.slots))
    with_window, _ = _short_layers(header, load)
    state = _state_bytes(header)[0] * load.slots
    return tuple(
        (short if layer in with_window else full) * _cell_bytes(header, load, layer)
        if _attends(header, layer)
        else float(state)
        for layer in layers
    )


def padded(cells: int) -> int:
    """Number of cells that llama.cpp allocates."""
    return -(-cells // CELLS) * CELLS


def _cell_bytes(header: GgufHeader, load: Load, layer: int) -> float:
    """Bytes per token in a layer."""
    if not _attends(header, layer):
        return 0
    of_key, of_value = CACHE_BYTES[load.cache_type_k], CACHE_BYTES[load.cache_type_v]
    rank = number(header, "attention.kv_lora_rank")
    if rank and header.own("attention.key_length_mla") is not None:
        # Latent attention keeps one compressed key that includes the value.
        return (rank + number(header, "rope.dimension_count")) * of_key
    heads = _kv_heads(header, layer)
    return heads * ((header.key_length or 0) * of_key + (header.value_length or 0) * of_value)


def _kv_heads(header: GgufHeader, layer: int) -> int:
    heads = header.head_count_kv
    if isinstance(heads, tuple):
        return heads[layer] if layer < len(heads) else 0
    return heads or 0


def _attends(header: GgufHeader, layer: int) -> bool:
    """Whether a layer has a KV cache; other layers of a hybrid keep a state of fixed size."""
    interval = number(header, "full_attention_interval")
    if interval or (header.architecture in ("qwen3next", "qwen35", "qwen35moe")):
        return (layer + 1) % (interval or 4) == 0
    return _kv_heads(header, layer) > 0


def _state_bytes(header: GgufHeader) -> tuple[int, Notes]:
    """Bytes per slot in a recurrent layer."""
    inner = number(header, "ssm.inner_size")
    if inner:
        groups = 2 * number(header, "ssm.group_count") * number(header, "ssm.state_size")
        convolution = max(0, number(header, "ssm.conv_kernel") - 1) * (inner + groups)
        return (convolution + number(header, "ssm.state_size") * inner) * FLOAT_BYTES, ()
    taps = number(header, "shortconv.l_cache")
    if taps:
        return (taps - 1) * (header.embedding_length or 0) * FLOAT_BYTES, ()
    return 0, (f"the state of the recurrent layers of `{header.architecture}` is unknown and not counted",)


def _short_layers(header: GgufHeader, load: Load) -> tuple[frozenset[int], Notes]:
    """The layers that attend only to a sliding window."""
    layers = layers_of(header)
    if not header.sliding_window or load.full_window or header.architecture in IGNORES_WINDOW:
        return frozenset(), ()
    pattern = header.own("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return frozenset(layer for layer, is_short in zip(layers, pattern, strict=False) if is_short), ()
    period = pattern if type(pattern) is int and pattern > 0 else WINDOW_PERIODS.get(header.architecture)
    if period:
        return frozenset(layer for layer in layers if (layer + 1) % period), ()
    note = f"it is not known which layers of `{header.architecture}` have a sliding window: all are counted in full"
    return frozenset(), (note,)


def has_attention(header: GgufHeader) -> bool:
    """Whether any layer has a KV cache."""
    return any(_attends(header, layer) for layer in layers_of(header))


def layers_of(header: GgufHeader) -> range:
    """The layers; never more than tensors, whatever the file claims."""
    return range(min(header.n_layers or 0, len(header.tensors)))


def number(header: GgufHeader, key: str) -> int:
    """A number of this architecture: the largest of several, 0 if missing."""
    value = header.own(key)
    if isinstance(value, tuple):
        value = max((item for item in value if type(item) is int), default=0)
    return value if type(value) is int else 0

"""The KV cache of a model, computed from its file: bytes per layer and token.

Exact for `architectures.COMPARED`. Of others unknown values are overestimated, and a note calls it an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.models.fit import architectures

Notes = tuple[str, ...]

# Bytes per value; a block of a quantised type has 32 values and a scale.
CACHE_BYTES = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32,
    "q4_1": 20 / 32, "q4_0": 18 / 32, "iq4_nl": 18 / 32,
}  # fmt: skip

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
    has_state = any(_is_recurrent(header, layer) for layer in layers_of(header))
    more = _state_bytes(header)[1] if has_state else ()
    return int(sum(bytes_by_layer(header, load))), (*_notes(header, notes), *more)


def bytes_by_layer(header: GgufHeader, load: Load) -> tuple[float, ...]:
    """Bytes of the cache and of the states of all slots in each layer."""
    full = padded(load.context_tokens)
    short = min(full, padded((_window(header) + load.batch_tokens) * load.slots))
    with_window, _ = _short_layers(header, load)
    state = _state_bytes(header)[0] * load.slots
    return tuple(
        (short if layer in with_window else full)
        * _cell_bytes(header, load, layer, is_short=layer in with_window)
        * _has_cache(header, layer)
        + state * _is_recurrent(header, layer)
        for layer in layers_of(header)
    )


def _notes(header: GgufHeader, of_window: Notes) -> Notes:
    if of_window or header.architecture in architectures.COMPARED:
        return of_window
    note = f"the KV cache of `{header.architecture}` is an estimate: it was never compared with llama.cpp's"
    return (note,)


def padded(cells: int) -> int:
    """Number of cells that llama.cpp allocates."""
    return -(-cells // CELLS) * CELLS


def _cell_bytes(header: GgufHeader, load: Load, layer: int, *, is_short: bool) -> float:
    """Bytes per token in a layer with a cache."""
    of_key, of_value = CACHE_BYTES[load.cache_type_k], CACHE_BYTES[load.cache_type_v]
    rank = number(header, "attention.kv_lora_rank")
    indexed = header.architecture in architectures.INDEXED
    index = number(header, "attention.indexer.key_length") * of_key if indexed else 0
    if rank and header.own("attention.key_length_mla") is not None:
        # Latent attention keeps one compressed key that includes the value.
        return (rank + number(header, "rope.dimension_count")) * of_key + index
    heads = _kv_heads(header, layer)
    key, value = header.key_length or 0, header.value_length or 0
    if is_short:
        key = number(header, "attention.key_length_swa") or key
        value = number(header, "attention.value_length_swa") or value
    return heads * (key * of_key + value * of_value) + index


def _kv_heads(header: GgufHeader, layer: int) -> int:
    heads = header.head_count_kv
    if isinstance(heads, tuple):
        return heads[layer] if layer < len(heads) else 0
    return heads or 0


def _has_cache(header: GgufHeader, layer: int) -> bool:
    """Whether a layer has a KV cache of its own: the last layers of some models use those of earlier ones."""
    shared = number(header, "attention.shared_kv_layers")
    first = architectures.CACHE_LAYERS.get(header.architecture, (header.n_layers or 0) - shared)
    return _attends(header, layer) and layer < first


def _attends(header: GgufHeader, layer: int) -> bool:
    """Whether a layer has attention; other layers of a hybrid keep a state of fixed size."""
    if header.architecture in architectures.RECURRENT:
        return False
    interval = number(header, "full_attention_interval")
    if interval or (header.architecture in ("qwen3next", "qwen35", "qwen35moe")):
        return (layer + 1) % (interval or 4) == 0
    return _kv_heads(header, layer) > 0


def _is_recurrent(header: GgufHeader, layer: int) -> bool:
    """Whether a layer keeps a state."""
    if header.architecture in architectures.BOTH:
        return True
    if _attends(header, layer):
        return False
    if header.architecture in architectures.NEITHER:  # the layers with a feed-forward part have no state
        inner = header.own("feed_forward_length")
        is_dense = inner[layer] if isinstance(inner, tuple) and layer < len(inner) else True
        return not is_dense
    return True


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
    if head := number(header, "kda.head_dim"):
        width = head * _heads(header)
        convolution = max(0, number(header, "ssm.conv_kernel") - 1) * 3 * width
        return (convolution + head * width) * FLOAT_BYTES, ()
    if head := number(header, "wkv.head_size"):
        shifts = number(header, "token_shift_count") or 2
        return (shifts + head) * (header.embedding_length or 0) * FLOAT_BYTES, ()
    return 0, (f"the state of the recurrent layers of `{header.architecture}` is unknown and not counted",)


def _short_layers(header: GgufHeader, load: Load) -> tuple[frozenset[int], Notes]:
    """The layers that attend only to a sliding window."""
    layers, architecture = layers_of(header), header.architecture
    only_with = architectures.WINDOW_ONLY_WITH_LAYERS.get(architecture, header.n_layers)
    if not _window(header) or load.full_window or only_with != header.n_layers:
        return frozenset(), ()
    if architecture in architectures.FULL:
        return frozenset(), ()
    pattern = header.own("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return frozenset(layer for layer, is_short in zip(layers, pattern, strict=False) if is_short), ()
    known = architectures.WINDOW_PERIODS.get(architecture)
    if period := pattern if type(pattern) is int and pattern > 0 else known:
        full = 0 if architecture in architectures.FULL_FIRST else period - 1
        return frozenset(layer for layer in layers if layer % period != full), ()
    note = f"it is not known which layers of `{architecture}` have a sliding window: all are counted in full"
    return frozenset(), (note,)


def _window(header: GgufHeader) -> int:
    named = header.sliding_window or 0
    if named:
        named = architectures.WINDOWS_OF_FILES.get(header.architecture, named)
    return architectures.FIXED_WINDOWS.get(header.architecture, named)


def _heads(header: GgufHeader) -> int:
    heads = header.head_count
    return max(heads, default=0) if isinstance(heads, tuple) else heads or 0


def has_attention(header: GgufHeader) -> bool:
    """Whether any layer has a KV cache."""
    return any(_attends(header, layer) for layer in layers_of(header))


def layers_of(header: GgufHeader) -> range:
    """The layers, without those that predict further tokens; never more than tensors, whatever the file claims."""
    layers = (header.n_layers or 0) - number(header, "nextn_predict_layers")
    return range(max(0, min(layers, len(header.tensors))))


def number(header: GgufHeader, key: str) -> int:
    """A number of this architecture: the largest of several, 0 if missing."""
    value = header.own(key)
    if isinstance(value, tuple):
        value = max((item for item in value if type(item) is int), default=0)
    return value if type(value) is int else 0

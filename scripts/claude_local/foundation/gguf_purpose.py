"""Whether llama-server can load a file as a chat model; if not, what the file is or lacks. Pure.

Only what llama-server refuses for every architecture counts (build 11669): a header does not show everything, so
a file that passes can still fail to load. A test compares the two over a table of files.
"""

from __future__ import annotations

import re

from claude_local.foundation.errors import NotAModel
from claude_local.foundation.gguf_facts import REPLACE_HINT, GgufHeader

BLOCK = re.compile(r"blk\.(\d+)\.")
CHOOSE_HINT = "name the file of the model itself"
PROJECTOR = "a projector for images or sound"
ADAPTER = "a LoRA adapter"
VECTOR = "a control vector"
IMATRIX = "an importance matrix, which is used to make quantised files"
EMBEDDER = "an embedding model, which writes no text"
DRAWER = "a model that makes images or video"

TYPES = {
    "mmproj": PROJECTOR, "projector": PROJECTOR, "adapter": ADAPTER, "lora": ADAPTER,
    "imatrix": IMATRIX, "controlvector": VECTOR, "control_vector": VECTOR,
}  # fmt: skip
"""What a file is, by its `general.type`."""
ARCHITECTURES = {
    "clip": PROJECTOR, "mmproj": PROJECTOR, "controlvector": VECTOR, "control_vector": VECTOR, "imatrix": IMATRIX,
    **dict.fromkeys(
        ("bert", "nomic-bert", "nomic-bert-moe", "modern-bert", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert",
         "t5encoder", "gemma-embedding", "llama-embed"), EMBEDDER,
    ),
    **dict.fromkeys(
        ("flux", "sd1", "sdxl", "sd3", "aura", "ltxv", "hyvid", "wan", "hidream", "cosmos", "lumina2", "qwen_image",
         "pig"), DRAWER,
    ),
    "whisper": "a speech recognition model",
    "wavtokenizer-dec": "the sound decoder of a speech model",
}  # fmt: skip
"""What a file is, by its architecture, if it is not a model that writes text."""
USES = {
    PROJECTOR: "it goes into a profile as `mmproj`",
    ADAPTER: "it is loaded with its model: `extra_args: [--lora, FILE]`",
}


def check_purpose(header: GgufHeader, name: str) -> None:
    """Raises NotAModel if the file is something else than a model; its message begins with `name`."""
    if what := purpose(header):
        use = f"; {USES[what]}" if what in USES else ""
        raise NotAModel(f"{name} is {what}, not a model", hint=f"{CHOOSE_HINT}{use}")


def check_model(header: GgufHeader, name: str) -> None:
    """Raises NotAModel, also if llama-server would refuse the file; `header` is of all shards together."""
    check_purpose(header, name)
    if defect := _defect(header):
        raise NotAModel(f"{name} cannot be loaded: {defect}", hint=REPLACE_HINT)


def purpose(header: GgufHeader) -> str:
    """What a file is if it is not a model; "" for a model."""
    kind = header.metadata.get("general.type")
    if isinstance(kind, str) and kind.lower() in TYPES:
        return TYPES[kind.lower()]
    if header.architecture in ARCHITECTURES:
        return ARCHITECTURES[header.architecture]
    names = [tensor.name for tensor in header.tensors]
    if names and all(name.endswith((".lora_a", ".lora_b")) for name in names):
        return ADAPTER
    if names and all(name.endswith((".in_sum2", ".counts")) for name in names):
        return IMATRIX
    if header.metadata.get("split.no"):
        return "not the first of its shards"
    if not names and "tokenizer.ggml.model" in header.metadata:
        return "a vocabulary without weights"
    return ""


def _defect(header: GgufHeader) -> str:
    return (
        "it does not say its architecture" * (not header.architecture)
        or _missing_value(header)
        or _short_list(header)
        or _vocabulary_defect(header)
        or _tensor_defect(header)
    )


def _missing_value(header: GgufHeader) -> str:
    for key in ("block_count", "context_length", "embedding_length"):
        value = header.own(key)
        if type(value) is not int or value == 0:
            return f"its {header.architecture}.{key} is {'missing' if value is None else repr(value)[:40]}"
    kind = header.metadata.get("general.file_type", 0)
    return "" if type(kind) is int else "its general.file_type is not a number"


def _short_list(header: GgufHeader) -> str:
    """A value per layer, but not for every layer."""
    layers = (header.n_layers or 0) - _extra_layers(header)
    for key in ("attention.head_count", "attention.head_count_kv", "feed_forward_length"):
        count = header.list_lengths.get(f"{header.architecture}.{key}", layers)
        if count < layers:
            return f"its {header.architecture}.{key} has {count} values for {layers} layers"
    return ""


def _vocabulary_defect(header: GgufHeader) -> str:
    kind = header.metadata.get("tokenizer.ggml.model")
    if kind is None:
        return "it has no tokenizer"
    if kind in ("none", "no_vocab"):
        return "it has no vocabulary"
    if not header.vocabulary_size:
        return "it has no list of tokens"
    return ""


def _tensor_defect(header: GgufHeader) -> str:
    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    embedding = shapes.get("token_embd.weight")
    if embedding is None:
        return "it has no tensor `token_embd.weight`"
    expected = (header.embedding_length, header.vocabulary_size)
    if embedding != expected:
        return f"its tensor `token_embd.weight` has the shape {embedding} and should have {expected}"
    if header.own("attention.head_count") is None and any(".attn_q." in name for name in shapes):
        return f"its {header.architecture}.attention.head_count is missing"
    return _layer_defect(header, {int(found[1]) for name in shapes if (found := BLOCK.match(name))})


def _layer_defect(header: GgufHeader, seen: set[int]) -> str:
    layers = header.n_layers or 0
    if seen and max(seen) >= layers:
        return f"it has tensors of layer {max(seen)} and says that it has {layers} layers"
    if seen and header.architecture != "deci":  # which has layers without tensors
        missing = next((n for n in range(layers - _extra_layers(header)) if n not in seen), None)
        if missing is not None:
            return f"the tensors of layer {missing} of {layers} are missing"
    return ""


def _extra_layers(header: GgufHeader) -> int:
    """Layers that predict further tokens; a file may leave them out."""
    count = header.own("nextn_predict_layers")
    return count if type(count) is int else 0

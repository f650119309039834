"""A table of GGUF files as they are in the world: sound ones, broken ones, and files that are not models.

Each is one change to the sound model.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.gguf_corpus import TEMPLATE, TOOLS_TEMPLATE, WIDTH, Tensors, metadata, tensors, tokens, write


@dataclass(frozen=True)
class Case:
    """How a file is made, and whether llama-server loads it."""

    make: Callable[[Path], Path]
    loads: bool


def _case(loads: bool, **parts: Any) -> Case:
    return Case(lambda path: write(path, **parts), loads)


def _values(loads: bool, **changed: Any) -> Case:
    """The sound model with other metadata; `__` in a key is a dot, None removes it."""
    values = {**metadata(), **{key.replace("__", "."): value for key, value in changed.items()}}
    return _case(loads, values={key: value for key, value in values.items() if value is not None})


def _without(*beginnings: str) -> Tensors:
    return {name: shape for name, shape in tensors().items() if not name.startswith(beginnings)}


def _bytes(loads: bool, change: Callable[[bytes], bytes]) -> Case:
    def make(path: Path) -> Path:
        write(path).write_bytes(change(path.read_bytes()))
        return path

    return Case(make, loads)


def _shards(loads: bool, change: Callable[[Path], Path]) -> Case:
    """Shards of five tensors, and a change that returns the file to load."""
    return Case(lambda path: change(write(path, shard_tensors=5)), loads)


def _second(first: Path) -> Path:
    return first.with_name(first.name.replace("00001-of", "00002-of"))


def _lose_second(first: Path) -> Path:
    _second(first).unlink()
    return first


def _cut_second(first: Path) -> Path:
    os.truncate(_second(first), _second(first).stat().st_size - 100)
    return first


def _swap(first: Path) -> Path:
    third = first.with_name(first.name.replace("00001-of", "00003-of"))
    spare = first.with_name("spare.gguf")
    _second(first).rename(spare)
    third.rename(_second(first))
    spare.rename(third)
    return first


ADAPTER: dict[str, Any] = {
    "values": {"general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": 16.0},
    "shapes": {"blk.0.attn_q.weight.lora_a": (8, WIDTH), "blk.0.attn_q.weight.lora_b": (WIDTH, 8)},
}
PROJECTOR: dict[str, Any] = {
    "architecture": "clip",
    "values": {"clip.has_vision_encoder": True, "clip.projector_type": "mlp"},
    "shapes": {"v.patch_embd.weight": (WIDTH, 3, 14, 14)},
}
IMATRIX: dict[str, Any] = {
    "architecture": None,
    "values": {"general.type": "imatrix", "imatrix.datasets": ["a"], "imatrix.chunk_count": 3},
    "shapes": {"blk.0.attn_q.weight.in_sum2": (WIDTH,), "blk.0.attn_q.weight.counts": (1,)},
}
VECTOR: dict[str, Any] = {
    "architecture": "controlvector",
    "values": {"controlvector.model_hint": "llama", "controlvector.layer_count": 2},
    "shapes": {"direction.1": (WIDTH,)},
}

CASES = {
    "sound": _case(True),
    "name with a line end": _values(True, general__name="Small\n"),
    "name with a no-break space": _values(True, general__name="A\u00a0B"),
    "name with a zero byte": _values(True, general__name="A\0B"),
    "name with direction marks": _values(True, general__name="\u202eA\ufffe"),
    "name of 5,000 letters": _values(True, general__name="x" * 5000),
    "no name": _values(True, general__name=None),
    "name that is a number": _values(False, general__name=7),
    "name that is a list": _values(False, general__name=["a", "b"]),
    "no template": _values(True, tokenizer__chat_template=None),
    "empty template": _values(True, tokenizer__chat_template=""),
    "template that is a number": _values(True, tokenizer__chat_template=7),
    "template that is a list": _values(True, tokenizer__chat_template=["a", "b"]),
    "two templates": _values(
        True, tokenizer__chat_template__tool_use=TOOLS_TEMPLATE, tokenizer__chat_templates=["tool_use"]
    ),
    "template with a generation block": _values(
        True, tokenizer__chat_template="{% generation %}" + TEMPLATE + "{% endgeneration %}"
    ),
    "file type that is text": _values(False, general__file_type="Q4"),
    "context that is text": _values(False, llama__context_length="many"),
    "context that is a fraction": _values(False, llama__context_length=4096.0),
    "context that is a list": _values(False, llama__context_length=[4096, 4096]),
    "no context": _values(False, llama__context_length=None),
    "no width": _values(False, llama__embedding_length=None),
    "no layers": _values(False, llama__block_count=None),
    "layers in words": _values(False, llama__block_count="two"),
    "zero layers": _values(False, llama__block_count=0),
    "too many layers": _values(False, llama__block_count=3),
    "too few layers": _values(False, llama__block_count=1),
    "heads per layer": _values(True, llama__attention__head_count=[2, 2]),
    "heads of one layer": _values(False, llama__attention__head_count=[2]),
    "heads below zero": _values(False, llama__attention__head_count_kv=[1, -1]),
    "no heads": _values(False, llama__attention__head_count=None),
    "no tokenizer": _values(False, tokenizer__ggml__model=None),
    "no vocabulary": _values(False, tokenizer__ggml__model="none", tokenizer__ggml__tokens=None),
    "no tokens": _values(False, tokenizer__ggml__tokens=None),
    "too few tokens": _values(
        False, tokenizer__ggml__tokens=tokens()[:290], tokenizer__ggml__token_type=[1] * 290
    ),
    "no architecture": _case(False, architecture=None),
    "architecture with a line end": _case(False, architecture="llama\n"),
    "wider alignment": _values(True, general__alignment=64),
    "odd alignment": _values(False, general__alignment=24),
    "no tensors": _case(False, shapes={}),
    "no embeddings": _case(False, shapes=_without("token_embd")),
    "no tensors of a layer": _case(False, shapes=_without("blk.1.")),
    "tensors of a further layer": _case(False, shapes={**tensors(), "blk.2.attn_norm.weight": (WIDTH,)}),
    "more rope factors": _case(True, shapes={**tensors(), "rope_freqs.weight": (16,)}),
    "a tensor twice": _bytes(False, lambda b: b.replace(b"blk.1.attn_q.weight", b"blk.0.attn_q.weight")),
    "tensor with a long name": _case(False, shapes={**tensors(), "x" * 64: (WIDTH,)}),
    "a key twice": _bytes(
        False, lambda b: b.replace(b"tokenizer.ggml.eos_token_id", b"tokenizer.ggml.bos_token_id")
    ),
    "big-endian": _case(False, big_endian=True),
    "version 1": _bytes(False, lambda b: b[:4] + struct.pack("<I", 1) + b[8:]),
    "version 2": _bytes(True, lambda b: b[:4] + struct.pack("<I", 2) + b[8:]),
    "version 4": _bytes(False, lambda b: b[:4] + struct.pack("<I", 4) + b[8:]),
    "one byte short": _bytes(False, lambda b: b[:-1]),
    "300 bytes short": _bytes(False, lambda b: b[:-300]),
    "cut in the header": _bytes(False, lambda b: b[:1000]),
    "bytes after the end": _bytes(True, lambda b: b + b"x" * 1000),
    "empty": _bytes(False, lambda _: b""),
    "wrong magic": _bytes(False, lambda b: b"GGML" + b[4:]),
    "web page": _bytes(False, lambda _: b"<!DOCTYPE html>"),
    "Git LFS pointer": _bytes(False, lambda _: b"version https://git-lfs\nsize 5\n"),
    "shards": _shards(True, lambda first: first),
    "one shard of one": Case(lambda path: write(path).rename(path.with_name("a-00001-of-00001.gguf")), True),
    "second shard": _shards(False, _second),
    "second shard missing": _shards(False, _lose_second),
    "second shard short": _shards(False, _cut_second),
    "shards in a wrong order": _shards(False, _swap),
    "renamed first shard": _shards(False, lambda first: first.rename(first.with_name("one.gguf"))),
    "adapter": _case(False, **ADAPTER),
    "projector": _case(False, **PROJECTOR),
    "importance matrix": _case(False, **IMATRIX),
    "control vector": _case(False, **VECTOR),
}
"""Files on which our reader and llama-server agree."""

ONLY_THE_SERVER_KNOWS = {
    "unknown architecture": _case(
        False, architecture="novel", values={k.replace("llama.", "novel."): v for k, v in metadata().items()}
    ),
    "unknown tokenizer": _values(False, tokenizer__ggml__model="novel"),
    "unknown word splitting": _values(False, tokenizer__ggml__pre="novel"),
    "no merges": _values(False, tokenizer__ggml__merges=None),
    "no norm epsilon": _values(False, llama__attention__layer_norm_rms_epsilon=None),
    "one tensor missing": _case(False, shapes=_without("blk.1.attn_q")),
    "one tensor too many": _case(False, shapes={**tensors(), "odd.weight": (WIDTH,)}),
    "tensor of another shape": _case(False, shapes={**tensors(), "blk.1.attn_q.weight": (WIDTH, 32)}),
    "template with an error": _values(False, tokenizer__chat_template="{% if %}"),
}
"""Files that a header does not give away: our reader lets them pass, and llama-server gives the reason."""

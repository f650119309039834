"""A small sound GGUF model, and files that differ from it: a llama of two layers that llama-server loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

LAYERS, WIDTH, INNER, VOCABULARY = 2, 64, 64, 300
U32, STRING = gguf.GGUFValueType.UINT32, gguf.GGUFValueType.STRING
TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"
TOOLS_TEMPLATE = TEMPLATE + "{{ tools }}"

Metadata = dict[str, Any]
Tensors = dict[str, tuple[int, ...]]


def metadata() -> Metadata:
    """The metadata of the sound model, by key."""
    own = {
        "block_count": LAYERS,
        "context_length": 4096,
        "embedding_length": WIDTH,
        "feed_forward_length": INNER,
        "attention.head_count": 2,
        "attention.head_count_kv": 1,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": 32,
    }
    return {
        "general.name": "Small",
        **{f"llama.{key}": value for key, value in own.items()},
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens(),
        "tokenizer.ggml.token_type": [3] * 4 + [1] * (VOCABULARY - 4),
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.chat_template": TEMPLATE,
    }


def tokens() -> list[str]:
    """Four control tokens, the 256 bytes in GPT-2's letters, and fillers."""
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    text = [chr(byte) for byte in letters] + [chr(256 + index) for index in range(256 - len(letters))]
    named = ["<s>", "</s>", "<unk>", "<|endoftext|>", *text]
    return named + [f"<{index}>" for index in range(len(named), VOCABULARY)]


def tensors() -> Tensors:
    """The shapes of the sound model's tensors, in numpy's order."""
    layer = {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (32, WIDTH),
        "attn_v": (32, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_norm": (WIDTH,),
        "ffn_gate": (INNER, WIDTH),
        "ffn_up": (INNER, WIDTH),
        "ffn_down": (WIDTH, INNER),
    }
    return {
        "token_embd.weight": (VOCABULARY, WIDTH),
        "output_norm.weight": (WIDTH,),
        **{f"blk.{number}.{name}.weight": shape for number in range(LAYERS) for name, shape in layer.items()},
    }


def write(
    path: Path,
    *,
    architecture: str | None = "llama",
    values: Metadata | None = None,
    shapes: Tensors | None = None,
    shard_tensors: int = 0,
    big_endian: bool = False,
) -> Path:
    """Writes a GGUF file of random weights, or shards with so many tensors, and returns the first file."""
    values, shapes = metadata() if values is None else values, tensors() if shapes is None else shapes
    order = gguf.GGUFEndian.BIG if big_endian else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, architecture or "", endianess=order, split_max_tensors=shard_tensors)
    if architecture is None:  # add_architecture was called by the writer
        writer.kv_data[0].pop(gguf.Keys.General.ARCHITECTURE, None)
    for key, value in values.items():
        kind = gguf.GGUFValueType.get_type(value)
        writer.add_key_value(key, value, U32 if type(value) is int else kind, sub_type=_item_kind(value))
    chance = np.random.default_rng(1)
    for name, shape in shapes.items():
        writer.add_tensor(name, chance.random(shape, dtype=np.float32) / 10)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path if path.exists() else next(iter(sorted(path.parent.glob(f"{path.stem}-00001-of-*.gguf"))))


def _item_kind(value: Any) -> Any:
    if not isinstance(value, list):
        return None
    return STRING if value and isinstance(value[0], str) else gguf.GGUFValueType.INT32

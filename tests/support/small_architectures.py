"""A small model of nearly every architecture that llama.cpp can load: `tests/data/small_architectures.json`.

The shapes were found by following what llama.cpp (build 11549) says is missing, until it allocated a cache.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from support.gguf_corpus import VOCABULARY, tokens

MODELS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "small_architectures.json").read_text()
)


def write_small(path: Path, name: str, more: dict[str, Any] | None = None) -> Path:
    """Writes the model `name` with zero weights."""
    model = MODELS[name]
    writer = gguf.GGUFWriter(path, model["architecture"])
    for key, value in {**model["values"], **(more or {})}.items():
        kind = gguf.GGUFValueType.get_type(value)
        kind = gguf.GGUFValueType.UINT32 if type(value) is int else kind
        writer.add_key_value(f"{model['architecture']}.{key}", value, kind, sub_type=_item_kind(value))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens())
    writer.add_token_types([3] * 4 + [1] * (VOCABULARY - 4))
    writer.add_token_type_count(2)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    of_layers = {
        f"blk.{number}.{tensor}": shape
        for number, kind in enumerate(model["layers"])
        for tensor, shape in model["kinds"][kind].items()
    }
    for tensor, shape in {**model["tensors"], **of_layers}.items():
        writer.add_tensor(tensor, np.zeros(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _item_kind(value: Any) -> Any:
    if not isinstance(value, list):
        return None
    return gguf.GGUFValueType.BOOL if type(value[0]) is bool else gguf.GGUFValueType.INT32

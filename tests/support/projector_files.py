"""A projector for images that llama-server can load, with weights of zero in a hole of the file."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from support.gguf_files import aligned, write_with_hole


def write_projector(
    path: Path,
    *,
    text_width: int,
    width: int = 512,
    inner: int = 2048,
    layers: int = 4,
    image: int = 448,
) -> Path:
    """Writes a projector of gemma3's kind for a model with hidden states of `text_width`."""
    patch, heads = 14, 8
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "gemma3")
    numbers = {
        "image_size": image, "patch_size": patch, "embedding_length": width, "feed_forward_length": inner,
        "projection_dim": text_width, "block_count": layers, "attention.head_count": heads,
    }  # fmt: skip
    for key, value in numbers.items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    for key in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{key}", [0.5, 0.5, 0.5])
    shapes: dict[str, tuple[int, ...]] = {
        "v.patch_embd.weight": (width, 3, patch, patch),
        "v.position_embd.weight": ((image // patch) ** 2, width),
        "mm.input_projection.weight": (width, text_width),
        "mm.soft_emb_norm.weight": (width,),
        **{f"v.{name}": (width,) for name in ("patch_embd.bias", "post_ln.weight", "post_ln.bias")},
    }
    for layer in range(layers):
        shapes |= {f"v.blk.{layer}.{name}": shape for name, shape in _layer(width, inner).items()}
    return write_with_hole(writer, path, sum(_add(writer, name, shape) for name, shape in shapes.items()))


def _layer(width: int, inner: int) -> dict[str, tuple[int, ...]]:
    square = {f"attn_{name}": (width, width) for name in ("q", "k", "v", "out")}
    weights = {**square, "ffn_up": (inner, width), "ffn_down": (width, inner)}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in weights.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in ("ln1", "ln2"):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return shapes


def _add(writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...]) -> int:
    is_matrix = len(shape) > 1 and "position" not in name
    kind = np.dtype(np.float16 if is_matrix else np.float32)
    size = int(np.prod(shape)) * kind.itemsize
    writer.add_tensor_info(name, shape, kind, size)
    return aligned(size)

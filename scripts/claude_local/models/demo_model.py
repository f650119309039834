"""Writes the demo model: a real GGUF with random weights, so that everything runs without a download.

It answers nonsense, on purpose. A bias makes the answer end: dimension 0 of every hidden state is the
same constant, and each output row has the logarithm of its token's frequency there. The model therefore
produces words about as often as its training text does, and stops after about forty. Dimension 1 marks
the end of a line, after which an answer cannot end: the prompt ends with one, and an empty answer would
look like a failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The vocabulary is learned from the help text in every CPython (`help("topics")`).
VOCABULARY_SIZE = 4096
CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END_OF_TURN = "<|im_end|>"
LINE_END = "\u010a"
"""The byte 10 in a byte-level vocabulary."""
WORDS_PER_ANSWER = 40

# Accepts system messages anywhere: Claude Code sends them inside a conversation.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{%- if loop.first and tools %}\n{{ tools | tojson }}{% endif -%}"
    "<|im_end|>\n"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)


@dataclass(frozen=True)
class DemoShape:
    """Size of the network. The defaults give a file of about 3 MB that processes 28,000 tokens in seconds."""

    embedding: int = 64
    layers: int = 2
    heads: int = 2
    feed_forward: int = 128
    context: int = 131072


def write_demo_model(
    path: Path,
    *,
    seed: int = 1,
    shape: DemoShape | None = None,
    chat_template: str = CHAT_TEMPLATE,
    said_often: str = "",
) -> bool:
    """Writes the demo model to `path` and returns True, or returns False if it is already there.

    `said_often` becomes an additional token, about every fifth of the output. The same arguments and Python
    version give the same bytes: the vocabulary is learned from a text that is part of that version.
    """
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        _write_gguf(partial, seed, shape or DemoShape(), chat_template, said_often)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return True


def _write_gguf(path: Path, seed: int, shape: DemoShape, chat_template: str, said_often: str) -> None:
    import gguf

    tokens, merges, frequencies = _learn_vocabulary(said_often)
    writer = gguf.GGUFWriter(path, "llama")
    _add_metadata(writer, shape)
    _add_tokenizer(writer, tokens, merges, said_often)
    writer.add_chat_template(chat_template)
    _add_weights(writer, seed, shape, tokens, frequencies)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_metadata(writer: Any, shape: DemoShape) -> None:
    writer.add_name("demo (random weights)")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.embedding // shape.heads)
    writer.add_file_type(1)  # mostly f16


def _add_tokenizer(writer: Any, tokens: list[str], merges: list[str], said_often: str) -> None:
    import gguf

    special = dict.fromkeys(CONTROL_TOKENS, gguf.TokenType.CONTROL)
    special[said_often] = gguf.TokenType.USER_DEFINED  # unlike a control token it appears in the answer
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([special.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index(END_OF_TURN))
    writer.add_bos_token_id(tokens.index(CONTROL_TOKENS[0]))
    writer.add_add_bos_token(False)


def _add_weights(
    writer: Any, seed: int, shape: DemoShape, tokens: list[str], frequencies: list[float]
) -> None:
    import numpy as np

    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, scale: float) -> Any:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float16)

    width, hidden = shape.embedding, shape.feed_forward
    embedding = matrix(len(frequencies), width, 0.5)
    embedding[:, 0] = 4.0
    embedding[:, 1] = 0.0
    embedding[tokens.index(LINE_END), 1] = 4.0
    output = matrix(len(frequencies), width, 0.12)
    # After the final norm dimension 0 is 4 / sqrt((4**2 + 63 * 0.5**2) / 64), about 5.7.
    output[:, 0] = np.log(np.array(frequencies)) / 5.7
    output[:, 1] = 0.0
    output[tokens.index(END_OF_TURN), 1] = -4.0
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(width, dtype=np.float32))
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        writer.add_tensor(f"{block}.attn_norm.weight", np.ones(width, dtype=np.float32))
        writer.add_tensor(f"{block}.ffn_norm.weight", np.ones(width, dtype=np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}.{name}.weight", matrix(width, width, 0.05))
        writer.add_tensor(f"{block}.ffn_gate.weight", matrix(hidden, width, 0.05))
        writer.add_tensor(f"{block}.ffn_up.weight", matrix(hidden, width, 0.05))
        writer.add_tensor(f"{block}.ffn_down.weight", matrix(width, hidden, 0.05))


def _learn_vocabulary(said_often: str) -> tuple[list[str], list[str], list[float]]:
    """Tokens in id order, merges in rank order, and the desired frequency of each token."""
    import json
    import pydoc_data.topics
    from collections import Counter

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    text = [topic for _, topic in sorted(pydoc_data.topics.topics.items())]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        show_progress=False,
        special_tokens=[*CONTROL_TOKENS, *([said_often] if said_often else [])],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(text, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(learned["vocab"], key=learned["vocab"].__getitem__)
    merges = [" ".join(pair) for pair in learned["merges"]]
    counts = Counter(token for topic in text for token in tokenizer.encode(topic).ids)
    total = sum(counts.values())
    shares = [_share(token, counts[i] / total) for i, token in enumerate(tokens)]
    shares[tokens.index(END_OF_TURN)] = sum(shares) / WORDS_PER_ANSWER
    if said_often:
        shares[tokens.index(said_often)] = sum(shares) / 4
    return tokens, merges, shares


def _share(token: str, share: float) -> float:
    """The desired frequency of `token`: high for whole words, low for punctuation, zero for bytes."""
    if token in CONTROL_TOKENS or (not token.isascii() and not token.startswith("Ġ")):
        return 1e-9
    if re.fullmatch(r"Ġ[a-z]{2,}", token):
        return max(share, 1e-6)
    return max(share / 100, 1e-9)

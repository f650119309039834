"""demo_model: a real, reproducible GGUF file whose answers end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from claude_local.models.demo_model import (
    CHAT_TEMPLATE,
    END_OF_TURN,
    LINE_END,
    VOCABULARY_SIZE,
    WORDS_PER_ANSWER,
    DemoShape,
    write_demo_model,
)

SMALL = DemoShape(embedding=8, layers=1, heads=2, feed_forward=16, context=512)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo model in a new folder."""
    path = tmp_path_factory.mktemp("models") / "new" / "demo.gguf"
    assert write_demo_model(path, shape=SMALL) is True
    return path


@pytest.fixture(scope="module")
def reader(small: Path) -> Any:
    return gguf.GGUFReader(small)


def test_the_file_is_gguf_and_alone_in_its_folder(small: Path) -> None:
    assert small.read_bytes()[:4] == b"GGUF"
    assert list(small.parent.iterdir()) == [small]


def test_an_existing_file_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "demo.gguf").write_bytes(b"mine")

    assert write_demo_model(tmp_path / "demo.gguf", shape=SMALL) is False
    assert (tmp_path / "demo.gguf").read_bytes() == b"mine"


def test_the_same_seed_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    write_demo_model(tmp_path / "demo.gguf", shape=SMALL)

    assert (tmp_path / "demo.gguf").read_bytes() == small.read_bytes()


def test_another_seed_gives_other_weights(small: Path, tmp_path: Path) -> None:
    write_demo_model(tmp_path / "demo.gguf", seed=2, shape=SMALL)

    other = (tmp_path / "demo.gguf").read_bytes()
    assert len(other) == small.stat().st_size
    assert other != small.read_bytes()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_demo_model(tmp_path / "demo.gguf", shape=DemoShape(heads=0))

    assert list(tmp_path.iterdir()) == []


def test_the_metadata_is_what_llama_server_needs(reader: Any) -> None:
    names = [
        "general.architecture",
        "llama.context_length",
        "llama.embedding_length",
        "llama.block_count",
        "llama.attention.head_count",
        "tokenizer.ggml.model",
        "tokenizer.chat_template",
    ]

    assert {name: reader.get_field(name).contents() for name in names} == {
        "general.architecture": "llama",
        "llama.context_length": 512,
        "llama.embedding_length": 8,
        "llama.block_count": 1,
        "llama.attention.head_count": 2,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


def test_every_token_has_a_row_including_the_end_of_turn(reader: Any) -> None:
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    rows = {tensor.name: tensor.shape.tolist() for tensor in reader.tensors}

    assert len(tokens) == len(set(tokens)) == VOCABULARY_SIZE
    assert tokens[reader.get_field("tokenizer.ggml.eos_token_id").contents()] == END_OF_TURN
    assert rows["token_embd.weight"] == rows["output.weight"] == [SMALL.embedding, VOCABULARY_SIZE]


def test_an_answer_ends_after_about_forty_words(reader: Any) -> None:
    output = next(tensor for tensor in reader.tensors if tensor.name == "output.weight")
    shares = np.exp(output.data[:, 0].astype(np.float64) * 5.7)
    end = reader.get_field("tokenizer.ggml.eos_token_id").contents()

    words = shares.sum() / shares[end] - 1

    assert round(words / WORDS_PER_ANSWER, 1) == 1.0


def test_an_answer_is_not_empty(tmp_path: Path) -> None:
    write_demo_model(tmp_path / "demo.gguf")
    reader = gguf.GGUFReader(tmp_path / "demo.gguf")
    tensors = {tensor.name: tensor.data.astype(np.float64) for tensor in reader.tensors}
    embedding, output = tensors["token_embd.weight"], tensors["output.weight"]
    end = reader.get_field("tokenizer.ggml.eos_token_id").contents()
    line_end = reader.get_field("tokenizer.ggml.tokens").contents().index(LINE_END)

    # The last norm and the output applied to each token's own embedding.
    hidden = embedding / np.sqrt(np.mean(embedding**2, axis=1, keepdims=True))
    shares = np.exp(hidden @ output.T)
    end_shares = shares[:, end] / shares.sum(axis=1)

    assert end_shares[line_end] < 1e-6 < np.median(end_shares)


def test_no_two_layers_share_their_weights(reader: Any) -> None:
    matrices = [tensor.data.tobytes() for tensor in reader.tensors if "norm" not in tensor.name]

    assert len(set(matrices)) == len(matrices) == 9


def test_an_added_frequent_token_appears_as_text(tmp_path: Path) -> None:
    write_demo_model(tmp_path / "demo.gguf", shape=SMALL, said_often="<call>")

    fields = gguf.GGUFReader(tmp_path / "demo.gguf").fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    said = tokens.index("<call>")
    assert (len(tokens), types[said]) == (VOCABULARY_SIZE, gguf.TokenType.USER_DEFINED)
    assert types[tokens.index(END_OF_TURN)] == gguf.TokenType.CONTROL

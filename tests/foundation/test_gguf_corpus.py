"""A table of GGUF files: our reader and the real llama-server agree which of them load as a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_local.foundation.errors import NotAModel, UserError
from claude_local.foundation.gguf_header import read_model
from claude_local.foundation.gguf_purpose import check_model
from support.gguf_cases import ADAPTER, CASES, IMATRIX, ONLY_THE_SERVER_KNOWS, PROJECTOR, VECTOR
from support.gguf_corpus import write
from support.llama_judge import judge


def passes(file: Path) -> bool:
    """Whether our reader accepts the file as a model."""
    try:
        check_model(read_model(file), str(file))
    except UserError as error:
        assert error.message.isprintable() and len(error.message) < len(str(file)) + 200
        return False
    return True


def made(folder: Path, name: str) -> Path:
    own = folder / name.replace(" ", "-")
    own.mkdir()
    return {**CASES, **ONLY_THE_SERVER_KNOWS}[name].make(own / "model.gguf")


@pytest.mark.embedded
def test_our_reader_and_llama_server_agree_which_files_load(tmp_path: Path) -> None:
    files = {name: made(tmp_path, name) for name in {**CASES, **ONLY_THE_SERVER_KNOWS}}

    judged = judge(list(files.values()))

    server = {name: one.loads for name, one in zip(files, judged, strict=True)}
    assert server == {name: case.loads for name, case in {**CASES, **ONLY_THE_SERVER_KNOWS}.items()}
    assert {name: passes(files[name]) for name in CASES} == {name: case.loads for name, case in CASES.items()}
    assert [name for name in ONLY_THE_SERVER_KNOWS if not passes(files[name])] == []


@pytest.mark.parametrize("number", [2, 5, 19])
def test_real_shards_are_one_model(tmp_path: Path, number: int) -> None:
    whole = read_model(write(tmp_path / "whole.gguf"))
    first = write(tmp_path / "parts.gguf", shard_tensors=number)

    model = read_model(first)

    assert model.tensors == whole.tensors
    assert (model.architecture, model.n_layers, model.chat_template) == ("llama", 2, whole.chat_template)
    assert model.shard_count == len(list(tmp_path.glob("parts-*.gguf"))) > 1
    assert model.file_bytes == sum(file.stat().st_size for file in tmp_path.glob("parts-*.gguf"))


def test_a_name_is_cleaned_for_display(tmp_path: Path) -> None:
    header = read_model(CASES["name with a line end"].make(tmp_path / "a.gguf"))
    marked = read_model(CASES["name with direction marks"].make(tmp_path / "b.gguf"))

    assert (header.name, marked.name) == ("Small", "A")


WHAT: dict[str, dict[str, Any]] = {
    "a projector for images or sound": PROJECTOR,
    "a LoRA adapter": ADAPTER,
    "an importance matrix, which is used to make quantised files": IMATRIX,
    "a control vector": VECTOR,
    "a vocabulary without weights": {"shapes": {}},
    "an embedding model, which writes no text": {"architecture": "nomic-bert"},
    "a model that makes images or video": {"architecture": "flux", "values": {}},
}


@pytest.mark.parametrize("what", WHAT)
def test_a_file_that_is_not_a_model_is_called_what_it_is(tmp_path: Path, what: str) -> None:
    file = write(tmp_path / "a.gguf", **WHAT[what])

    with pytest.raises(NotAModel) as caught:
        check_model(read_model(file), "a.gguf")

    assert caught.value.message == f"a.gguf is {what}, not a model"
    assert caught.value.hint.startswith("name the file of the model itself")

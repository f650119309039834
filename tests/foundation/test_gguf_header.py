"""gguf_header: facts about a model file from its header, including broken and hostile ones."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path
from typing import Any

import gguf
import pytest

from claude_local.foundation.errors import BrokenModelFile, UserError
from claude_local.foundation.gguf_bytes import MAX_STRING_BYTES, STRINGS_AT_ONCE
from claude_local.foundation.gguf_header import GgufHeader, TensorInfo, read_header, read_model, shard_names
from claude_local.foundation.gguf_types import FILE_TYPES, TENSOR_TYPES
from claude_local.models.demo_model import write_demo_model
from support.gguf_files import CHAT_TEMPLATE, SHAPES, Shape, write_header_only

LLAMA = SHAPES[0]
MUTATIONS = 10_000


def test_the_types_are_those_of_the_gguf_package() -> None:
    types = {int(kind): (kind.name, *size) for kind, size in gguf.GGML_QUANT_SIZES.items()}
    files = {int(kind): kind.name.removeprefix("ALL_").removeprefix("MOSTLY_") for kind in gguf.LlamaFileType}

    assert (types, files) == (TENSOR_TYPES, FILE_TYPES)


def names(shape: Shape) -> str:
    return shape.architecture


def seen_by_the_gguf_package(path: Path) -> dict[str, Any]:
    """The same facts, read by the reader of the gguf package."""
    reader = gguf.GGUFReader(path)
    architecture = reader.get_field("general.architecture").contents()

    def value(key: str) -> Any:
        found = reader.get_field(key.replace("ARCH", architecture))
        contents = found.contents() if found else None
        return tuple(contents) if isinstance(contents, list) else contents

    heads = value("ARCH.attention.head_count")
    width = value("ARCH.embedding_length") // heads
    return {
        "architecture": architecture,
        "name": value("general.name"),
        "file_bytes": path.stat().st_size,
        "file_type": gguf.LlamaFileType(value("general.file_type")).name.split("_", 1)[1],
        "n_layers": value("ARCH.block_count"),
        "context_length": value("ARCH.context_length"),
        "embedding_length": value("ARCH.embedding_length"),
        "head_count": heads,
        "head_count_kv": value("ARCH.attention.head_count_kv"),
        "key_length": value("ARCH.attention.key_length") or width,
        "value_length": value("ARCH.attention.value_length") or width,
        "expert_count": value("ARCH.expert_count"),
        "expert_used_count": value("ARCH.expert_used_count"),
        "sliding_window": value("ARCH.attention.sliding_window"),
        "vocabulary_size": len(value("tokenizer.ggml.tokens")),
        "chat_template": value("tokenizer.chat_template"),
        "tensors": tuple(
            TensorInfo(t.name, tuple(t.shape.tolist()), t.tensor_type.name, t.n_bytes) for t in reader.tensors
        ),
    }


def facts(header: GgufHeader, wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(header, name) for name in wanted}


@pytest.mark.parametrize("shape", SHAPES, ids=names)
def test_an_architecture_is_read_as_the_gguf_package_reads_it(shape: Shape, tmp_path: Path) -> None:
    path = write_header_only(tmp_path / "model.gguf", shape)

    header = read_header(path)

    wanted = seen_by_the_gguf_package(path)
    assert facts(header, wanted) == wanted
    assert header.metadata[f"{shape.architecture}.feed_forward_length"] == shape.feed_forward


def test_the_demo_model_is_read_as_the_gguf_package_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "demo.gguf"
    write_demo_model(path)

    header = read_header(path)

    wanted = seen_by_the_gguf_package(path)
    assert facts(header, wanted) == wanted


def test_a_value_of_the_architecture_is_found_by_its_short_key(tmp_path: Path) -> None:
    shape = next(shape for shape in SHAPES if shape.architecture == "deepseek2")
    header = read_header(write_header_only(tmp_path / "model.gguf", shape))

    assert (header.own("attention.kv_lora_rank"), header.own("unknown")) == (512, None)


def test_a_large_vocabulary_is_counted_and_not_kept(tmp_path: Path) -> None:
    path = write_header_only(tmp_path / "model.gguf", LLAMA, vocabulary=150_000)

    header = read_header(path)

    assert header.vocabulary_size == 150_000
    assert "tokenizer.ggml.tokens" not in header.metadata


def test_a_file_without_a_file_type_gets_the_type_of_most_of_its_bytes(tmp_path: Path) -> None:
    path = write_header_only(tmp_path / "model.gguf", LLAMA)
    with path.open("r+b") as file:
        head = file.read(4096)
        file.seek(0)
        file.write(head.replace(b"general.file_type", b"general.file_typo"))

    assert read_header(path).file_type == "Q4_K"


def test_shards_are_read_as_one_model(tmp_path: Path) -> None:
    whole = read_header(write_header_only(tmp_path / "whole.gguf", LLAMA))
    parts = [range(12), range(12, 24), range(24, 32)]
    for name, layers in zip(shard_names("m-00001-of-00003.gguf"), parts, strict=True):
        write_header_only(tmp_path / name, LLAMA, layers=layers)

    model = read_model(tmp_path / "m-00001-of-00003.gguf")

    assert (model.tensors, model.shard_count) == (whole.tensors, 3)
    assert model.file_bytes == sum(file.stat().st_size for file in tmp_path.glob("m-*.gguf"))


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    path = write_header_only(tmp_path / "m-00001-of-00002.gguf", LLAMA)

    with pytest.raises(UserError) as caught:
        read_model(path)

    assert caught.value.message == f"there is no file {tmp_path / 'm-00002-of-00002.gguf'}"


def test_the_names_of_shards_follow_from_the_first() -> None:
    assert shard_names("a.gguf") == ("a.gguf",)
    assert shard_names("x/a-00001-of-00002.gguf") == ("x/a-00001-of-00002.gguf", "x/a-00002-of-00002.gguf")
    with pytest.raises(UserError, match="is not the first shard"):
        shard_names("a-00002-of-00002.gguf")
    with pytest.raises(UserError, match="is not the first shard"):
        shard_names("a-00001-of-99999.gguf")


def header_bytes(*parts: bytes | int | str) -> bytes:
    """A header built by hand: length-prefixed strings, 8-byte numbers, raw bytes."""
    pieces = [b"GGUF", struct.pack("<I", 3)]
    for part in parts:
        if isinstance(part, int):
            pieces.append(struct.pack("<Q", part))
        elif isinstance(part, str):
            pieces.append(struct.pack("<Q", len(part)) + part.encode())
        else:
            pieces.append(part)
    return b"".join(pieces)


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


HUGE = 2**63
BROKEN = {
    "empty file": (b"", "it does not begin with `GGUF`"),
    "a web page": (b"<!DOCTYPE html>", "it does not begin with `GGUF`"),
    "only the magic": (b"GGUF", "it ends in the middle of the header"),
    "version 1": (b"GGUF\1\0\0\0", "it is version 1; versions 2 and 3 are known"),
    "big-endian": (b"GGUF\0\0\0\3", "it is for big-endian machines; versions 2 and 3 are known"),
    "tensors without end": (
        header_bytes(HUGE, 0),
        "it claims 9,223,372,036,854,775,808 tensors; the limit is",
    ),
    "keys without end": (header_bytes(0, HUGE), "it claims 9,223,372,036,854,775,808 keys; the limit is"),
    "a name without end": (header_bytes(0, 1, HUGE), "it claims 9,223,372,036,854,775,808 bytes in a name"),
    "a text without end": (
        header_bytes(0, 1, "k", u32(8), HUGE),
        "it claims 9,223,372,036,854,775,808 bytes in a text",
    ),
    "a text longer than the file": (
        header_bytes(0, 1, "k", u32(8), MAX_STRING_BYTES),
        "it ends in the middle of the header",
    ),
    "a list without end": (
        header_bytes(0, 1, "k", u32(9), u32(4), HUGE),
        "it claims 9,223,372,036,854,775,808 items in a list",
    ),
    "a list of lists": (header_bytes(0, 1, "k", u32(9), u32(9), 1), "it has a list of the unknown type 9"),
    "an unknown type": (header_bytes(0, 1, "k", u32(13)), "it has a value of the unknown type 13"),
    "a key twice": (
        header_bytes(0, 2, "k", u32(4), u32(1), "k", u32(4), u32(1)),
        "it has the key 'k' twice",
    ),
    "no architecture": (header_bytes(0, 0), "its architecture is ''"),
    "an architecture that is a number": (
        header_bytes(0, 1, "general.architecture", u32(4), u32(7)),
        "its general.architecture should be a line of text, not 7",
    ),
    "five dimensions": (header_bytes(1, 0, "t", u32(5)), "tensor 't' has 5 dimensions"),
    "an unknown tensor type": (
        header_bytes(1, 0, "t", u32(1), 32, u32(999), 0),
        "tensor 't' has the unknown type 999",
    ),
    "a shape beyond all disks": (
        header_bytes(1, 0, "t", u32(2), HUGE, HUGE, u32(0), 0),
        "tensor 't' has the impossible shape (9223372036854775808, 9223372036854775808)",
    ),
    "half a block": (
        header_bytes(1, 0, "t", u32(1), 100, u32(12), 0),
        "tensor 't' has the impossible shape (100,)",
    ),
    "a strange alignment": (
        header_bytes(0, 1, "general.alignment", u32(4), u32(24)),
        "its alignment is 24, not a power of two",
    ),
    "layers in words": (
        header_bytes(0, 2, "general.architecture", u32(8), "a", "a.block_count", u32(8), "ten"),
        "its a.block_count should be a whole number, not 'ten'",
    ),
    "heads below zero": (
        header_bytes(
            *(0, 2, "general.architecture", u32(8), "a", "a.attention.head_count", u32(9), u32(5), 1),
            struct.pack("<i", -1),
        ),
        "its a.attention.head_count should be whole numbers, not (-1,)",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_header_is_one_clear_line(broken: str, tmp_path: Path) -> None:
    content, expected = BROKEN[broken]
    path = tmp_path / "model.gguf"
    path.write_bytes(content)

    with pytest.raises(BrokenModelFile) as caught:
        read_header(path)

    beginning = f"{path} is not a complete GGUF file: {expected}"
    assert caught.value.message[: len(beginning)] == beginning


def test_lists_longer_than_the_header_limit_are_rejected_quickly(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(header_bytes(0, 1, "k", u32(9), u32(8), 8 * 2**20))
    os.truncate(path, 2**40)  # a sparse file: endless empty strings

    with pytest.raises(BrokenModelFile, match="its header is longer than 64 MiB"):
        read_header(path)


def test_a_truncated_file_is_reported_with_its_expected_size(tmp_path: Path) -> None:
    path = write_header_only(tmp_path / "model.gguf", LLAMA)
    whole = path.stat().st_size
    os.truncate(path, whole - 1)

    with pytest.raises(BrokenModelFile) as caught:
        read_header(path)

    assert caught.value.message == (
        f"{path} is not a complete GGUF file: it has {whole - 1:,} bytes and should have {whole:,}"
    )


def test_a_path_that_is_not_a_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")

    for name in ("pipe.gguf", "missing.gguf", "."):
        with pytest.raises(UserError, match="there is no file"):
            read_header(tmp_path / name)


def mutated(original: bytes, chance: random.Random) -> bytes:
    """The bytes with one mutation: changed, cut, doubled, or with a huge number."""
    data = bytearray(original)
    kind = chance.randrange(5)
    place = chance.randrange(len(data))
    if kind == 0:
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == 1:
        del data[place:]
    elif kind == 2:
        del data[place : place + chance.randint(1, 16)]
    elif kind == 3:
        data[place:place] = data[place : place + chance.randint(1, 64)]
    else:
        number = chance.choice([2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1, 0, 1])
        data[place : place + 8] = struct.pack("<Q", number)
    return bytes(data)


def test_ten_thousand_mutated_headers_are_read_or_rejected_with_one_line(tmp_path: Path) -> None:
    chance = random.Random(7)
    originals = []
    for shape in SHAPES:
        path = write_header_only(tmp_path / "one.gguf", shape, vocabulary=16, layers=range(2))
        with path.open("rb") as file:
            originals.append(file.read(2**13).rstrip(b"\0"))
    path = tmp_path / "model.gguf"
    refused = []
    for number in range(MUTATIONS):
        path.write_bytes(mutated(originals[number % len(originals)], chance))
        os.truncate(
            path, 2**42 if number % 2 else path.stat().st_size
        )  # with or without room for the weights
        try:
            read_header(path)
        except UserError as error:
            refused.append(error.message)

    start = f"{path} is not a complete GGUF file: "
    odd = [line for line in refused if not (line.startswith(start) and line.isprintable())]
    assert odd == []
    assert MUTATIONS // 2 < len(refused) < MUTATIONS
    assert max(len(line) for line in refused) < len(start) + 200


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    path = write_header_only(tmp_path / "a.gguf", LLAMA, name="Old")
    first = read_header(path)

    assert read_header(path) is first

    with path.open("r+b") as file:  # in place, and of the same length
        file.seek(file.read(4096).index(b"Old"))
        file.write(b"New")
    assert (first.name, read_header(path).name) == ("Old", "New")

    other = write_header_only(tmp_path / "b.gguf", LLAMA, name="Her")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert read_header(path).name == "Her"

    os.truncate(path, 100)
    for _ in range(2):
        with pytest.raises(BrokenModelFile):
            read_header(path)


@pytest.mark.parametrize("more", [-1, 0, 1, STRINGS_AT_ONCE])
def test_values_after_a_long_list_are_found(tmp_path: Path, more: int) -> None:
    count = 2 * STRINGS_AT_ONCE + more

    header = read_header(write_header_only(tmp_path / "a.gguf", LLAMA, vocabulary=count))

    assert (header.vocabulary_size, header.chat_template) == (count, CHAT_TEMPLATE)

"""kv_cache: the figures are those of llama.cpp, for every architecture; others are marked as estimates."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claude_local.foundation.gguf_header import read_model
from claude_local.models.fit import architectures
from claude_local.models.fit.estimate import estimate
from claude_local.models.fit.kv_cache import Load, cache_bytes
from support.llama_judge import judge
from support.runnable_models import Q4_0, Shape, write_model
from support.small_architectures import MODELS, write_small

BUFFER = re.compile(r"(?:KV|RS) buffer size = +([\d.]+) MiB")
MIB = 2**20
ROUNDING_MIB = 0.02
"""The log has two decimals for each of up to three caches."""
CONTEXT, SLOTS = 32768, 2
ATTEMPTS = 5
"""Zero weights end some models with a failed assertion after the caches were made, and the log may lose its end."""


def compared(file: Path, log: str) -> Any:
    """Computed and allocated MiB and the notes; None if they agree, or a note says that it is an estimate."""
    allocated = [float(size) for size in BUFFER.findall(log)]
    computed, notes = cache_bytes(read_model(file), Load(CONTEXT, slots=SLOTS))
    difference = computed / MIB - sum(allocated)
    agrees = abs(difference) <= ROUNDING_MIB or (notes and difference > 0)
    return None if allocated and agrees else (computed / MIB, allocated, notes)


@pytest.mark.embedded
def test_the_cache_of_every_architecture_is_what_llama_cpp_allocates(tmp_path: Path) -> None:
    left = {name: write_small(tmp_path / f"{number}.gguf", name) for number, name in enumerate(MODELS)}
    wrong: dict[str, Any] = {}
    for _ in range(ATTEMPTS):
        judged = judge(list(left.values()), context=CONTEXT, slots=SLOTS)
        wrong = {
            name: difference
            for (name, file), one in zip(left.items(), judged, strict=True)
            if (difference := compared(file, one.log))
        }
        left = {name: left[name] for name in wrong}

    assert wrong == {}


@pytest.mark.embedded
def test_an_architecture_that_was_compared_has_no_note(tmp_path: Path) -> None:
    noted = {
        name: notes
        for number, name in enumerate(MODELS)
        if (notes := cache_bytes(read_model(write_small(tmp_path / f"{number}.gguf", name)), Load(8192))[1])
        and MODELS[name]["architecture"] in architectures.COMPARED
    }

    assert noted == {}


def test_what_counts_as_compared_is_among_the_files() -> None:
    assert {model["architecture"] for model in MODELS.values()} >= architectures.COMPARED


def test_an_architecture_that_was_never_compared_is_marked_as_an_estimate(tmp_path: Path) -> None:
    header = replace(
        read_model(write_small(tmp_path / "a.gguf", "gemma")), architecture="novel", sliding_window=None
    )

    assert cache_bytes(header, Load(8192))[1] == (
        "the KV cache of `novel` is an estimate: it was never compared with llama.cpp's",
    )


@pytest.mark.embedded
@pytest.mark.parametrize("groups", [8, 16])
def test_the_compute_buffer_of_linear_attention_is_not_underestimated(tmp_path: Path, groups: int) -> None:
    more = {
        "expert_used_count": 2,
        "expert_feed_forward_length": 256,
        "expert_shared_feed_forward_length": 256,
        "full_attention_interval": 4,
        "rope.dimension_count": 32,
        "rope.dimension_sections": [6, 5, 5, 0],
        "ssm.conv_kernel": 4,
        "ssm.inner_size": 1024,
        "ssm.state_size": 64,
        "ssm.time_step_rank": 16,
        "ssm.group_count": groups,
    }
    shape = Shape(*("qwen35moe", 8, 512, 8, 2, 0, 64), experts=8, weights=Q4_0, more=more)
    file = write_model(tmp_path / "a.gguf", shape)

    (judged,) = judge([file], context=8192)

    (allocated,) = re.findall(r"compute buffer size = +([\d.]+) MiB", judged.log)
    computed = estimate(read_model(file), Load(8192)).compute_bytes / MIB
    assert float(allocated) <= computed <= 1.2 * float(allocated)


def test_the_number_of_layers_decides_which_have_a_cache_or_a_window(tmp_path: Path) -> None:
    """As llama.cpp (build 11549) prints for files with so many layers."""
    shared = replace(read_model(write_small(tmp_path / "a.gguf", "gemma3n")), n_layers=24)
    exaone = read_model(write_small(tmp_path / "b.gguf", "exaone4"))
    window, load = 512, Load(CONTEXT, batch_tokens=256)  # a window of 256 and the batch
    of_cell = 2 * 2 * 16 * 2  # keys and values, heads, values of a head, bytes

    sizes = [
        cache_bytes(header, load)[0] for header in (shared, *(replace(exaone, n_layers=n) for n in (30, 64)))
    ]

    assert sizes == [
        (4 * CONTEXT + 16 * window) * of_cell,
        30 * CONTEXT * of_cell,
        (16 * CONTEXT + 48 * window) * of_cell,
    ]

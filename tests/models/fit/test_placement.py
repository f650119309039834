"""The plan from the file follows every flag that says where a model goes.

The figures are what llama-fit-params printed for two devices with the same memory (llama.cpp 0.6.0, with --fit off,
a context of 16,384 tokens and one slot), in MiB.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from claude_local.foundation.gguf_header import read_model
from claude_local.foundation.samples import GpuReading, GpuSample
from claude_local.models.fit import by_file
from claude_local.models.fit.by_tool import KEPT_AS_SET
from claude_local.models.fit.verdicts import CPU, MIB, FitVerdict, Hardware
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.profile import Profile, ServerOptions
from support.runnable_models import MODELS, Shape, write_model

GIB = 2**30


def card(index: int, gib: int) -> GpuSample:
    return GpuSample(index, memory_total_bytes=gib * GIB, memory_used_bytes=0, drives_display=False)


TWO_ALIKE = Hardware(64 * GIB, 60 * GIB, GpuReading(gpus=(card(0, 24), card(1, 24))))
BIG_AND_SMALL = Hardware(64 * GIB, 60 * GIB, GpuReading(gpus=(card(0, 24), card(1, 16))))
LITTLE_RAM = Hardware(8 * GIB, 8 * GIB, GpuReading(gpus=(card(0, 24), card(1, 16))))

RECORDED: list[tuple[str, dict[str, Any], dict[str, tuple[int, int]]]] = [
    ("llama", {}, {"CUDA0": (60, 80), "CUDA1": (42, 48), CPU: (6, 0)}),
    ("llama", {"split_mode": "none"}, {"CUDA0": (102, 128), CPU: (6, 0)}),
    ("llama", {"split_mode": "none", "main_gpu": 1}, {"CUDA1": (102, 128), CPU: (6, 0)}),
    ("llama", {"device": "CUDA1"}, {"CUDA1": (102, 128), CPU: (6, 0)}),
    ("llama", {"device": "CUDA1,CUDA0"}, {"CUDA1": (60, 80), "CUDA0": (42, 48), CPU: (6, 0)}),
    ("llama", {"device": "none"}, {CPU: (108, 128)}),
    ("llama", {"n_gpu_layers": 0}, {"CUDA0": (0, 0), "CUDA1": (0, 0), CPU: (108, 128)}),
    ("llama", {"n_gpu_layers": 3}, {"CUDA0": (24, 32), "CUDA1": (6, 0), CPU: (78, 96)}),
    ("llama", {"n_gpu_layers": 99}, {"CUDA0": (60, 80), "CUDA1": (42, 48), CPU: (6, 0)}),
    ("llama", {"tensor_split": "3,1"}, {"CUDA0": (84, 112), "CUDA1": (18, 16), CPU: (6, 0)}),
    ("llama", {"tensor_split": "0,1"}, {"CUDA0": (0, 0), "CUDA1": (102, 128), CPU: (6, 0)}),
    ("llama", {"extra_args": ["--no-kv-offload"]}, {"CUDA0": (60, 0), "CUDA1": (42, 0), CPU: (6, 128)}),
    ("llama", {"extra_args": ["--n-cpu-ffn", "2"]}, {"CUDA0": (42, 80), "CUDA1": (42, 48), CPU: (24, 0)}),
    ("gemma3", {}, {"CUDA0": (106, 25), "CUDA1": (125, 38), CPU: (40, 0)}),
    ("gemma3", {"n_gpu_layers": 7}, {"CUDA0": (42, 4), "CUDA1": (61, 17), CPU: (167, 42)}),
    ("lfm2", {"n_gpu_layers": 6}, {"CUDA0": (109, 16), "CUDA1": (77, 16), CPU: (117, 16)}),
    ("deepseek2", {"tensor_split": "1,2"}, {"CUDA0": (59, 54), "CUDA1": (74, 54), CPU: (4, 0)}),
    ("qwen3moe", {}, {"CUDA0": (52, 128), "CUDA1": (28, 64), CPU: (2, 0)}),
    ("qwen3moe", {"cpu_moe": True}, {"CUDA0": (11, 128), "CUDA1": (8, 64), CPU: (62, 0)}),
    ("qwen3moe", {"n_cpu_moe": 2}, {"CUDA0": (31, 128), "CUDA1": (28, 64), CPU: (22, 0)}),
    ("qwen3moe", {"n_cpu_moe": 48}, {"CUDA0": (11, 128), "CUDA1": (8, 64), CPU: (62, 0)}),
    (
        "qwen3moe",
        {"override_tensor": r"blk\.[0-2]\.=CPU,output\.weight=CPU"},
        {"CUDA0": (11, 128), "CUDA1": (23, 64), CPU: (46, 0)},
    ),
    (
        "qwen3moe",
        {"n_gpu_layers": 4, "cpu_moe": True, "split_mode": "none"},
        {"CUDA0": (10, 96), CPU: (71, 96)},
    ),
]


def profile(**server: object) -> Profile:
    options = {"ctx_size": 16384, "parallel": 1, "flash_attn": "on", **server}
    return Profile(
        name="a",
        title="a",
        description="for a test",
        model=ModelSource(file="a.gguf"),
        server=ServerOptions.model_validate(options),
    )


@pytest.mark.parametrize(("name", "server", "recorded"), RECORDED, ids=str)
def test_a_model_goes_where_llama_fit_params_puts_it(
    tmp_path: Path, name: str, server: dict[str, Any], recorded: dict[str, tuple[int, int]]
) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS[name]))

    found = by_file.verdict(profile(fit="off", **server), header, TWO_ALIKE)

    placed = {each.name: (each.weights_bytes / MIB, each.cache_bytes / MIB) for each in found.devices}
    assert list(placed) == list(recorded)
    wrong = {
        device: (placed[device], sizes)
        for device, sizes in recorded.items()
        if any(abs(ours - theirs) > 2 for ours, theirs in zip(placed[device], sizes, strict=True))
    }
    assert wrong == {}


def big(tmp_path: Path, tokens: int = 160000, **server: object) -> FitVerdict:
    """The verdict on a dense model of 15.8 GB with 82 kB of KV cache per token."""
    shape = Shape("llama", 40, 5120, 40, 4, 9088, 128, context=262144)
    path = tmp_path / "a.gguf"
    if not path.exists():
        write_model(path, shape)
    hardware = server.pop("hardware", BIG_AND_SMALL)
    assert isinstance(hardware, Hardware)
    return by_file.verdict(profile(ctx_size=tokens, **server), read_model(path), hardware)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"split_mode": "none", "main_gpu": 1}, "offloads"),
        ({"device": "CUDA1"}, "offloads"),
        ({"tensor_split": "0,1"}, "does not fit: CUDA1 is"),
        ({"device": "CUDA1", "fit": "off"}, "does not fit: CUDA1 is"),
        ({"split_mode": "none", "main_gpu": 1, "n_gpu_layers": "all"}, "does not fit: CUDA1 is"),
        ({"split_mode": "none", "main_gpu": 1, "n_gpu_layers": "auto"}, "offloads"),
        ({"split_mode": "none", "main_gpu": 1, "tensor_split": "1,1"}, "offloads"),
        ({"device": "CUDA1", "n_cpu_moe": 0}, "offloads"),
        ({"device": "none", "hardware": LITTLE_RAM}, "does not fit: RAM is"),
        ({"n_gpu_layers": 0, "hardware": LITTLE_RAM}, "does not fit: RAM is"),
        ({}, "fits"),
    ],
    ids=str,
)
def test_only_the_cards_that_the_profile_names_count(
    tmp_path: Path, server: dict[str, Any], words: str
) -> None:
    found = big(tmp_path, **server)

    assert found.text.startswith(words), found


def test_experts_kept_in_ram_leave_a_card_free_and_count_as_offloaded(tmp_path: Path) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["qwen3moe"]))

    found = by_file.verdict(profile(cpu_moe=True), header, TWO_ALIKE)

    assert (found.outcome, found.layers_on_cpu, found.expert_layers_on_cpu) == ("offloads", 0, 6)


def test_a_locked_and_mapped_file_takes_ram_up_to_its_last_tensor_there(tmp_path: Path) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["qwen3moe"]))

    def ram(**server: object) -> int:
        return by_file.verdict(profile(cpu_moe=True, **server), header, TWO_ALIKE).devices[-1].weights_bytes

    assert ram() < 0.8 * header.tensor_bytes < 0.99 * ram(load_mode="mmap+mlock")


@pytest.mark.parametrize(
    ("server", "named"),
    [
        ({"device": "CUDA7"}, "CUDA7"),
        ({"device": "CUDA0,Vulkan1"}, "Vulkan1"),
        ({"split_mode": "none", "main_gpu": 2}, "main_gpu 2"),
    ],
)
def test_a_card_that_is_not_there_is_named(tmp_path: Path, server: dict[str, Any], named: str) -> None:
    assert big(tmp_path, **server).text == (
        f"not known: the profile names `{named}`, this machine has CUDA0, CUDA1"
    )


@pytest.mark.parametrize("text", ["[=CPU", "=CPU", "CPU", ",", "(?P<a>x=CPU"])
def test_an_override_that_is_no_pattern_changes_nothing(tmp_path: Path, text: str) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["llama"]))

    plain, odd = (
        by_file.verdict(profile(fit="off", **server), header, TWO_ALIKE).devices[0].weights_bytes
        for server in ({}, {"override_tensor": text})
    )

    assert odd == plain


@pytest.mark.parametrize(
    ("name", "server", "recorded"),
    [
        ("llama", {"split_mode": "none"}, {"CUDA0": 50, CPU: 38}),
        ("llama", {}, {"CUDA0": 164, "CUDA1": 156, CPU: 143}),
        ("llama", {"ctx_size": 65536}, {"CUDA0": 292, "CUDA1": 284, CPU: 271}),
        ("llama", {"ubatch_size": 256}, {"CUDA0": 82, "CUDA1": 78, CPU: 71}),
        ("qwen3moe", {}, {"CUDA0": 177, "CUDA1": 167, CPU: 148}),
        ("qwen3moe", {"split_mode": "none", "cpu_moe": True}, {"CUDA0": 48, CPU: 40}),
    ],
    ids=str,
)
def test_cards_that_compute_in_turn_have_copies_of_their_inputs(
    tmp_path: Path, name: str, server: dict[str, Any], recorded: dict[str, int]
) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS[name]))

    found = by_file.verdict(profile(**{"ctx_size": 32768, "fit": "off", **server}), header, TWO_ALIKE)

    wrong = {
        device.name: (device.compute_bytes / MIB, recorded[device.name])
        for device in found.devices
        if not -3 < device.compute_bytes / MIB - recorded[device.name] < 20
    }
    assert wrong == {}


def test_a_card_needs_room_to_convert_a_quantised_cache(tmp_path: Path) -> None:
    # Measured on one card with llama.cpp 0.6.0 (8B, 65,536 tokens): 180 MiB with f16, 232 with K as q8_0, 360
    # with both.
    shape = Shape("llama", 32, 4096, 32, 8, 12288, 128, vocabulary=4096)
    header = read_model(write_model(tmp_path / "a.gguf", shape))
    one_card = Hardware(64 * GIB, 60 * GIB, GpuReading(gpus=(card(0, 80),)))

    def compute(key: str, value: str) -> float:
        wanted = profile(ctx_size=65536, cache_type_k=key, cache_type_v=value)
        return by_file.verdict(wanted, header, one_card).devices[0].compute_bytes / MIB

    found = [compute("f16", "f16"), compute("q8_0", "f16"), compute("q8_0", "q8_0")]

    assert [abs(ours - measured) < 30 for ours, measured in zip(found, (180, 232, 360), strict=True)] == [
        True
    ] * 3, found


# ---- An open context


@pytest.mark.parametrize("left_open", [{"ctx_size": None}, {"ctx_size": 0}], ids=str)
@pytest.mark.parametrize(
    ("server", "tokens"),
    [
        ({"fit": "off"}, 131072),
        ({"fit": "off", "parallel": 2}, 131072),
        ({"fit": "off", "parallel": None}, 131072),
        ({"fit": "on", "fit_ctx": 4096}, 131072),
        ({"fit": "on", "parallel": 2}, 262144),
        ({"fit": "on", "parallel": 2, "kv_unified": True}, 131072),
    ],
    ids=str,
)
def test_an_open_context_is_the_one_that_llama_server_takes(
    tmp_path: Path, left_open: dict[str, Any], server: dict[str, Any], tokens: int
) -> None:
    # As build 11669 says in its log: `n_ctx = 262144` for two slots, if it may fit it.
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["llama"]))

    found = by_file.verdict(profile(**left_open, **server), header, TWO_ALIKE)

    assert (found.outcome, found.context_tokens) == ("fits", tokens)


def test_an_open_context_that_may_not_be_lowered_does_not_fit(tmp_path: Path) -> None:
    one_card = Hardware(64 * GIB, 60 * GIB, GpuReading(gpus=(card(0, 24),)))

    fitted = big(tmp_path, 0, hardware=one_card, fit_ctx=65536)
    as_it_is = big(tmp_path, 0, hardware=one_card, fit="off")

    assert (fitted.outcome, as_it_is.outcome) == ("fits", "does not fit")
    assert fitted.context_tokens is not None and 65536 < fitted.context_tokens < 262144
    assert as_it_is.context_tokens == 262144


def test_the_reserve_of_a_profile_is_kept_free(tmp_path: Path) -> None:
    assert big(tmp_path, fit_target="1024").outcome == "fits"
    assert big(tmp_path, fit_target="12288,8192").text.startswith("offloads")
    assert re.match(r"offloads \d", big(tmp_path, fit_target="16384").text)


# ---- llama-fit-params


@pytest.mark.parametrize(
    "errors",
    [
        "failed to fit params to free device memory: n_gpu_layers already set by user to -2, abort",
        "failed to fit params to free device memory: model_params::tensor_split already set by user, abort",
        "failed to fit params to free device memory: model_params::tensor_buft_overrides already set by user, abort",
        "failed to fit params to free device memory: "
        "changing weight allocation for LLAMA_SPLIT_MODE_ROW not implemented, abort",
    ],
)
def test_a_placement_that_fitting_may_not_change_is_measured_as_it_is(errors: str) -> None:
    assert KEPT_AS_SET.search(errors)
    assert not KEPT_AS_SET.search("was unable to fit model into system memory by reducing context, abort")

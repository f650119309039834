"""The plan counts what is loaded beside the model: projector, draft model, MTP head."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from claude_local.foundation.samples import GpuReading, GpuSample
from claude_local.machine.settings import Settings, load_settings
from claude_local.models.fit import plan
from claude_local.models.fit.estimate import Estimate
from claude_local.models.fit.tool_flags import draft_options, options
from claude_local.models.fit.tool_verdict import target_beside
from claude_local.models.fit.verdicts import CPU, MIB, FitVerdict, Hardware
from claude_local.profiles.model_source import HubFile, ModelSource
from claude_local.profiles.profile import Profile, ServerOptions
from support.machine import ROOT
from support.projector_files import write_projector
from support.runnable_models import MODELS, Shape, write_model

GIB = 2**30
CARD = GpuSample(0, memory_total_bytes=16 * GIB, memory_used_bytes=0, drives_display=False)
ONE_CARD = Hardware(64 * GIB, 60 * GIB, GpuReading(gpus=(CARD,)))
TWO_CARDS = Hardware(64 * GIB, 60 * GIB, GpuReading(gpus=(CARD, replace(CARD, index=1))))
NO_CARDS = Hardware(24 * GIB, 20 * GIB, GpuReading(problem="no NVIDIA driver on this machine"))

FIVE_GB = Shape("llama", 20, 4096, 32, 2, 7450, 128)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    models = tmp_path / "models"
    models.mkdir()
    for folder in (tmp_path.parent, tmp_path):  # a container reads it as another user
        folder.chmod(0o755)
    environment = {
        "HOME": str(tmp_path),
        "CLAUDE_LOCAL_MODELS_DIR": str(models),
        "CLAUDE_LOCAL_IMAGE": os.environ.get("CLAUDE_LOCAL_IMAGE", "none"),
    }
    return load_settings(environment, ROOT, user_id=0, group_id=0)


def profile(*companions: str, **server: object) -> Profile:
    options = {"ctx_size": 32768, "parallel": 1, "flash_attn": "on", **server}
    files = {name: HubFile(file=f"{name}.gguf") for name in companions}
    return Profile(
        name="a",
        title="a",
        description="for a test",
        model=ModelSource(file="a.gguf", mmproj=files.get("mmproj"), draft=files.get("draft")),
        server=ServerOptions.model_validate(options),
    )


def verdict(settings: Settings, wanted: Profile, hardware: Hardware = ONE_CARD) -> FitVerdict:
    return plan.verdict(settings, wanted, hardware=hardware, quick=True)


def used(found: FitVerdict) -> dict[str, int]:
    return {device.name: round(device.used_bytes / MIB) for device in found.devices}


def test_a_projector_and_a_draft_model_take_the_place_of_layers(settings: Settings) -> None:
    for name in ("a", "draft"):
        write_model(settings.models_dir / f"{name}.gguf", FIVE_GB)
    write_projector(settings.models_dir / "mmproj.gguf", text_width=4096, width=4096, inner=16384, layers=12)

    alone = verdict(settings, profile())
    with_both = verdict(settings, profile("mmproj", "draft"))

    assert alone.outcome == "fits"
    assert with_both.outcome == "offloads"
    assert 0 < (with_both.largest_context_tokens or 0) < 32768 < (alone.largest_context_tokens or 0)
    assert [note.rsplit(" ", 2)[0] for note in with_both.notes] == [
        "the draft model is counted:",
        "the projector is counted:",
    ]


def test_a_draft_model_has_its_own_cache_with_types_of_its_own(settings: Settings) -> None:
    write_model(settings.models_dir / "a.gguf", MODELS["qwen3"])
    write_model(settings.models_dir / "draft.gguf", MODELS["llama"])

    def cache(*names: str, **server: object) -> int:
        wanted = profile(*names, cache_type_k="q8_0", cache_type_v="q8_0", **server)
        return sum(device.cache_bytes for device in verdict(settings, wanted).devices)

    # 8 layers, 32,768 cells, 4 heads of 64 values for K and as many for V.
    of_draft = 8 * 32768 * 4 * 64 * 2
    assert cache("draft") - cache() == of_draft * 2
    quantised = ["--spec-draft-type-k", "q8_0", "--spec-draft-type-v", "q8_0"]
    assert cache("draft", extra_args=quantised) - cache() == of_draft * 34 / 32


@pytest.mark.parametrize(
    ("server", "device"),
    [
        ({}, "CUDA0"),
        ({"device": "CUDA1"}, "CUDA1"),
        ({"device": "CUDA1,CUDA0"}, "CUDA1"),
        ({"device": "none"}, CPU),
        ({"split_mode": "none", "main_gpu": 1}, "CUDA0"),
        ({"n_gpu_layers": 0}, "CUDA0"),
    ],
    ids=str,
)
def test_the_projector_is_on_the_first_card_of_the_profile(
    settings: Settings, server: dict[str, object], device: str
) -> None:
    # As in the log of llama.cpp 0.6.0 with two devices: `CLIP using ... backend`.
    write_model(settings.models_dir / "a.gguf", MODELS["llama"])
    write_projector(settings.models_dir / "mmproj.gguf", text_width=768)

    alone = used(verdict(settings, profile(**server), TWO_CARDS))
    with_it = used(verdict(settings, profile("mmproj", **server), TWO_CARDS))

    assert [name for name in with_it if with_it[name] != alone.get(name)] == [device]


@pytest.mark.parametrize(
    ("server", "devices"),
    [
        ({}, ["CUDA0", "CUDA1", CPU]),
        ({"n_gpu_layers": 0}, ["CUDA0", "CUDA1", CPU]),
        ({"split_mode": "none", "main_gpu": 1}, ["CUDA1", CPU]),
        ({"device": "none"}, [CPU]),
        ({"extra_args": ["--spec-draft-device", "CUDA1"]}, ["CUDA1", CPU]),
        ({"extra_args": ["--spec-draft-ngl", "0"]}, [CPU]),
    ],
    ids=str,
)
def test_a_draft_model_follows_the_cards_but_not_the_layers_of_its_model(
    settings: Settings, server: dict[str, object], devices: list[str]
) -> None:
    write_model(settings.models_dir / "a.gguf", MODELS["qwen3"])
    write_model(settings.models_dir / "draft.gguf", MODELS["llama"])

    alone = used(verdict(settings, profile(**server), TWO_CARDS))
    with_it = used(verdict(settings, profile("draft", **server), TWO_CARDS))

    assert [name for name in with_it if with_it[name] != alone.get(name)] == devices


def test_an_mtp_head_has_a_cache_too(settings: Settings) -> None:
    shape = replace(MODELS["llama"], more={"nextn_predict_layers": 1})
    write_model(settings.models_dir / "a.gguf", shape)

    without, with_head = (
        sum(device.cache_bytes for device in verdict(settings, profile(spec_type=kind)).devices)
        for kind in (None, "draft-mtp")
    )

    assert with_head - without == 32768 * 4 * 64 * 2 * 2


def test_what_is_not_counted_is_named(settings: Settings) -> None:
    write_model(settings.models_dir / "a.gguf", MODELS["llama"])
    (settings.models_dir / "draft.gguf").write_bytes(b"GGUF")

    notes = verdict(settings, profile("mmproj", "draft")).notes

    assert notes[0] == (
        "the projector is not counted: mmproj.gguf is missing, and the profile does not state its size"
    )
    assert notes[1].startswith("the draft model is not counted: ")
    assert "draft.gguf is not a complete GGUF file" in notes[1]


def test_a_companion_before_its_download_counts_with_its_stated_size(settings: Settings) -> None:
    write_model(settings.models_dir / "a.gguf", MODELS["llama"])
    stated = HubFile(file="mmproj.gguf", about_gb=5)
    wanted = profile()
    wanted = wanted.model_copy(update={"model": wanted.model.model_copy(update={"mmproj": stated})})

    difference = used(verdict(settings, wanted))["CUDA0"] - used(verdict(settings, profile()))["CUDA0"]

    assert difference == round(5e9 / MIB)


def test_before_any_download_an_open_context_without_fitting_is_not_invented(settings: Settings) -> None:
    model = ModelSource(file="a.gguf", size_bytes=12 * 10**9, mmproj=HubFile(file="mmproj.gguf"))
    wanted = profile(ctx_size=0, fit="off", fit_ctx=65536).model_copy(update={"model": model})

    found = verdict(settings, wanted)

    assert (found.context_tokens, found.likelihood) == (None, "perhaps")
    assert "the context is the model's own, which is known once the file is here" in found.notes
    assert "the projector is not counted: the profile does not state its size" in found.notes


def test_before_any_download_only_the_cards_of_the_profile_count(settings: Settings) -> None:
    model = ModelSource(file="a.gguf", size_bytes=20 * 10**9)

    texts = [
        verdict(settings, profile(**server).model_copy(update={"model": model}), TWO_CARDS).text
        for server in ({}, {"device": "CUDA1"}, {"device": "none"})
    ]

    assert texts == ["probably fits", "probably offloads 5.2 GB to CPU", "probably fits"]


# ---- What llama-fit-params is asked


def test_the_fit_target_holds_the_companions_of_each_card() -> None:
    needs = {
        "CUDA0": Estimate(100 * MIB, 0, 0),
        "CUDA1": Estimate(0, 50 * MIB, 1),
        CPU: Estimate(7 * MIB, 0, 0),
    }

    def target(text: str, hardware: Hardware = TWO_CARDS, **server: object) -> str:
        return target_beside(profile(**server), text, needs, hardware)

    assert target("2048,768") == "2148,819"
    assert target("1000") == "1100,1051"
    assert target("2048,768", device="CUDA1") == "2099,768"
    assert target("", NO_CARDS) == "1031"
    assert target("500", device="none") == "507"
    assert target_beside(profile(), "2048,768", {}, TWO_CARDS) == "2048,768"


def test_the_draft_model_is_asked_for_with_its_own_flags() -> None:
    extra = [
        "--spec-draft-type-k",
        "q8_0",
        "--spec-draft-ngl",
        "7",
        "--spec-draft-cpu-moe",
        "--no-kv-offload",
    ]
    wanted = profile("draft", device="CUDA1", n_gpu_layers=3, cache_type_k="q4_0", extra_args=extra)

    assert draft_options(wanted) == {
        "model": "/models/draft.gguf",
        "parallel": "1",
        "flash-attn": "on",
        "device": "CUDA1",
        "no-kv-offload": "",
        "cache-type-k": "q8_0",
        "n-gpu-layers": "7",
        "cpu-moe": "",
    }
    assert options(wanted, "5")["fit-target"] == "5"
    assert "no-kv-offload" in options(wanted, "")


@pytest.mark.docker
@pytest.mark.parametrize(
    "server",
    [
        {},
        {"ctx_size": 0, "fit": "off", "cache_type_k": "q8_0", "cache_type_v": "q8_0"},
        {"ctx_size": 0, "parallel": 2, "ubatch_size": 256},
        {"n_gpu_layers": 3, "extra_args": ["--no-kv-offload", "--spec-draft-type-k", "q8_0"]},
        {"device": "none", "override_tensor": "blk=CPU", "ctx_size": 8192, "swa_full": True},
    ],
    ids=str,
)
def test_file_and_tool_agree_on_a_model_with_companions(
    settings: Settings, server: dict[str, object]
) -> None:
    write_model(settings.models_dir / "a.gguf", MODELS["gemma3"])
    write_model(settings.models_dir / "draft.gguf", MODELS["llama"])
    write_projector(settings.models_dir / "mmproj.gguf", text_width=640)
    wanted = profile("mmproj", "draft", **server)

    by_tool, by_file = (
        plan.verdict(settings, wanted, hardware=NO_CARDS, quick=quick) for quick in (False, True)
    )

    assert (by_tool.source, by_file.source) == ("llama-fit-params", "model file"), by_file.notes
    assert by_tool.context_tokens == by_file.context_tokens
    assert (by_tool.outcome, by_tool.notes) == (by_file.outcome, by_file.notes)
    (tool,), (computed,) = by_tool.devices, by_file.devices
    assert abs(computed.used_bytes - tool.used_bytes) <= 0.03 * tool.used_bytes
    assert abs(computed.cache_bytes - tool.cache_bytes) <= 2 * MIB

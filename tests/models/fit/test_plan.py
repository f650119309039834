"""plan: verdicts from llama-fit-params, from the model file, and on recorded cards."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from claude_local.foundation.errors import UserError
from claude_local.foundation.gguf_header import read_model
from claude_local.foundation.samples import GpuReading, GpuSample
from claude_local.foundation.snapshot import STOPPED
from claude_local.lifecycle.request import Request
from claude_local.lifecycle.steps import Steps
from claude_local.machine.settings import Settings, load_settings
from claude_local.models.fit import estimate, plan, plan_table, speeds
from claude_local.models.fit.by_tool import expert_layers, parse_devices, parse_fitted
from claude_local.models.fit.kv_cache import Load
from claude_local.models.fit.verdicts import CPU, GB, MIB, Device, FitVerdict, Hardware, judge
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.profile import Profile, ServerOptions
from claude_local.server.engines.embedded import EmbeddedEngine
from claude_local.server.fit_target import fit_targets
from support import gguf_files
from support.api_client import Api
from support.gguf_files import SHAPES, write_header_only
from support.machine import ROOT, Machine, error_of
from support.runnable_models import MODELS, write_model

GIB = 2**30
NO_CARDS = Hardware(24 * GIB, 20 * GIB, GpuReading(problem="no NVIDIA driver on this machine"))
RTX_4090 = GpuSample(
    0,
    name="NVIDIA GeForce RTX 4090",
    memory_total_bytes=24564 * MIB,
    memory_used_bytes=1100 * MIB,
    drives_display=True,
)
RTX_5070 = GpuSample(
    1,
    name="NVIDIA GeForce RTX 5070 Ti",
    memory_total_bytes=16303 * MIB,
    memory_used_bytes=10 * MIB,
    drives_display=False,
)
TWO_CARDS = Hardware(64 * GIB, 56 * GIB, GpuReading(gpus=(RTX_4090, RTX_5070), driver_version="580.95.05"))

TABLE = """\
0.00.971.498 I common_memory_breakdown_print: | memory breakdown [MiB] | total   free    self   model   context \
 compute    unaccounted |
0.00.971.506 I common_memory_breakdown_print: |   - CUDA0 (RTX 4090)    | 24081 = 23210 + (19844 = 17000 +  \
  2632 +     212) +         133 |
0.00.971.506 I common_memory_breakdown_print: |   - CUDA1 (RTX 5070 Ti) | 15880 = 15600 + (9300 =  8000 + \
   1000 +     300) +         133 |
0.00.971.507 I common_memory_breakdown_print: |   - Host                |                   269 =   137 + \
      0 +     131                |
0.00.971.508 I common_memory_breakdown_print: |   - CPU_REPACK          |                  1000 =  1000 + \
      0 +       0                |
"""
"""The format of build 11669; the figures in the rows of the cards are made up."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    tmp_path.chmod(0o755)
    environment = {
        "HOME": str(tmp_path),
        "CLAUDE_LOCAL_MODELS_DIR": str(tmp_path / "models"),
        "CLAUDE_LOCAL_STATE_DIR": str(tmp_path / "state"),
        "CLAUDE_LOCAL_IMAGE": os.environ.get("CLAUDE_LOCAL_IMAGE", "none"),
    }
    for name in ("models", "state"):
        (tmp_path / name).mkdir()
    return load_settings(environment, ROOT, user_id=os.getuid(), group_id=os.getgid())


def profile(name: str, *, size_bytes: int | None = None, **server: object) -> Profile:
    options = {"ctx_size": 32768, "parallel": 1, "flash_attn": "on", **server}
    return Profile(
        name=name,
        title=name,
        description="for a test",
        model=ModelSource(file=f"{name}.gguf", size_bytes=size_bytes),
        server=ServerOptions.model_validate(options),
    )


# ---- From the model file


def test_the_kv_cache_of_grouped_heads_is_exact(tmp_path: Path) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["llama"]))

    found = estimate.estimate(header, Load(65536, cache_type_k="q8_0", cache_type_v="f16"))

    # 8 layers, 65,536 cells, 4 heads of 64 values: one byte and a sixteenth for K, two for V.
    assert found.cache_bytes == 8 * 65536 * 4 * 64 * (34 / 32 + 2)
    assert found.notes == ()


def test_layers_with_a_sliding_window_keep_only_the_window(tmp_path: Path) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["gemma3"]))

    of_cell = 256 * 2 * 2
    windowed = estimate.estimate(header, Load(65536)).cache_bytes
    everything = estimate.estimate(header, Load(65536, full_window=True)).cache_bytes

    # Every sixth of 18 layers sees everything; the others see a window of 512 and the batch.
    assert windowed == (3 * 65536 + 15 * 1024) * of_cell
    assert everything == 18 * 65536 * of_cell


def test_latent_attention_keeps_one_compressed_key(tmp_path: Path) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["deepseek2"]))

    assert estimate.estimate(header, Load(65536)).cache_bytes == 6 * 65536 * (512 + 64) * 2


def test_recurrent_layers_keep_a_state_per_slot_and_no_cache(tmp_path: Path) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["mamba2"]))

    one, four = (estimate.estimate(header, Load(65536, slots=slots)).cache_bytes for slots in (1, 4))

    assert one == 8 * (3 * (1536 + 256) + 128 * 1536) * 4
    assert four == 4 * one


def test_an_architecture_with_an_unknown_window_is_counted_in_full_with_a_note(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.gguf", MODELS["llama"])
    header = replace(read_model(path), architecture="novel", sliding_window=512)

    found = estimate.estimate(header, Load(65536))

    assert found.cache_bytes == estimate.estimate(read_model(path), Load(65536)).cache_bytes
    assert found.notes == (
        "it is not known which layers of `novel` have a sliding window: all are counted in full",
    )


def test_a_header_with_nonsense_values_still_gives_an_estimate(tmp_path: Path) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["gemma3"]))
    nonsense = [
        replace(header, n_layers=2**40),
        replace(header, n_layers=None, head_count=None, head_count_kv=None),
        replace(header, head_count=(), head_count_kv=()),
        replace(header, embedding_length=0, vocabulary_size=0, context_length=0),
        replace(
            header, metadata={"gemma3.feed_forward_length": "wide", "gemma3.full_attention_interval": -3}
        ),
    ]

    totals = [estimate.estimate(broken, Load(65536)).total_bytes for broken in nonsense]

    assert [total >= header.tensor_bytes for total in totals] == [True] * len(nonsense)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.architecture)
def test_headers_of_real_dimensions_give_a_verdict(settings: Settings, shape: gguf_files.Shape) -> None:
    write_header_only(settings.models_dir / "real.gguf", shape)

    found = plan.verdict(settings, profile("real"), hardware=TWO_CARDS, quick=True)

    assert found.outcome in ("fits", "offloads")
    assert found.source == "model file"


def test_the_largest_context_fits_into_the_given_memory(tmp_path: Path) -> None:
    header = read_model(write_model(tmp_path / "a.gguf", MODELS["olmo2"]))
    room = estimate.estimate(header, Load(40960)).total_bytes

    found = estimate.largest_context(header, Load, room)

    assert found == 40960
    assert estimate.largest_context(header, Load, 1000) is None
    assert estimate.largest_context(header, Load, 10**15) == 131072


# ---- Cards


def big_model(settings: Settings, gigabytes: float, *, experts: int = 0) -> Profile:
    """A model of about this size: a sparse file with a header."""
    layers = 32
    base = MODELS["qwen3moe"] if experts else MODELS["llama-wide"]
    width = 4096
    inner = int(gigabytes * 1e9 / layers / width / 3 / 2 / max(1, experts))
    more = {**base.more, "expert_feed_forward_length": inner} if experts else {}
    shape = replace(
        base,
        layers=layers,
        embedding=width,
        feed_forward=inner,
        experts=experts,
        more=more,
        weights=MODELS["llama"].weights,
    )
    write_model(settings.models_dir / "big.gguf", shape)
    return profile("big")


def test_a_model_with_room_on_both_cards_fits(settings: Settings) -> None:
    found = plan.verdict(settings, big_model(settings, 20), hardware=TWO_CARDS, quick=True)

    assert (found.outcome, found.text, found.layers_on_cpu) == ("fits", "fits", 0)
    assert [device.name for device in found.devices] == ["CUDA0", "CUDA1", CPU]
    assert all((device.margin_bytes or 0) > 768 * MIB for device in found.devices)


def test_a_model_too_large_for_the_cards_offloads_layers(settings: Settings) -> None:
    found = plan.verdict(settings, big_model(settings, 45), hardware=TWO_CARDS, quick=True)

    assert found.outcome == "offloads"
    assert found.text == f"offloads {found.offloaded_bytes / GB:.1f} GB to CPU"
    assert found.layers_on_cpu is not None and 5 < found.layers_on_cpu < 16
    assert found.expert_layers_on_cpu == 0


def test_a_model_of_experts_offloads_experts(settings: Settings) -> None:
    found = plan.verdict(settings, big_model(settings, 45, experts=8), hardware=TWO_CARDS, quick=True)

    assert (found.outcome, found.layers_on_cpu) == ("offloads", 0)
    assert found.expert_layers_on_cpu is not None and found.expert_layers_on_cpu > 0


def test_a_model_larger_than_cards_and_ram_does_not_fit(settings: Settings) -> None:
    found = plan.verdict(settings, big_model(settings, 120), hardware=TWO_CARDS, quick=True)

    assert found.outcome == "does not fit"
    assert found.text.startswith("does not fit: RAM is ")
    with pytest.raises(UserError, match="`big` does not fit: RAM is") as caught:
        plan.check(found)
    assert caught.value.hint.endswith('start it anyway: --force (API: `"force": true`)')


def test_the_memory_of_a_loaded_model_counts_as_free(settings: Settings) -> None:
    full = replace(RTX_4090, memory_used_bytes=23_000 * MIB)
    busy = replace(TWO_CARDS, reading=GpuReading(gpus=(full,)))
    wanted = big_model(settings, 15)

    assert plan.verdict(settings, wanted, hardware=busy, quick=True).outcome == "offloads"
    after = plan.verdict(settings, wanted, hardware=busy, is_loaded=True)
    assert (after.outcome, after.notes) == ("fits", (plan.LOADED,))

    no_ram = replace(NO_CARDS, ram_available_bytes=GIB)
    assert plan.verdict(settings, wanted, hardware=no_ram, quick=True).outcome == "does not fit"
    assert plan.verdict(settings, wanted, hardware=no_ram, is_loaded=True).outcome == "fits"


def test_a_card_that_drives_a_display_keeps_more_free() -> None:
    assert fit_targets(TWO_CARDS.reading) == "2048,768"
    assert fit_targets(GpuReading(gpus=(replace(RTX_4090, drives_display=None),))) == "768"
    assert fit_targets(GpuReading(problem="no NVIDIA card found")) == ""


# ---- Estimates and unknown verdicts


@pytest.mark.parametrize(
    ("gigabytes", "hardware", "text"),
    [
        (10, NO_CARDS, "probably fits"),
        (19, NO_CARDS, "perhaps does not fit: about 20.6 GB, room for 20.4 GB"),
        (21, NO_CARDS, "probably does not fit: about 22.6 GB, room for 20.4 GB"),
        (20, TWO_CARDS, "probably fits"),
        (38, TWO_CARDS, "perhaps offloads 0.8 GB to CPU"),
        (45, TWO_CARDS, "probably offloads 7.8 GB to CPU"),
        (98, TWO_CARDS, "perhaps does not fit: about 99.6 GB, room for 98.9 GB"),
        (1000, NO_CARDS, "does not fit: 1000.0 GB of weights, 21.5 GB free"),
    ],
)
def test_a_model_that_is_not_downloaded_gets_an_estimate_from_its_size(
    settings: Settings, gigabytes: int, hardware: Hardware, text: str
) -> None:
    found = plan.verdict(settings, profile("a", size_bytes=gigabytes * 10**9), hardware=hardware)

    assert (found.text, found.source) == (text, "the size in the profile")
    if found.likelihood:
        plan.check(found)  # refuses nothing


def test_an_approximate_size_never_gives_a_certain_verdict(settings: Settings) -> None:
    model = ModelSource(file="a.gguf", about_gb=1000)
    about = profile("a").model_copy(update={"model": model})

    found = plan.verdict(settings, about, hardware=NO_CARDS)

    assert found.text == "probably does not fit: 1000.0 GB of weights, 21.5 GB free"


def test_an_estimate_names_its_parts_and_when_it_becomes_exact(settings: Settings) -> None:
    found = plan.verdict(settings, profile("a", size_bytes=45 * 10**9), hardware=TWO_CARDS)

    assert list(plan_table.facts(found)) == [
        "context 32,768 tokens",
        "by the size in the profile",
        "note: 45.0 GB of weights and 0.4 to 3.3 GB of context; room for 38.7 GB on the cards",
        "note: an estimate, because the model file is not here yet; exact once it is",
    ]


def test_an_estimate_counts_the_memory_of_the_loaded_model_as_free(settings: Settings) -> None:
    full = replace(TWO_CARDS, reading=GpuReading(gpus=(replace(RTX_4090, memory_used_bytes=23_000 * MIB),)))
    wanted = profile("a", size_bytes=15 * 10**9)

    assert plan.verdict(settings, wanted, hardware=full).text == "probably offloads 15.0 GB to CPU"
    assert plan.verdict(settings, wanted, hardware=full, is_loaded=True).text == "probably fits"


@pytest.mark.parametrize("gigabytes", [5, 20, 45, 120])
@pytest.mark.parametrize("hardware", [NO_CARDS, TWO_CARDS], ids=["RAM", "cards"])
def test_far_from_the_limits_the_estimate_equals_the_verdict_of_the_file(
    settings: Settings, gigabytes: int, hardware: Hardware
) -> None:
    of_file = plan.verdict(settings, big_model(settings, gigabytes), hardware=hardware, quick=True)
    size = (settings.models_dir / "big.gguf").stat().st_size
    rough = plan.verdict(settings, profile("not-here", size_bytes=size), hardware=hardware)

    assert rough.outcome == of_file.outcome


def test_without_file_and_size_the_verdict_is_unknown(settings: Settings) -> None:
    assert plan.verdict(settings, profile("a"), hardware=NO_CARDS).text == (
        "not known: the model file is missing, and the profile does not state its size"
    )


def test_a_broken_model_file_is_unknown_with_its_reason(settings: Settings) -> None:
    (settings.models_dir / "a.gguf").write_bytes(b"GGUF" + bytes(3))

    found = plan.verdict(settings, profile("a"), hardware=NO_CARDS)

    assert found.outcome == "unknown"
    assert "a.gguf is not a complete GGUF file" in found.reason
    plan.check(found)


def test_without_docker_the_model_file_is_the_source_and_a_note_says_why(settings: Settings) -> None:
    write_model(settings.models_dir / "a.gguf", MODELS["llama"])
    no_image = replace(settings, image="claude-local/no-such-image:0")

    found = plan.verdict(no_image, profile("a"), hardware=NO_CARDS)

    assert (found.outcome, found.source) == ("fits", "model file")
    assert [note for note in found.notes if note.startswith("llama-fit-params gave no answer: ")]


# ---- llama-fit-params


def test_a_breakdown_is_read_into_devices() -> None:
    assert parse_devices(TABLE) == (
        Device("CUDA0", 17000 * MIB, 2632 * MIB, 212 * MIB, 23210 * MIB),
        Device("CUDA1", 8000 * MIB, 1000 * MIB, 300 * MIB, 15600 * MIB),
        Device(CPU, 1137 * MIB, 0, 131 * MIB),
    )


def test_fitted_arguments_are_read_by_their_long_names() -> None:
    line = '-c 65536 -ngl 48 -ts 30,18 -ot "blk\\.28\\.ffn_(up|down)_exps=CUDA1,blk\\.29\\.ffn_(up|down|gate)_exps=CPU"'

    found = parse_fitted(line)

    assert found == {
        "ctx-size": "65536",
        "n-gpu-layers": "48",
        "tensor-split": "30,18",
        "override-tensor": "blk\\.28\\.ffn_(up|down)_exps=CUDA1,blk\\.29\\.ffn_(up|down|gate)_exps=CPU",
    }
    assert expert_layers(found["override-tensor"]) == 1


def test_norms_that_stay_in_ram_do_not_count_as_offloaded() -> None:
    card, ram = Device("CUDA0", 10 * GIB, GIB, GIB, 20 * GIB), Device(CPU, 501 * MIB, 0, MIB, 50 * GIB)

    assert judge((card, ram), embedding_bytes=500 * MIB) == ("fits", "", MIB)
    assert judge((card, replace(ram, weights_bytes=GIB)), embedding_bytes=0) == ("offloads", "", GIB)
    assert judge((replace(card, free_bytes=11 * GIB), ram), 0)[:2] == (
        "does not fit",
        "CUDA0 is 1.1 GB short",
    )


@pytest.mark.docker
@pytest.mark.parametrize("name", MODELS)
def test_the_model_file_agrees_with_llama_fit_params(settings: Settings, name: str) -> None:
    write_model(settings.models_dir / f"{name}.gguf", MODELS[name])

    by_tool = plan.verdict(settings, profile(name), hardware=NO_CARDS)
    by_file = plan.verdict(settings, profile(name), hardware=NO_CARDS, quick=True)

    assert (by_tool.source, by_file.source) == ("llama-fit-params", "model file")
    (tool,), (computed,) = by_tool.devices, by_file.devices
    assert abs(computed.used_bytes - tool.used_bytes) <= 0.03 * tool.used_bytes
    assert abs(computed.weights_bytes - tool.weights_bytes) <= 2 * MIB
    assert abs(computed.cache_bytes - tool.cache_bytes) <= 2 * MIB


@pytest.mark.docker
def test_too_little_ram_is_reported_with_a_context_that_fits(settings: Settings) -> None:
    write_model(settings.models_dir / "olmo2.gguf", MODELS["olmo2"])
    tight = replace(
        NO_CARDS, ram_total_bytes=plan.hardware_now().ram_total_bytes, ram_available_bytes=3 * GIB
    )

    found = plan.verdict(settings, profile("olmo2", ctx_size=131072), hardware=tight)

    assert found.outcome == "does not fit"
    assert found.largest_context_tokens is not None
    smaller = profile("olmo2", ctx_size=found.largest_context_tokens)
    assert plan.verdict(settings, smaller, hardware=tight).outcome == "fits"


# ---- The command


def test_measured_speeds_are_stored(settings: Settings) -> None:
    write_model(settings.models_dir / "a.gguf", MODELS["llama"])
    now = replace(STOPPED, state="ready", profile="a", generation_tokens_per_second=41.26)

    speeds.record(settings, STOPPED)
    assert speeds.load(settings) == {}
    speeds.record(settings, now)

    assert plan.verdict(settings, profile("a"), hardware=NO_CARDS, quick=True).tokens_per_second == 41.3


def test_the_facts_of_a_verdict_are_printed_as_lines() -> None:
    verdict = FitVerdict(
        "a", "offloads", source="llama-fit-params", offloaded_bytes=12 * 10**9, layers=48, layers_on_cpu=0,
        expert_layers_on_cpu=20, context_tokens=65536, largest_context_tokens=131072, tokens_per_second=31.0,
    )  # fmt: skip

    assert verdict.text == "offloads 12.0 GB to CPU"
    assert list(plan_table.facts(verdict)) == [
        "context 65,536 tokens, at most 131,072 would fit",
        "on the CPU: the experts of 20 layers",
        "31.0 tokens/s when it last ran here",
        "by llama-fit-params",
    ]


@pytest.mark.parametrize(
    ("used", "free", "drawn"),
    [
        (0, 10, "░░░░░░░░░░"),
        (5, 10, "█████░░░░░"),
        (10, 10, "██████████"),
        (11, 10, "██████████!"),
        (5, None, ""),
    ],
)
def test_a_bar_shows_the_share_of_a_card(used: int, free: int | None, drawn: str) -> None:
    assert plan_table.bar(Device("CUDA0", used, 0, 0, free)) == drawn


@pytest.mark.parametrize("text", ["", "64k", "-1", "0", "4294967296", "٣"])
def test_a_context_that_is_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="the context should be a number of tokens"):
        plan.tokens_of(text)


def test_plan_prints_a_verdict_for_every_profile(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_ENGINE"] = "embedded"
    machine.invoke_ok("demo-model")

    verdicts = json.loads(machine.invoke_ok("plan", "--all", "--json"))
    table = machine.invoke_ok("plan", "--model", "demo", "--ctx", "65536")

    names = sorted(file.stem for file in (machine.checkout / "profiles").glob("[a-z]*.yaml"))
    assert sorted(verdict["profile"] for verdict in verdicts) == names
    demo = next(verdict for verdict in verdicts if verdict["profile"] == "demo")
    assert (demo["outcome"], demo["context_tokens"]) == ("fits", 131072)
    assert [verdict["profile"] for verdict in verdicts if verdict["outcome"] == "unknown"] == []
    assert table.startswith("demo  fits\n")
    assert "context 65,536 tokens, at most 131,072 would fit" in table


def test_a_start_refuses_a_model_that_does_not_fit_and_force_tries_it(settings: Settings) -> None:
    # A small model with a context of 16 TB.
    write_model(settings.models_dir / "huge.gguf", replace(MODELS["llama"], context=2**31 - 1))
    huge = profile("huge", ctx_size=2_000_000_000)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = replace(settings, llama_port=probe.getsockname()[1])

    def steps(*, force: bool) -> Steps:
        return Steps(free, EmbeddedEngine(free), Request(huge, {"huge": huge}, force=force))

    with pytest.raises(UserError, match=r"^`huge` does not fit: RAM is \d+\.\d GB short") as caught:
        steps(force=False).check("huge")
    steps(force=True).check("huge")

    assert caught.value.hint.startswith("it fits with `ctx_size: ")


def add_huge(machine: Machine) -> None:
    """A profile `huge` with a small file and a context too large for any machine."""
    machine.extra["CLAUDE_LOCAL_ENGINE"] = "embedded"
    (machine.checkout / "models").mkdir(exist_ok=True)
    write_model(machine.checkout / "models" / "huge.gguf", replace(MODELS["llama"], context=2**31 - 1))
    (machine.checkout / "profiles" / "huge.yaml").write_text(
        "title: huge\ndescription: x\nmodel: {file: huge.gguf}\nserver: {ctx_size: 50000000}\n"
    )


@pytest.mark.embedded
def test_an_api_client_may_force_it_too(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    add_huge(machine)
    machine.invoke_ok("up", "--model", "demo")
    api = Api(machine.management_port)

    refused = api.post("/switch", {"model": "huge"})
    tried = api.post("/switch", {"model": "huge", "force": True})
    api.post("/stop", {})
    not_started = api.post("/start", {"model": "huge"})
    start_tried = api.post("/start", {"model": "huge", "force": True})

    answers = [(answer.status, answer.code) for answer in (refused, tried, not_started, start_tried)]
    assert answers == [(409, "refused"), (502, "engine_failed")] * 2
    assert '(API: `"force": true`)' in refused.json()["error"]["hint"]
    assert tried.json()["error"]["hint"] in [
        f"`demo` is running again; {next_step}"
        for next_step in (
            "read the log: invoke logs; or choose another model: invoke profiles",
            "lower ctx_size in profiles/huge.yaml, or choose a smaller model: invoke profiles",
        )
    ]


@pytest.mark.embedded
def test_up_reports_that_a_model_does_not_fit_and_starts_nothing(machine: Machine) -> None:
    add_huge(machine)

    message, hints = error_of(machine.invoke("up", "--model", "huge"))

    assert message.startswith("`huge` does not fit: RAM is ")
    assert "start it anyway: --force" in hints[-1]
    assert machine.status()["state"] == "stopped"


def test_plan_ends_with_code_one_for_a_model_that_does_not_fit(machine: Machine) -> None:
    (machine.checkout / "profiles" / "huge.yaml").write_text(
        "title: huge\ndescription: x\nmodel: {file: huge.gguf, size_bytes: 900000000000000}\n"
    )

    done = machine.invoke("plan", "--model", "huge")

    assert done.returncode == 1
    assert done.stdout.startswith("huge  does not fit: 900000.0 GB of weights, ")
    assert error_of(machine.invoke("plan", "--model", "huge", "--ctx", "much"))[0] == (
        "the context should be a number of tokens, not `much`"
    )

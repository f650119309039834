"""A plan compared with the allocations in the log of llama-server."""

from __future__ import annotations

import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from claude_local.machine.settings import Settings, load_settings
from claude_local.models.fit import plan
from claude_local.models.fit.verdicts import MIB
from claude_local.profiles.model_source import HubFile, ModelSource
from claude_local.profiles.profile import Profile, ServerOptions
from support.machine import ROOT
from support.projector_files import write_projector
from support.runnable_models import MODELS, Q4_0, Q8_0, Shape, write_model

BUFFER = re.compile(r"(?P<kind>model|KV|RS|compute) buffer size =\s+(?P<mib>[\d.]+) MiB")
CONTEXTS = (8192, 65536)
# On a card the image needs CUDA, which the image of the other tests does not have.
CUDA_IMAGE = os.environ.get("CLAUDE_LOCAL_TEST_CUDA_IMAGE", "")
HAS_CARD = Path("/dev/nvidiactl").exists() and bool(CUDA_IMAGE)
REAL = {
    "8B": Shape("llama", 32, 4096, 32, 8, 14336, 128, vocabulary=128256, weights=Q8_0),
    "30B-A3B": Shape(
        *("qwen3moe", 48, 2048, 32, 4, 6144, 128),
        vocabulary=151936,
        experts=128,
        weights=Q4_0,
        more={"expert_used_count": 8, "expert_feed_forward_length": 768},
    ),
}
"""The dimensions of two popular models."""


@dataclass(frozen=True)
class Allocated:
    """MiB that llama-server reports as allocated."""

    weights: float
    cache: float
    compute: float

    @property
    def total(self) -> float:
        return self.weights + self.cache + self.compute


def allocated_in(log: str) -> Allocated:
    """The buffers of the model itself; those of the fitting before it are ignored."""
    loading = (
        log[log.rindex("load_tensors: loading model tensors") :] if "load_tensors: loading" in log else log
    )
    found: dict[str, float] = {}
    for row in BUFFER.finditer(loading):
        found[row["kind"]] = found.get(row["kind"], 0.0) + float(row["mib"])
    return Allocated(found["model"], found.get("KV", 0.0) + found.get("RS", 0.0), found["compute"])


@pytest.fixture
def served() -> Iterator[list[str]]:
    """Container names; all these containers are removed afterwards."""
    names: list[str] = []
    yield names
    for name in names:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def serve(image: str, models: Path, profile: Profile, names: list[str], *more: str) -> str:
    """Loads the model in a real llama-server and returns its log up to when it listens."""
    name = f"claude-local-plan-{uuid.uuid4().hex[:8]}"
    names.append(name)
    server = profile.server
    argv = [
        *("docker", "run", "--detach", "--name", name, "--network", "none", *more),
        *("--volume", f"{models}:/models:ro", "--entrypoint", "llama-server", image),
        *("--model", f"/models/{profile.model.file}", "--port", "8080", "--ctx-size", str(server.ctx_size)),
        *("--parallel", "1", "--flash-attn", "on", "--offline", "--verbosity", "4"),
        *("--cache-type-k", str(server.cache_type_k), "--cache-type-v", str(server.cache_type_v)),
        *(("--mmproj", f"/models/{profile.model.mmproj.file}") if profile.model.mmproj else ()),
        *(("--spec-draft-model", f"/models/{profile.model.draft.file}") if profile.model.draft else ()),
    ]
    subprocess.run(argv, check=True, capture_output=True)
    return log_up_to("listening on", name)


def log_up_to(words: str, name: str, times: int = 1) -> str:
    """The log of a container once it has these words that many times; fails the test if the container ends first."""
    while True:
        done = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
        log = done.stdout + done.stderr
        if log.count(words) >= times:
            subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=True)
            return log
        inspect = ["docker", "inspect", "--format", "{{.State.Running}}", name]
        state = subprocess.run(inspect, capture_output=True, text=True, check=True)
        assert state.stdout.strip() == "true", log[-2000:]
        time.sleep(0.05)


def open_to_containers(folder: Path) -> None:
    """Lets the user of a container read the test's temporary folder."""
    for part in (folder.parent, folder):
        part.chmod(0o755)


def settings_of(models: Path, image: str) -> Settings:
    """Settings with only these models and this image."""
    environment = {
        "CLAUDE_LOCAL_MODELS_DIR": str(models),
        "CLAUDE_LOCAL_IMAGE": image,
        "HOME": str(models.parent),
    }
    return load_settings(environment, ROOT, user_id=0, group_id=0)


def profile_of(name: str, tokens: int) -> Profile:
    return Profile(
        name=name,
        title=name,
        description="for a test",
        model=ModelSource(file=f"{name}.gguf"),
        server=ServerOptions(
            ctx_size=tokens, parallel=1, flash_attn="on", cache_type_k="q8_0", cache_type_v="q8_0"
        ),
    )


@pytest.mark.docker
@pytest.mark.parametrize("name", MODELS)
def test_the_plan_agrees_with_what_the_server_allocates(
    tmp_path: Path, test_image: str, served: list[str], name: str
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    open_to_containers(tmp_path)
    write_model(models / f"{name}.gguf", MODELS[name])
    settings = settings_of(models, test_image)
    wrong = []
    for profile in (profile_of(name, tokens) for tokens in CONTEXTS):
        server = allocated_in(serve(test_image, models, profile, served))
        for quick in (False, True):
            found = plan.verdict(settings, profile, quick=quick)
            (device,) = found.devices
            share = device.used_bytes / MIB / server.total
            print(f"{name} {profile.server.ctx_size} {found.source}: {share:.4f} of {server}")
            if found.source != ("model file" if quick else "llama-fit-params") or abs(share - 1) > 0.03:
                wrong.append((profile.server.ctx_size, found, server))

    assert wrong == []


@pytest.mark.docker
def test_the_plan_agrees_on_a_draft_model_and_a_projector(
    tmp_path: Path, test_image: str, served: list[str]
) -> None:
    open_to_containers(tmp_path)
    write_model(tmp_path / "llama.gguf", MODELS["llama-wide"])
    write_model(tmp_path / "draft.gguf", replace(MODELS["llama"], vocabulary=32000))
    write_projector(tmp_path / "mmproj.gguf", text_width=2048)
    alone = profile_of("llama", CONTEXTS[0])
    beside = {"draft": HubFile(file="draft.gguf"), "mmproj": HubFile(file="mmproj.gguf")}
    profile = alone.model_copy(update={"model": alone.model.model_copy(update=beside)})

    log = serve(test_image, tmp_path, profile, served)
    found = {
        quick: plan.verdict(settings_of(tmp_path, test_image), profile, quick=quick)
        for quick in (False, True)
    }

    buffers = log[log.index("successfully fit params") :]
    allocated = sum(float(row["mib"]) for row in BUFFER.finditer(buffers))
    of_projector = re.search(r"memory usage of mmproj is ([\d.]+) MiB", log)
    assert of_projector is not None
    server = allocated + float(of_projector[1])
    planned = {
        quick: sum(device.used_bytes for device in each.devices) / MIB for quick, each in found.items()
    }
    assert [each.source for each in found.values()] == ["llama-fit-params", "model file"]
    assert {
        quick: round(size / server - 1, 3) for quick, size in planned.items() if abs(size / server - 1) > 0.03
    } == {}


@pytest.mark.docker
def test_a_fit_target_from_the_environment_reaches_a_model_and_its_own_wins(
    tmp_path: Path, test_image: str, served: list[str]
) -> None:
    open_to_containers(tmp_path)
    write_model(tmp_path / "a.gguf", MODELS["llama"])
    section = "model = /models/a.gguf\nctx-size = 4096\nload-on-startup = true\nverbosity = 4\n"
    presets = f"version = 1\n[a]\n{section}[b]\n{section}fit-target = 9\n"
    (tmp_path / "presets.ini").write_text(presets)
    name = f"claude-local-plan-{uuid.uuid4().hex[:8]}"
    served.append(name)
    argv = [
        *("docker", "run", "--detach", "--name", name, "--network", "none"),
        *("--env", "LLAMA_ARG_FIT_TARGET=7", "--volume", f"{tmp_path}:/models:ro"),
        *("--entrypoint", "llama-server", test_image, "--port", "8080", "--verbosity", "4"),
        *("--models-preset", "/models/presets.ini", "--models-max", "2"),
    ]
    subprocess.run(argv, check=True, capture_output=True)

    log = log_up_to(" MiB of system memory, no changes needed", name, times=2)

    assert sorted(re.findall(r"will leave \d+ >= (\d+) MiB", log)) == ["7", "9"]


if HAS_CARD:  # not defined without a card, so that no test is skipped

    @pytest.mark.docker
    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("name", REAL)
    def test_the_plan_agrees_on_a_card(tmp_path: Path, served: list[str], name: str) -> None:
        open_to_containers(tmp_path)
        write_model(tmp_path / f"{name}.gguf", REAL[name])
        settings = settings_of(tmp_path, CUDA_IMAGE)
        profile = profile_of(name, 65536)

        found = plan.verdict(settings, profile)
        server = allocated_in(serve(CUDA_IMAGE, tmp_path, profile, served, "--gpus", "all"))

        planned = sum(device.used_bytes for device in found.devices) / MIB
        assert found.source == "llama-fit-params"
        assert abs(planned / server.total - 1) <= 0.03

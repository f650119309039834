"""Files that are not models, and links out of the models folder, are refused before anything is stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claude_local.foundation.errors import NotAModel, UserError
from claude_local.foundation.samples import GpuReading
from claude_local.lifecycle.request import Request
from claude_local.lifecycle.steps import Steps
from claude_local.machine.links import below, way_out
from claude_local.machine.settings import Settings, load_settings
from claude_local.models.disk_inventory import inventory
from claude_local.models.fit import plan
from claude_local.models.fit.verdicts import Hardware
from claude_local.models.model_check import check_headers
from claude_local.models.profile_sources import find_source
from claude_local.profiles.profile import Profile
from claude_local.server.engines.docker import DockerEngine
from claude_local.server.engines.embedded import EmbeddedEngine
from support.gguf_cases import ADAPTER, CASES, PROJECTOR
from support.gguf_corpus import write
from support.machine import ROOT

HARDWARE = Hardware(2**35, 2**34, GpuReading(problem="no card"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environment = {
        "HOME": str(tmp_path),
        "CLAUDE_LOCAL_MODELS_DIR": str(tmp_path / "models"),
        "CLAUDE_LOCAL_STATE_DIR": str(tmp_path / "state"),
    }
    made = load_settings(environment, ROOT, user_id=0, group_id=0)
    made.models_dir.mkdir()
    return replace(made, engine="embedded")


def profile(file: str, **model: Any) -> Profile:
    return Profile.model_validate(
        {"name": "p", "title": "T", "description": "D", "model": {"file": file, **model}}
    )


def state(settings: Settings, wanted: Profile) -> str:
    return inventory(settings, {"p": wanted}).profiles[0].state


@pytest.mark.parametrize(
    ("parts", "what"), [(PROJECTOR, "a projector for images or sound"), (ADAPTER, "a LoRA adapter")]
)
def test_every_command_says_what_a_file_is_that_is_not_a_model(
    settings: Settings, parts: dict[str, Any], what: str
) -> None:
    file = write(settings.models_dir / "eyes.gguf", **parts)
    wanted, expected = profile("eyes.gguf"), f"{file} is {what}, not a model"
    steps = Steps(settings, EmbeddedEngine(settings), Request(wanted, {"p": wanted}, force=True))

    with pytest.raises(NotAModel) as added:
        find_source(settings, str(file))
    with pytest.raises(NotAModel) as started:
        steps.check("p")

    assert [added.value.message, started.value.message] == [expected, expected]
    assert plan.verdict(settings, wanted, hardware=HARDWARE, quick=True).text == f"not known: {expected}"
    assert expected in state(settings, wanted)


def test_a_model_is_not_taken_for_a_projector(settings: Settings) -> None:
    write(settings.models_dir / "a.gguf")
    write(settings.models_dir / "b.gguf")
    write(settings.models_dir / "eyes.gguf", **PROJECTOR)

    check_headers(settings, profile("a.gguf", mmproj={"file": "eyes.gguf"}))
    with pytest.raises(NotAModel, match=r"b\.gguf is a model \(llama\), not a projector"):
        check_headers(settings, profile("a.gguf", mmproj={"file": "b.gguf"}))


def test_force_leaves_a_defect_to_llama_server(settings: Settings) -> None:
    CASES["no tensors of a layer"].make(settings.models_dir / "a.gguf")

    check_headers(settings, profile("a.gguf"), force=True)
    with pytest.raises(NotAModel, match="the tensors of layer 1 of 2 are missing"):
        check_headers(settings, profile("a.gguf"))


def test_real_shards_have_a_plan_and_a_state(settings: Settings) -> None:
    first = write(settings.models_dir / "parts.gguf", shard_tensors=2)
    wanted = profile(first.name)

    found = plan.verdict(settings, wanted, hardware=HARDWARE, quick=True)

    assert (found.outcome, found.layers) == ("fits", 2)
    assert state(settings, wanted) == "own file"
    assert find_source(settings, str(first)).size_bytes == sum(
        f.stat().st_size for f in settings.models_dir.iterdir()
    )
    check_headers(settings, wanted)


def test_a_link_out_of_the_models_folder_is_refused_for_a_container_and_named(
    settings: Settings, tmp_path: Path
) -> None:
    other = write(tmp_path / "disk.gguf")
    link = settings.models_dir / "a.gguf"
    link.symlink_to(other)
    wanted, docker = profile("a.gguf"), replace(settings, engine="docker")
    said = f"{link} is a link to {other}, which the container cannot see: it has only {settings.models_dir}"

    with pytest.raises(UserError) as caught:
        DockerEngine(docker)._check_links(wanted)

    assert caught.value.message == said
    assert "CLAUDE_LOCAL_MODELS_DIR" in caught.value.hint
    assert plan.verdict(settings, wanted, hardware=HARDWARE, quick=True).outcome == "fits"
    assert state(settings, wanted) == "own file"


@pytest.mark.docker
def test_plan_and_models_say_that_the_container_cannot_follow_a_link(
    settings: Settings, tmp_path: Path
) -> None:
    link = settings.models_dir / "a.gguf"
    link.symlink_to(write(tmp_path / "disk.gguf"))
    docker, said = replace(settings, engine="docker"), f"{link} is a link to {tmp_path / 'disk.gguf'}"

    assert said in plan.verdict(docker, profile("a.gguf"), hardware=HARDWARE).text
    assert said in state(docker, profile("a.gguf"))
    with pytest.raises(UserError, match="is a link to"):
        find_source(docker, str(link))


def test_links_are_followed_as_the_container_follows_them(tmp_path: Path) -> None:
    models = tmp_path / "models"
    (models / "snapshots").mkdir(parents=True)
    (models / "blobs").mkdir()
    (models / "blobs" / "1").touch()
    links = {
        "snapshots/inside.gguf": "../blobs/1",
        "absolute.gguf": str(models / "blobs" / "1"),
        "snapshots/out.gguf": "../../other",
        "chain.gguf": "snapshots/out.gguf",
        "folder": str(tmp_path),
        "loop.gguf": "loop.gguf",
    }
    for name, target in links.items():
        (models / name).symlink_to(target)

    found = {name: way_out(models, name) for name in (*links, "blobs/1", "folder/a.gguf")}

    assert found == {
        "snapshots/inside.gguf": None,
        "absolute.gguf": models / "absolute.gguf",
        "snapshots/out.gguf": models / "snapshots/out.gguf",
        "chain.gguf": models / "snapshots/out.gguf",
        "folder": models / "folder",
        "loop.gguf": models / "loop.gguf",
        "blobs/1": None,
        "folder/a.gguf": models / "folder",
    }


def test_paths_are_compared_by_what_they_are(tmp_path: Path) -> None:
    models = tmp_path / "disk" / "models"
    models.mkdir(parents=True)
    (models / "a.gguf").touch()
    (tmp_path / "other.gguf").touch()
    (tmp_path / "short").symlink_to(models)

    assert below(models, tmp_path / "short" / "a.gguf") == "a.gguf"
    assert below(tmp_path / "short", models / "a.gguf") == "a.gguf"
    assert below(models, tmp_path / "other.gguf") is None


def test_a_file_that_a_used_link_leads_to_is_not_deletable(settings: Settings) -> None:
    write(settings.models_dir / "real.gguf")
    (settings.models_dir / "a.gguf").symlink_to("real.gguf")

    assert inventory(settings, {"p": profile("a.gguf")}).extras == ()

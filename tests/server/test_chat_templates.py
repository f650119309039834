"""The file with a tolerant chat template: what is in it, and when it is written again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from claude_local.machine.settings import Settings, load_settings
from claude_local.profiles.load import load_profiles
from claude_local.profiles.profile import Profile
from claude_local.server import chat_templates
from claude_local.server.flags import chat_template_file
from claude_local.server.template_check import prelude
from support.gguf_files import SHAPES, write_header_only
from support.machine import ROOT

FAMILIES = ROOT / "tests" / "data" / "families"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    known = load_settings({"HOME": str(tmp_path)}, ROOT, user_id=1000, group_id=1000)
    templates = tmp_path / "templates"
    shutil.copytree(ROOT / "templates" / "_chat", templates / "_chat")
    (tmp_path / "profiles").mkdir()
    shutil.copy2(ROOT / "profiles" / "_defaults.yaml", tmp_path / "profiles")
    return replace(
        known,
        root=tmp_path,
        models_dir=tmp_path / "models",
        profiles_dir=tmp_path / "profiles",
        state_dir=tmp_path / "state",
    )


def tolerant_profile(settings: Settings, family: str) -> Profile:
    settings.models_dir.mkdir(exist_ok=True)
    template = (FAMILIES / f"{family}.jinja").read_text()
    write_header_only(settings.models_dir / "m.gguf", SHAPES[-1], chat_template=template)
    (settings.profiles_dir / "mine.yaml").write_text(
        "title: t\ndescription: d\nchat_template: tolerant\nmodel: {file: m.gguf}\n"
    )
    return load_profiles(settings.profiles_dir)["mine"]


def written(settings: Settings, profile: Profile) -> str:
    chat_templates.prepare(settings, profile)
    return Path(chat_template_file(profile, str(settings.runtime_dir))).read_text()


@pytest.mark.parametrize(
    ("family", "parts"),
    [
        ("devstral-2", ("turns",)),
        ("llama-3", ("turns", "one_call")),
        ("mistral-nemo", ("turns", "short_ids")),
        ("gemma-3", ("turns", "tools_as_text")),
        ("qwen2.5", ("turns",)),  # needs none, but the profile says tolerant
    ],
)
def test_a_template_gets_the_lines_that_it_needs(
    settings: Settings, family: str, parts: tuple[str, ...]
) -> None:
    text = written(settings, tolerant_profile(settings, family))

    origin, rest = text.split("\n", 1)
    assert origin.startswith("{#- made from m.gguf, ")
    assert rest == prelude(settings, parts) + (FAMILIES / f"{family}.jinja").read_text()


def test_it_is_written_again_after_an_update_of_our_lines(settings: Settings) -> None:
    profile = tolerant_profile(settings, "devstral-2")
    before = written(settings, profile)
    file = settings.templates_dir / "_chat" / "turns.jinja"
    file.write_text(file.read_text().replace("I was stopped here.", "Stopped."))

    after = written(settings, profile)

    assert "Stopped." in after
    assert "Stopped." not in before

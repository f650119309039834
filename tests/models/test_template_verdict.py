"""The chat template setting of a new profile: constructs of llama-server, and files with several templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.foundation.gguf_header import read_model
from claude_local.machine.settings import Settings, load_settings
from claude_local.models.template_verdict import verdict_on
from claude_local.profiles.profile import Profile
from claude_local.server import chat_templates
from claude_local.server.template_check import Verdict
from support.gguf_corpus import TEMPLATE, TOOLS_TEMPLATE, metadata, write
from support.machine import ROOT

STRICT = (
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}"
    "{{ raise_exception('System message must be at the beginning') }}{% endif %}{{ m.content }}{% endfor %}"
)
TYPED = "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}"
GENERATION = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"


def settings_in(folder: Path) -> Settings:
    environment = {
        "HOME": str(folder),
        "CLAUDE_LOCAL_MODELS_DIR": str(folder / "models"),
        "CLAUDE_LOCAL_STATE_DIR": str(folder / "state"),
    }
    return load_settings(environment, ROOT, user_id=0, group_id=0)


def verdict(folder: Path, template: str, tool_template: str | None = None) -> Verdict:
    settings = settings_in(folder)
    values = {**metadata(), "tokenizer.chat_template": template}
    if tool_template:
        values |= {
            "tokenizer.chat_template.tool_use": tool_template,
            "tokenizer.chat_templates": ["tool_use"],
        }
    return verdict_on(settings, read_model(write(folder / "a.gguf", values=values)))


def test_a_generation_block_is_read_as_llama_server_reads_it(tmp_path: Path) -> None:
    assert verdict(tmp_path, GENERATION).wants == "own"


@pytest.mark.embedded
def test_llama_server_judges_a_template_that_our_reader_cannot(tmp_path: Path) -> None:
    assert verdict(tmp_path, TYPED).wants == "own"
    assert verdict(tmp_path, "{% novel %}").wants == "unknown"


def test_the_template_for_tools_decides_and_not_the_default(tmp_path: Path) -> None:
    assert verdict(tmp_path, TEMPLATE, STRICT).wants == "tolerant"
    assert verdict(tmp_path, STRICT, TOOLS_TEMPLATE).wants == "own"


def test_a_tolerant_template_is_made_from_the_one_for_tools(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.models_dir.mkdir()
    values = {
        **metadata(),
        "tokenizer.chat_template": TEMPLATE,
        "tokenizer.chat_template.tool_use": TOOLS_TEMPLATE,
    }
    write(settings.models_dir / "two.gguf", values=values)
    profile = Profile.model_validate(
        {
            "name": "two",
            "title": "T",
            "description": "D",
            "chat_template": "tolerant",
            "model": {"file": "two.gguf"},
        }
    )

    chat_templates.prepare(settings, profile)

    (made,) = (settings.runtime_dir / "chat_templates").iterdir()
    assert made.read_text().endswith(TOOLS_TEMPLATE)

"""The rules of the chat templates of the most used model families, against everything that Claude Code sends.

The templates in tests/data/families are our own: each has the constraints and constructs of a family, not its
text. A real llama-server judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from claude_local.foundation.errors import EngineFailed
from claude_local.machine.settings import Settings, load_settings
from claude_local.models.demo_model import write_demo_model
from claude_local.server import probe
from claude_local.server.chat_render import TOOL, render_chat
from claude_local.server.llama_http import LlamaHttp
from claude_local.server.message_shapes import few_for_all, recorded_shapes
from claude_local.server.openai_form import as_lists, openai_messages, without_system_role
from claude_local.server.template_check import CHOICES, judge, prelude
from support.machine import ROOT

FAMILIES = {path.stem: path.read_text() for path in (ROOT / "tests" / "data" / "families").iterdir()}

OWN = ("own", ("turns",))
NEEDED = {
    "deepseek": OWN,
    "devstral-2": ("tolerant", ("turns",)),
    "gemma-2": ("tolerant", ("turns", "tools_as_text")),
    "gemma-3": ("tolerant", ("turns", "tools_as_text")),
    "glm-4": OWN,
    "gpt-oss": ("tolerant", ("turns",)),
    "granite": OWN,
    "kimi-k2": OWN,
    "lists-only": ("tolerant", ("turns",)),
    "llama-3": ("tolerant", ("turns", "one_call")),
    "mistral-nemo": ("tolerant", ("turns", "short_ids")),
    "phi-4": ("tolerant", ("turns", "tools_as_text")),
    "qwen2.5": OWN,
    "qwen3": OWN,
    "qwen3.5": ("tolerant", ("turns",)),
    "smollm": OWN,
}
REFUSING = ("devstral-2", "gemma-2", "gemma-3", "lists-only", "llama-3", "mistral-nemo", "qwen3.5")
"""Families whose own template refuses something; the other tolerant ones only lose a message."""

NUMBERED = re.compile(r"text (\d+)")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "demo.gguf"
    write_demo_model(path)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)}, ROOT, user_id=1000, group_id=1000)


@contextmanager
def serving(model: Path, template: str) -> Iterator[LlamaHttp]:
    """A real llama-server in this process whose model has this chat template."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.port, parameters.hostnames = str(model), 0, ["127.0.0.1"]
    parameters.n_ctx, parameters.n_parallel, parameters.cpuparams.n_threads = 512, 1, 1
    parameters.chat_template = template
    server = xllamacpp.Server(parameters)
    try:
        yield LlamaHttp(server.listening_address, "")
    finally:
        del server


def refused(http: LlamaHttp) -> list[str]:
    """The recorded shapes, without pictures, that a server refuses."""
    found = []
    for shape in recorded_shapes():
        try:
            if not shape.has_picture:
                http.post("/v1/messages/count_tokens", shape.request(), timeout_seconds=60)
        except EngineFailed as error:
            found.append(f"{shape.situation}: {error.message}")
    return found


def test_each_family_is_in_the_table() -> None:
    assert FAMILIES.keys() == NEEDED.keys()


@pytest.mark.embedded
@pytest.mark.parametrize("family", NEEDED)
def test_every_family_takes_every_shape_with_what_the_check_recommends(
    model: Path, settings: Settings, family: str
) -> None:
    own = FAMILIES[family]
    verdict = judge(own, [prelude(settings, parts) for parts in CHOICES])
    template = own if verdict.wants == "own" else prelude(settings, verdict.parts) + own

    with serving(model, template) as http:
        warned = probe.warnings_of(http, "mine", is_tolerant=verdict.wants == "tolerant")

    assert (verdict.wants, verdict.parts) == NEEDED[family]
    assert warned == []


@pytest.mark.embedded
def test_a_template_that_takes_a_few_shapes_takes_all(model: Path, settings: Settings) -> None:
    """`up` tries a few shapes in place of all."""
    with serving(model, prelude(settings, ("turns",)) + FAMILIES["devstral-2"]) as http:
        assert probe.warnings_of(http, "mine", is_tolerant=True) == []
        assert refused(http) == []


@pytest.mark.embedded
@pytest.mark.parametrize("family", REFUSING)
def test_up_warns_of_a_template_that_refuses_something(model: Path, family: str) -> None:
    with serving(model, FAMILIES[family]) as http:
        warned = probe.warnings_of(http, "mine")
        still = probe.warnings_of(http, "mine", is_tolerant=True)

    assert len(warned) == len(still) == 1
    assert warned[0].startswith("this model's chat template refuses ")
    assert warned[0].endswith("; set `chat_template: tolerant` in profiles/mine.yaml and start it again")
    assert still[0].startswith("the model refuses what Claude Code sends (")


@pytest.mark.embedded
@pytest.mark.parametrize("family", [name for name in NEEDED if NEEDED[name] != OWN])
def test_llama_server_renders_tolerant_templates_as_the_check_does(
    model: Path, settings: Settings, family: str
) -> None:
    template = prelude(settings, NEEDED[family][1]) + FAMILIES[family]
    conversations = [
        openai_messages(s.request()) for s in few_for_all(recorded_shapes()) if not s.has_picture
    ]
    tools = [{"type": "function", "function": TOOL}]

    with serving(model, template) as http:
        real = [
            http.post("/apply-template", {"messages": m, "tools": tools})["prompt"] for m in conversations
        ]

    for messages, prompt in zip(conversations, real, strict=True):
        heard = NUMBERED.findall(
            " ".join(str(m["content"]) for m in messages if m["role"] in ("user", "tool"))
        )
        assert [n for n in NUMBERED.findall(prompt) if n in heard] == [
            n for n in NUMBERED.findall(render_chat(template, FORM.get(family, list)(messages))) if n in heard
        ]


@pytest.mark.embedded
@pytest.mark.parametrize("family", [name for name in NEEDED if "tools_as_text" in NEEDED[name][1]])
def test_llama_server_knows_the_calls_of_a_template_without_tools(
    model: Path, settings: Settings, family: str
) -> None:
    tools = [{"type": "function", "function": TOOL}]
    question = {
        "messages": [{"role": "user", "content": "hi"}],
        "tools": tools,
        "max_tokens": 1,
        "verbose": True,
    }

    with serving(model, prelude(settings, NEEDED[family][1]) + FAMILIES[family]) as http:
        answer = http.post("/v1/chat/completions", question, timeout_seconds=60)

    triggers = answer["__verbose"]["generation_settings"]["grammar_triggers"]
    assert [trigger["value"] for trigger in triggers] == ["<tool_call>\n"]


FORM = {"gemma-2": without_system_role, "lists-only": as_lists}

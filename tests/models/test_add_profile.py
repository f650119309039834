"""invoke add-profile: a profile from a model's file and hub, written only after confirmation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claude_local.foundation.errors import UserError
from claude_local.machine.settings import Settings, load_settings
from claude_local.models.profile_sources import choose_file
from claude_local.profiles.load import load_profiles
from claude_local.profiles.profile import Profile
from claude_local.server.template_check import Verdict, check
from support.gguf_files import CHAT_TEMPLATE, SHAPES, write_header_only
from support.hub import COMMIT, Hub, running_hub
from support.machine import ROOT, Machine, error_of
from support.terminal import Terminal

STRICT = (ROOT / "tests" / "data" / "strict-template.jinja").read_text()
REPO = "owner/Some-Model-GGUF"
MOE = next(shape for shape in SHAPES if shape.architecture == "qwen3moe")
SMALL = SHAPES[-1]


@pytest.fixture
def hub(machine: Machine) -> Iterator[Hub]:
    """A hub for the machine's commands."""
    with running_hub() as hub:
        machine.extra["HF_ENDPOINT"] = hub.url
        yield hub


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": str(tmp_path)}, ROOT, user_id=1000, group_id=1000)


def small_model(folder: Path, name: str = "m.gguf", **more: Any) -> bytes:
    return write_header_only(folder / name, SMALL, **more).read_bytes()


def written(machine: Machine, name: str) -> Profile:
    return load_profiles(machine.checkout / "profiles")[name]


def test_a_profile_from_the_hub_has_every_known_value(machine: Machine, hub: Hub, tmp_path: Path) -> None:
    content = small_model(tmp_path, chat_template=STRICT)
    digest = hub.add(REPO, "Some-Model-UD-Q4_K_XL.gguf", content)
    hub.add(REPO, "Some-Model-Q8_0.gguf", content)
    hub.add(REPO, "mmproj-F16.gguf", b"")
    given = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "do_sample": True, "min_p": "x"}
    hub.add("maker/Some-Model", "generation_config.json", json.dumps(given).encode())
    hub.cards[REPO] = {"base_model": ["maker/Some-Model"]}

    out = machine.invoke_ok("add-profile", f"{REPO}:ud-q4_k_xl", "--yes")

    text = (machine.checkout / "profiles" / "some-model-ud-q4_k_xl.yaml").read_text()
    expected = f"""\
# Written by `invoke add-profile {REPO}:ud-q4_k_xl`. This profile has not been run yet.
#
# Model: deci, Q4_K_M, 4 layers.
# Sampling: generation_config.json of maker/Some-Model.
# Chat template, tried with Claude Code's messages: with a later system message it refuses: System \
message must be at the beginning.
# Will it fit here: `invoke plan --model some-model-ud-q4_k_xl`.
title: "deci (random weights) (UD-Q4_K_XL)"
description: "Dense model (deci), {len(content) / 1e6:.1f} MB file."   # add what it is good for

chat_template: tolerant

model:
  repo: "{REPO}"
  revision: "{COMMIT}"
  file: "Some-Model-UD-Q4_K_XL.gguf"
  sha256: "{digest}"
  size_bytes: {len(content)}
  # To let it see images:
  # mmproj:
  #   file: "mmproj-Some-Model-UD-Q4_K_XL.gguf"
  #   hub_file: "mmproj-F16.gguf"

server:
  ctx_size: 8192   # the maximum of the model; Claude Code needs 65536 to work well
  temp: 0.6
  top_k: 20
  top_p: 0.95
"""
    assert text == expected
    assert out == "--- /dev/null\n+++ profiles/some-model-ud-q4_k_xl.yaml\n" + out.split("\n", 2)[2]
    assert [line[1:] for line in out.splitlines()[3:]] == text.splitlines()
    assert written(machine, "some-model-ud-q4_k_xl").server.temp == 0.6


def test_only_the_header_of_a_large_remote_file_is_read(machine: Machine, hub: Hub, tmp_path: Path) -> None:
    content = small_model(tmp_path) + bytes(40 * 2**20)
    hub.add(REPO, "Some-Q4_K_M.gguf", content)

    machine.invoke_ok("add-profile", REPO, "--name", "some", "--yes")

    ranges = [held for _, held in hub.asked("storage")]
    assert ranges == [f"bytes=0-{4 * 2**20 - 1}"]


def test_a_broken_file_on_the_hub_is_a_one_line_error(machine: Machine, hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, "Some-Q4_K_M.gguf", small_model(tmp_path)[:2000])

    message, hints = error_of(machine.invoke("add-profile", REPO, "--yes"))

    assert (
        message == f"{REPO}/Some-Q4_K_M.gguf is not a complete GGUF file: it ends in the middle of the header"
    )
    assert hints == ["choose another file of the repository"]


def test_a_written_profile_can_be_pulled(machine: Machine, hub: Hub, tmp_path: Path) -> None:
    names = ["Q4_K_M/m-Q4_K_M-00001-of-00002.gguf", "Q4_K_M/m-Q4_K_M-00002-of-00002.gguf"]
    for number, name in enumerate(names):
        hub.add(REPO, name, small_model(tmp_path, layers=range(2 * number, 2 * number + 2)))

    machine.invoke_ok("add-profile", f"{REPO}:Q4_K_M", "--name", "some", "--yes")
    pulled = machine.invoke("pull", "some")

    assert pulled.returncode == 0, pulled.stderr
    assert [(machine.checkout / "models" / name).is_file() for name in names] == [True, True]
    assert pulled.stderr.count("sha256 as the profile says") == 2


def test_a_local_file_gives_its_own_sampling_and_no_hub_is_contacted(machine: Machine) -> None:
    machine.extra["HF_HUB_OFFLINE"] = "1"
    folder = machine.checkout / "models" / "sub"
    folder.mkdir(parents=True)
    sampling = {"general.sampling.temp": 0.7, "general.sampling.top_k": 40, "general.sampling.top_p": 7.0}
    write_header_only(folder / "Mine-Q4_K_M.gguf", MOE, more=sampling)

    machine.invoke_ok("add-profile", "models/sub/Mine-Q4_K_M.gguf", "--yes")

    profile = written(machine, "mine-q4_k_m")
    assert (profile.model.file, profile.model.repo) == ("sub/Mine-Q4_K_M.gguf", None)
    assert profile.server.model_dump(include={"ctx_size", "temp", "top_k", "top_p"}) == {
        "ctx_size": 131072,
        "temp": 0.7,
        "top_k": 40,
        "top_p": None,
    }
    text = (machine.checkout / "profiles" / "mine-q4_k_m.yaml").read_text()
    assert "# Model: qwen3moe, Q4_K_M, 48 layers, 128 experts, 8 active, 4 KV heads of 128.\n" in text
    assert "# Sampling: the file itself (general.sampling).\n" in text
    assert "ctx_size: 131072   # the model can take 262144\n" in text
    assert "chat_template" not in text


def test_without_a_terminal_the_diff_is_shown_and_nothing_written(machine: Machine) -> None:
    path = machine.checkout / "models" / "it's.gguf"
    path.parent.mkdir()
    write_header_only(path, SMALL)
    before = sorted((machine.checkout / "profiles").iterdir())

    done = machine.invoke("add-profile", "models/it's.gguf")

    message, hints = error_of(done)
    assert message == "cannot ask: there is no terminal"
    assert hints == ["write it: invoke add-profile 'models/it'\"'\"'s.gguf' --name it-s --yes"]
    assert done.stdout.startswith("--- /dev/null\n+++ profiles/it-s.yaml\n")
    assert sorted((machine.checkout / "profiles").iterdir()) == before


@pytest.mark.tools
@pytest.mark.parametrize(("answer", "is_written"), [("y", True), ("n", False)])
def test_at_a_terminal_the_user_decides(machine: Machine, answer: str, is_written: bool) -> None:
    path = machine.checkout / "models" / "mine.gguf"
    path.parent.mkdir()
    write_header_only(path, SMALL)
    argv = [sys.executable, "-m", "invoke", "add-profile", "models/mine.gguf"]
    with Terminal() as terminal:
        terminal.run(argv, env=machine.environment, cwd=machine.checkout)
        terminal.wait_for("[y/N]")
        terminal.keys(answer, "Enter")
        terminal.wait_for("exit code: 0")

    assert (machine.checkout / "profiles" / "mine.yaml").exists() is is_written


def test_a_taken_name_and_a_file_outside_the_models_folder_are_refused(
    machine: Machine, tmp_path: Path
) -> None:
    small_model(tmp_path, "demo.gguf")
    (machine.checkout / "models").mkdir()
    small_model(machine.checkout / "models", "demo.gguf")

    taken, _ = error_of(machine.invoke("add-profile", "models/demo.gguf", "--yes"))
    elsewhere, hints = error_of(machine.invoke("add-profile", str(tmp_path / "demo.gguf"), "--yes"))
    missing, _ = error_of(machine.invoke("add-profile", "./none.gguf", "--yes"))
    neither, _ = error_of(machine.invoke("add-profile", "what is this", "--yes"))

    models = machine.checkout / "models"
    assert taken == "`demo` is already a name of profile `demo`"
    assert (
        elsewhere == f"{tmp_path / 'demo.gguf'} is not in {models}, the only folder that llama-server reads"
    )
    assert hints == [f"move it there, or set CLAUDE_LOCAL_MODELS_DIR={tmp_path}"]
    assert missing == f"there is no file {machine.checkout / 'none.gguf'}"
    assert neither == "`what is this` is neither a file nor a repository"


def test_a_model_name_cannot_inject_yaml(machine: Machine) -> None:
    path = machine.checkout / "models" / "mine.gguf"
    path.parent.mkdir()
    evil = 'x"\u2028server: {extra_args: [--host]} # {{ 7 }} \\" \''
    write_header_only(path, SMALL, more={"general.basename": evil}, name=evil.replace("\u2028", " "))

    machine.invoke_ok("add-profile", "models/mine.gguf", "--yes")

    profile = written(machine, "mine")
    assert profile.title.startswith('x" server: {extra_args: [--host]} # {{ 7 }} \\" \'')
    assert profile.server.extra_args == ()


SIZES = {
    "m-Q4_K_M.gguf": 1,
    "m-UD-Q4_K_XL.gguf": 1,
    "m-Q8_0-00001-of-00002.gguf": 1,
    "m-Q8_0-00002-of-00002.gguf": 1,
    "mmproj-F16.gguf": 1,
    "sub/m-IQ4_XS.gguf": 1,
    "README.md": 1,
}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("", "m-Q4_K_M.gguf"),
        ("q4_k_m", "m-Q4_K_M.gguf"),
        ("UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        ("Q8_0", "m-Q8_0-00001-of-00002.gguf"),
        ("IQ4_XS", "sub/m-IQ4_XS.gguf"),
        ("sub/m-IQ4_XS.gguf", "sub/m-IQ4_XS.gguf"),
    ],
)
def test_a_quantisation_is_found_in_a_repository(choice: str, expected: str) -> None:
    assert choose_file("o/n", SIZES, choice) == expected


def test_a_missing_or_ambiguous_quantisation_is_reported_with_the_available_files() -> None:
    with pytest.raises(UserError) as missing:
        choose_file("o/n", SIZES, "Q4_K_XL")
    with pytest.raises(UserError) as twice:
        choose_file("o/n", {"a-Q4_0.gguf": 1, "b-Q4_0.gguf": 2}, "Q4_0")
    with pytest.raises(UserError) as none:
        choose_file("o/n", {"model.safetensors": 1}, "")

    assert missing.value.message == "o/n has no GGUF file for `Q4_K_XL`"
    assert missing.value.hint.splitlines()[:2] == [
        "choose one: invoke add-profile o/n:m-Q4_K_M.gguf",
        "o/n:m-Q4_K_M.gguf  1 bytes",
    ]
    assert twice.value.message == "`Q4_0` matches several files in o/n"
    assert none.value.message == "o/n has no GGUF files"
    assert none.value.hint == "choose a repository with GGUF files; their names often end in -GGUF"


def test_of_many_files_forty_are_listed() -> None:
    sizes = {f"m-{number:02}.gguf": 1 for number in range(43)}

    with pytest.raises(UserError) as caught:
        choose_file("o/n", sizes, "")

    assert caught.value.message == "o/n has none of the usual quantisations"
    lines = caught.value.hint.splitlines()
    assert (len(lines), lines[-2:]) == (42, ["o/n:m-39.gguf  1 bytes", "and 3 more"])


TEMPLATES = {
    "takes it": (CHAT_TEMPLATE, Verdict("own", "it accepts a later system message")),
    "refuses it": (
        STRICT,
        Verdict(
            "tolerant",
            "with a later system message it refuses: System message must be at the beginning.",
        ),
    ),
    "drops it": (
        "{% for m in messages %}{% if loop.first or m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
        Verdict("tolerant", "with a later system message it drops the message"),
    ),
    "none": (None, Verdict("unknown", "the file has no chat template")),
    "broken": (
        "{% if %}",
        Verdict(
            "unknown",
            "with a plain conversation it refuses: Expected an expression, got 'end of statement block'",
        ),
    ),
    "reaches for Python": (
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        Verdict(
            "unknown",
            "with a plain conversation it refuses: access to attribute '__class__' of 'list' object is unsafe.",
        ),
    ),
    "eats memory": (
        "{{ 'a' * 10000000000 }}",
        Verdict("unknown", "rendering failed or took too much time or memory"),
    ),
    "takes no system message at all": (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% endfor %}",
        Verdict("unknown", "with a plain conversation it refuses: no system"),
    ),
}


@pytest.mark.parametrize("case", TEMPLATES)
def test_a_template_is_judged_by_its_output(settings: Settings, case: str) -> None:
    template, verdict = TEMPLATES[case]

    assert check(settings, template) == verdict

"""flags: a profile as flags and presets, compared with `llama-server --help`."""

from __future__ import annotations

import json
import re
import shutil
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_local.foundation.errors import UserError
from claude_local.profiles.extra_args import ALLOWED_EXTRA_FLAGS
from claude_local.profiles.load import load_profiles
from claude_local.profiles.profile import Profile, ServerOptions
from claude_local.server.flags import (
    WHEN_ACTIVE,
    Option,
    activate,
    options,
    preset_lines,
    router_argv,
    server_argv,
)

SHIPPED = Path(__file__).parents[2] / "profiles"
HELP = (Path(__file__).parents[1] / "data" / "llama-server-help.txt").read_text(encoding="utf-8")

DESCRIPTION_COLUMN = 40
FIELDS = [name for name in ServerOptions.model_fields if name != "extra_args"]


def help_entries() -> Iterator[tuple[set[str], str]]:
    """The long flags and the whole text of every option in the help."""
    for entry in re.split(r"\n(?=-)", HELP):
        head = entry.split("\n")[0]
        if head[DESCRIPTION_COLUMN - 1 : DESCRIPTION_COLUMN] in (" ", ""):
            head = head[:DESCRIPTION_COLUMN]
        yield set(re.findall(r"(?:^|\s)(--[a-z0-9][a-z0-9.-]*)", head)), entry


ENTRIES = {flag: text for flags, text in help_entries() for flag in flags}


def profile(**server: Any) -> Profile:
    return Profile.model_validate(
        {
            "name": "small",
            "title": "T",
            "description": "D",
            "model": {"file": "sub folder/a.gguf"},
            "server": server,
        }
    )


def one_of_everything() -> Profile:
    """A profile with every kind of value, in the order of the schema."""
    return Profile.model_validate(
        {
            "name": "everything",
            "title": "T",
            "description": "D",
            "aliases": ["every", "thing"],
            "tested_on": "nothing",
            "model": {"file": "a.gguf", "repo": "o/n", "sha256": "0" * 64, "size_bytes": 1},
            "server": {
                "extra_args": ["--ignore-eos", "--keep", "-1", "--no-kv-offload", "--samplers", "top_k"],
                "ctx_size": 0,
                "n_gpu_layers": "all",
                "fit": "off",
                "tensor_split": "3,1",
                "cpu_moe": True,
                "override_tensor": r"blk\.[0-9]+=CPU",
                "kv_unified": False,
                "cache_ram": -1,
                "jinja": True,
                "chat_template_kwargs": {"enable_thinking": False, "effort": "very high"},
                "temp": 0.7,
                "min_p": 0,
                "warmup": False,
            },
        }
    )


# ---- The help


def annotations_in(annotation: Any) -> Iterator[Any]:
    """The members of a union, of unions in it, and of annotated types."""
    if get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from annotations_in(member)
    else:
        yield annotation


def words_of(field: str) -> list[str]:
    """The allowed words of a field."""
    annotation = ServerOptions.model_fields[field].annotation
    literals = [part for part in annotations_in(annotation) if get_origin(part) is Literal]
    return [word for literal in literals for word in get_args(literal) if isinstance(word, str)]


def is_only_true(field: str) -> bool:
    return Literal[True] in annotations_in(ServerOptions.model_fields[field].annotation)


def is_plain_boolean(field: str) -> bool:
    return bool in annotations_in(ServerOptions.model_fields[field].annotation)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_a_flag_of_llama_server(field: str) -> None:
    assert "--" + field.replace("_", "-") in ENTRIES


@pytest.mark.parametrize("field", [field for field in FIELDS if is_plain_boolean(field)])
def test_a_field_that_can_be_false_has_a_negated_flag(field: str) -> None:
    assert "--no-" + field.replace("_", "-") in ENTRIES


@pytest.mark.parametrize("field", [field for field in FIELDS if is_only_true(field)])
def test_a_field_that_can_only_be_true_is_a_flag_without_value_and_negation(field: str) -> None:
    flag = "--" + field.replace("_", "-")

    assert re.search(rf"{flag}(,|  |\n)", ENTRIES[flag])
    assert flag.replace("--", "--no-", 1) not in ENTRIES


@pytest.mark.parametrize(
    ("field", "word"), [(field, word) for field in FIELDS for word in words_of(field)], ids=str
)
def test_every_allowed_word_of_a_field_is_in_the_help(field: str, word: str) -> None:
    text = ENTRIES["--" + field.replace("_", "-")]

    assert word in re.findall(r"[a-z0-9_+]+(?:-[a-z0-9]+)*", text)


def test_the_cache_types_are_exactly_those_in_the_help() -> None:
    for flag, field in (("--cache-type-k", "cache_type_k"), ("--cache-type-v", "cache_type_v")):
        listed = re.search(r"allowed values: (.*)", ENTRIES[flag])

        assert listed is not None
        assert words_of(field) == listed.group(1).split(", ")


@pytest.mark.parametrize("flag", [token for token in router_argv() if token.startswith("-")])
def test_every_flag_of_the_router_is_a_flag_of_llama_server(flag: str) -> None:
    assert flag in ENTRIES


def test_the_allowed_extra_flags_are_exactly_the_recorded_ones() -> None:
    allowed = sorted(flag for flag in ENTRIES if ALLOWED_EXTRA_FLAGS.fullmatch(flag))

    assert allowed == (Path(__file__).parents[1] / "data" / "allowed-extra-flags.txt").read_text().split()


def alternatives(pattern: str) -> Iterator[str]:
    """The parts of `--(a|b(c|d)|e)` between its outermost bars."""
    depth, part = 0, ""
    for character in pattern.removeprefix("--(").removesuffix(")"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            yield part
            part = ""
        else:
            part += character
    yield part


@pytest.mark.parametrize("part", list(alternatives(ALLOWED_EXTRA_FLAGS.pattern)))
def test_every_alternative_of_the_extra_flags_matches_an_existing_flag(part: str) -> None:
    assert any(re.fullmatch(f"--(?:{part})", flag) for flag in ENTRIES)


@pytest.mark.parametrize(
    "flag", (Path(__file__).parents[1] / "data" / "allowed-extra-flags.txt").read_text().split()
)
def test_every_allowed_extra_flag_reaches_llama_server(flag: str) -> None:
    tokens = server_argv(profile(extra_args=[flag, "1"]), "/models")

    assert tokens == ["--model", "/models/sub folder/a.gguf", flag, "1"]


# ---- Flags


def test_a_profile_without_settings_becomes_only_its_model() -> None:
    assert options(profile(), "/models") == [("model", "/models/sub folder/a.gguf")]


def test_projector_and_draft_model_become_paths_inside_the_container() -> None:
    model = {"file": "a.gguf", "mmproj": {"file": "eyes.gguf"}, "draft": {"file": "sub/quick.gguf"}}
    with_both = Profile.model_validate({"name": "a", "title": "T", "description": "D", "model": model})

    expected = [
        ("model", "/models/a.gguf"),
        ("mmproj", "/models/eyes.gguf"),
        ("spec-draft-model", "/models/sub/quick.gguf"),
    ]
    assert options(with_both, "/models") == expected
    assert {f"--{flag}" for flag, _ in expected} <= ENTRIES.keys()
    assert server_argv(profile(), "/models") == ["--model", "/models/sub folder/a.gguf"]


def test_the_demo_profile_becomes_these_arguments() -> None:
    demo = load_profiles(SHIPPED)["demo"]

    assert server_argv(demo, "/m") == [
        *("--model", "/m/demo.gguf"),
        *("--ctx-size", "131072"),
        *("--parallel", "1"),
        *("--fit", "on"),
        *("--fit-ctx", "65536"),
        *("--flash-attn", "on"),
        *("--cache-type-k", "f16"),
        *("--cache-type-v", "f16"),
        *("--threads", "1"),
        "--jinja",
        *("--temp", "1.0"),
        *("--top-k", "0"),
        *("--top-p", "1.0"),
        *("--min-p", "0.0"),
    ]


def test_every_kind_of_value_becomes_options_in_schema_order() -> None:
    expected: list[Option] = [
        ("model", "/models/a.gguf"),
        ("ctx-size", "0"),
        ("n-gpu-layers", "all"),
        ("fit", "off"),
        ("tensor-split", "3,1"),
        ("cpu-moe", True),
        ("override-tensor", r"blk\.[0-9]+=CPU"),
        ("kv-unified", False),
        ("cache-ram", "-1"),
        ("jinja", True),
        ("chat-template-kwargs", '{"enable_thinking":false,"effort":"very high"}'),
        ("temp", "0.7"),
        ("min-p", "0.0"),
        ("warmup", False),
        ("ignore-eos", True),
        ("keep", "-1"),
        ("no-kv-offload", True),
        ("samplers", "top_k"),
    ]

    assert options(one_of_everything(), "/models") == expected


def test_every_kind_of_value_becomes_arguments_in_schema_order() -> None:
    assert server_argv(one_of_everything(), "/models") == [
        *("--model", "/models/a.gguf"),
        *("--ctx-size", "0"),
        *("--n-gpu-layers", "all"),
        *("--fit", "off"),
        *("--tensor-split", "3,1"),
        "--cpu-moe",
        *("--override-tensor", r"blk\.[0-9]+=CPU"),
        "--no-kv-unified",
        *("--cache-ram", "-1"),
        "--jinja",
        *("--chat-template-kwargs", '{"enable_thinking":false,"effort":"very high"}'),
        *("--temp", "0.7"),
        *("--min-p", "0.0"),
        "--no-warmup",
        "--ignore-eos",
        *("--keep", "-1"),
        "--no-kv-offload",
        *("--samplers", "top_k"),
    ]


def test_every_key_of_the_reference_becomes_its_flag_in_the_same_order(tmp_path: Path) -> None:
    (tmp_path / "_defaults.yaml").write_text("")
    shutil.copy(SHIPPED / "_reference.yaml", tmp_path / "reference.yaml")
    reference = load_profiles(tmp_path)["reference"]

    flags = [flag for flag, _ in options(reference, "/models")]

    files = ["model", "mmproj", "spec-draft-model"]
    assert flags == [*files, *(field.replace("_", "-") for field in FIELDS), "chat-template-file", "keep"]


HARD_VALUES = [
    "with a space",
    'say "hello"',
    "it's",
    "$HOME ${HOME} $(id) `id`",
    r"back\slash \n \\",
    "ünïcödé 模型 😀",
    "a=b=c",
    "[section]",
    "100%",
]


@pytest.mark.parametrize("value", HARD_VALUES)
def test_a_hard_value_reaches_the_arguments_and_the_presets_unchanged(value: str) -> None:
    hard = profile(override_tensor=value, extra_args=["--samplers", value])

    assert server_argv(hard, "/models")[2:] == ["--override-tensor", value, "--samplers", value]
    assert preset_lines(hard)[2:4] == [f"override-tensor = {value}", f"samplers = {value}"]


# ---- Presets


def test_the_presets_of_a_small_profile_are_these_lines() -> None:
    assert preset_lines(profile(temp=0.5)) == [
        "[small]",
        "model = /models/sub folder/a.gguf",
        "temp = 0.5",
        "stop-timeout = 3",
        "; when active: alias = local-llama",
        "; when active: load-on-startup = true",
    ]


def test_the_presets_of_every_kind_of_value_are_these_lines() -> None:
    assert preset_lines(one_of_everything()) == [
        "[everything]",
        "model = /models/a.gguf",
        "ctx-size = 0",
        "n-gpu-layers = all",
        "fit = off",
        "tensor-split = 3,1",
        "cpu-moe = true",
        r"override-tensor = blk\.[0-9]+=CPU",
        "kv-unified = false",
        "cache-ram = -1",
        "jinja = true",
        'chat-template-kwargs = {"enable_thinking":false,"effort":"very high"}',
        "temp = 0.7",
        "min-p = 0.0",
        "warmup = false",
        "ignore-eos = true",
        "keep = -1",
        "no-kv-offload = true",
        "samplers = top_k",
        "stop-timeout = 3",
        "alias = every,thing",
        "; when active: alias = every,thing,local-llama",
        "; when active: load-on-startup = true",
    ]


@pytest.mark.parametrize("mark", ["#", ";"])
def test_a_comment_mark_in_a_path_is_refused_with_the_next_step(mark: str) -> None:
    broken = Profile.model_validate(
        {"name": "b", "title": "T", "description": "D", "model": {"file": f"a{mark}1.gguf"}}
    )

    with pytest.raises(UserError) as caught:
        preset_lines(broken)

    assert caught.value.message == (
        "profile `b`: `model` has a `#` or `;`, which llama-server's presets file cannot carry: "
        f"/models/a{mark}1.gguf"
    )
    assert caught.value.hint == "rename the file or change the value; the embedded engine takes it as it is"


def test_a_comment_mark_reaches_the_arguments_of_a_single_server_unchanged() -> None:
    assert server_argv(profile(extra_args=["--samplers", "top_k;temp#"]), "/m")[2:] == [
        "--samplers",
        "top_k;temp#",
    ]


def test_a_comment_mark_in_an_extra_flag_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        preset_lines(profile(extra_args=["--samplers", "top_k;temp"]))

    assert caught.value.message == (
        "profile `small`: `samplers` has a `#` or `;`, which llama-server's presets file cannot carry: "
        "top_k;temp"
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)


@settings(deadline=None)
@given(values=st.dictionaries(KEYS, JSON_VALUES, max_size=4))
def test_template_values_are_the_same_json_in_the_presets_without_comment_marks(
    values: dict[str, Any],
) -> None:
    line = preset_lines(profile(chat_template_kwargs=values))[2]

    assert line.startswith("chat-template-kwargs = ")
    assert json.loads(line.removeprefix("chat-template-kwargs = ")) == values
    assert not set("#;\n\r") & set(line)


def test_comment_marks_in_template_values_are_escaped_as_json_does() -> None:
    lines = preset_lines(profile(chat_template_kwargs={"#": "a;b"}))

    assert lines[2] == r'chat-template-kwargs = {"\u0023":"a\u003bb"}'


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85"])
def test_template_values_never_break_a_line_of_the_presets(end: str) -> None:
    presets = "\n".join(preset_lines(profile(chat_template_kwargs={"k": f"a{end}host = 0.0.0.0"}))) + "\n"

    assert activate(presets, "unknown") == presets


# ---- The active profile

PRESETS = """\
; header with "when active:" in it
version = 1

[a]
model = /models/a.gguf
; when active: alias = local-llama
; when active: load-on-startup = true

[a.b]
model = /models/ab.gguf
alias = x
; when active: alias = x,local-llama
; when active: load-on-startup = true
; a comment
"""


def test_activating_a_profile_uncomments_its_lines_alone() -> None:
    assert activate(PRESETS, "a") == PRESETS.replace(
        "; when active: alias = local-llama\n; when active: load-on-startup = true\n",
        "alias = local-llama\nload-on-startup = true\n",
    )
    assert activate(PRESETS, "a.b") == PRESETS.replace(
        "; when active: alias = x,local-llama\n; when active: load-on-startup = true\n",
        "alias = x,local-llama\nload-on-startup = true\n",
    )


def test_a_profile_alone_keeps_the_header_and_its_own_section() -> None:
    lines = activate(PRESETS, "a", alone=True).splitlines()

    assert lines == [
        *PRESETS.splitlines()[:3],
        *("[a]", "model = /models/a.gguf", "alias = local-llama", "load-on-startup = true", ""),
    ]
    assert "[a]" not in activate(PRESETS, "a.b", alone=True)


@pytest.mark.parametrize("name", ["unknown", "", "[a]", "A"])
def test_activating_an_unknown_profile_changes_nothing(name: str) -> None:
    assert activate(PRESETS, name) == PRESETS


def test_activating_twice_equals_activating_once() -> None:
    assert activate(activate(PRESETS, "a"), "a") == activate(PRESETS, "a")


def test_the_active_profile_has_all_its_names_and_loads_on_startup() -> None:
    presets = "\n".join(preset_lines(one_of_everything())) + "\n"

    lines = activate(presets, "everything").splitlines()

    assert lines[-2:] == ["alias = every,thing,local-llama", "load-on-startup = true"]
    assert not any(line.startswith(WHEN_ACTIVE) for line in lines)


def test_every_shipped_profile_can_be_written_into_the_presets() -> None:
    profiles = load_profiles(SHIPPED)

    headings = [preset_lines(profile)[0] for profile in profiles.values()]

    assert headings == [f"[{name}]" for name in profiles]


def test_the_router_asks_for_a_key_and_loads_one_model() -> None:
    assert router_argv() == [
        *("--host", "0.0.0.0"),
        *("--port", "8080"),
        *("--models-preset", "/config/presets.ini"),
        *("--models-max", "1"),
        *("--api-key-file", "/config/api_key"),
        *("--cors-origins", "localhost"),
        *("--sse-ping-interval", "2"),
        "--metrics",
        "--no-ui",
    ]

"""profiles and profile_mistakes: what a profile may say, and the sentence for everything else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from claude_local.foundation.errors import ProfileError, UnknownProfile, UserError
from claude_local.foundation.strict_yaml import read_yaml
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.profile import Profile, ServerOptions, find_profile, load_profiles, profile_files

SHIPPED = Path(__file__).parents[2] / "profiles"

MINIMAL = "title: T\ndescription: D\nmodel: {file: a.gguf}\n"
"""The three lines that every profile needs; whatever a test adds begins on line 4."""

BOOLEAN_HINT = "YAML reads a bare on/off/yes/no as a boolean: quote it"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A profiles folder with empty defaults."""
    made = tmp_path / "profiles"
    made.mkdir()
    (made / "_defaults.yaml").write_text("")
    return made


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def mistakes_in(folder: Path) -> tuple[list[str], list[str]]:
    """The lines of the error's message and of its hint."""
    with pytest.raises(ProfileError) as caught:
        load_profiles(folder)
    return caught.value.message.split("\n"), caught.value.hint.splitlines()


def server_of(folder: Path, name: str = "a") -> dict[str, object]:
    return load_profiles(folder)[name].server.model_dump(exclude_defaults=True)


# ---- What is read


def test_a_minimal_profile_has_its_file_name_and_leaves_the_rest_to_llama_server(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL})

    profiles = load_profiles(folder)

    expected = Profile(name="a", title="T", description="D", model=ModelSource(file="a.gguf"))
    assert profiles == {"a": expected}
    assert profiles["a"].server.model_dump(exclude_none=True) == {"extra_args": ()}


def test_profiles_come_in_name_order_and_files_with_an_underscore_are_none(folder: Path) -> None:
    write(folder, {"b.yaml": MINIMAL, "a.yaml": MINIMAL, "_draft.yaml": "nonsense", "notes.txt": "nonsense"})

    assert list(load_profiles(folder)) == ["a", "b"]
    assert profile_files(folder) == [folder / "a.yaml", folder / "b.yaml"]


def test_what_an_editor_puts_beside_a_profile_is_none(folder: Path) -> None:
    (folder / "a.yaml").write_text(MINIMAL)
    (folder / ".#a.yaml").symlink_to("somebody@host.1234")
    (folder / ".a.yaml").write_text("half")

    assert list(load_profiles(folder)) == ["a"]


def test_a_profile_goes_over_the_defaults_key_by_key(folder: Path) -> None:
    write(
        folder,
        {
            "_defaults.yaml": "server: {parallel: 1, temp: 0.5, fit: 'on'}\n",
            "a.yaml": MINIMAL + "server: {temp: 1.5, top_k: 20}\n",
            "b.yaml": MINIMAL,
        },
    )

    assert server_of(folder, "a") == {"parallel": 1, "temp": 1.5, "fit": "on", "top_k": 20}
    assert server_of(folder, "b") == {"parallel": 1, "temp": 0.5, "fit": "on"}


def test_null_unsets_a_default(folder: Path) -> None:
    write(
        folder,
        {
            "_defaults.yaml": "server: {parallel: 1, temp: 0.5}\n",
            "a.yaml": MINIMAL + "server: {temp: null}\n",
        },
    )

    assert server_of(folder) == {"parallel": 1}


def test_null_unsets_the_extra_args_of_the_defaults(folder: Path) -> None:
    write(
        folder,
        {
            "_defaults.yaml": "server: {extra_args: [--keep, '64']}\n",
            "a.yaml": MINIMAL + "server: {extra_args: null}\n",
        },
    )

    assert server_of(folder) == {}


def test_template_values_of_a_profile_replace_those_of_the_defaults(folder: Path) -> None:
    write(
        folder,
        {
            "_defaults.yaml": "server: {chat_template_kwargs: {a: 1, b: 2}}\n",
            "a.yaml": MINIMAL + "server: {chat_template_kwargs: {b: 3}}\n",
        },
    )

    assert server_of(folder) == {"chat_template_kwargs": {"b": 3}}


def test_a_whole_number_is_good_where_a_number_is_wanted(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + "server: {temp: 1, seed: -1}\n"})

    assert server_of(folder) == {"temp": 1.0, "seed": -1}


def test_a_profile_cannot_be_changed(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL})
    profile = load_profiles(folder)["a"]

    with pytest.raises(ValueError, match="frozen"):
        setattr(profile, "title", "other")  # noqa: B010  a plain assignment does not pass mypy


# ---- One mistake, one sentence

MISTAKES = {
    "unknown key": ("servre: {}", "4: servre: is no known key", "did you mean `server` instead of `servre`?"),
    "unknown key below server": (
        "server:\n  ctx_siz: 1",
        "5: server/ctx_siz: is no known key",
        "did you mean `ctx_size` instead of `ctx_siz`?",
    ),
    "unknown key with dashes": (
        "server:\n  cache-type-k: q8_0",
        "5: server/cache-type-k: is no known key",
        "did you mean `cache_type_k` instead of `cache-type-k`?",
    ),
    "unknown key like no other": ("zzz: 1", "4: zzz: is no known key", ""),
    "duplicate key": ("title: again", "4: title: stands twice, first in line 1", ""),
    "duplicate key below server": (
        "server:\n  temp: 1\n  temp: 2",
        "6: server/temp: stands twice, first in line 5",
        "",
    ),
    "text for a whole number": (
        "server:\n\n  ctx_size: 128k",
        "6: server/ctx_size: should be a whole number, not '128k'",
        "",
    ),
    "number for a whole number": (
        "server: {ctx_size: 1.5}",
        "4: server/ctx_size: should be a whole number, not 1.5",
        "",
    ),
    "boolean for a whole number": (
        "server: {ctx_size: true}",
        "4: server/ctx_size: should be a whole number, not True",
        "",
    ),
    "below zero": ("server: {ctx_size: -1}", "4: server/ctx_size: should be 0 or more, not -1", ""),
    "below one": ("server: {parallel: 0}", "4: server/parallel: should be 1 or more, not 0", ""),
    "below minus one": ("server: {cache_ram: -2}", "4: server/cache_ram: should be -1 or more, not -2", ""),
    "above one": ("server: {top_p: 1.5}", "4: server/top_p: should be 1.0 or less, not 1.5", ""),
    "text for a number": ("server: {temp: warm}", "4: server/temp: should be a number, not 'warm'", ""),
    "no number for a number": (
        "server: {temp: .nan}",
        "4: server/temp: should be a finite number, not nan",
        "",
    ),
    "text for a boolean": (
        'server: {jinja: "on"}',
        "4: server/jinja: should be true or false, not 'on'",
        "",
    ),
    "bare on": ("server:\n  fit: on", "5: server/fit: should be 'on' or 'off', not True", BOOLEAN_HINT),
    "bare off": (
        "server:\n  flash_attn: off",
        "5: server/flash_attn: should be 'on', 'off' or 'auto', not False",
        BOOLEAN_HINT,
    ),
    "bare yes as text": (
        "tested_on: yes",
        "4: tested_on: should be a text, not True",
        BOOLEAN_HINT,
    ),
    "false where only true is": (
        "server: {cpu_moe: false}",
        "4: server/cpu_moe: should be True, not False",
        "",
    ),
    "none of the choices": (
        "server: {split_mode: rows}",
        "4: server/split_mode: should be 'none', 'layer', 'row' or 'tensor', not 'rows'",
        "",
    ),
    "neither number nor word": (
        "server: {n_gpu_layers: many}",
        "4: server/n_gpu_layers: should be a whole number or 'auto' or 'all', not 'many'",
        "",
    ),
    "wrong number or word": (
        "server: {n_gpu_layers: -1}",
        "4: server/n_gpu_layers: should be 0 or more or 'auto' or 'all', not -1",
        "",
    ),
    "number for a text": (
        "server: {fit_target: 1024}",
        "4: server/fit_target: should be a text, not 1024",
        "",
    ),
    "date for a text": (
        "tested_on: 2026-01-01",
        "4: tested_on: should be a text, not datetime.date(2026, 1, 1)",
        "",
    ),
    "empty text": ("tested_on: ''", "4: tested_on: should be a text that is not empty, not ''", ""),
    "text with an escape character": (
        'tested_on: "\\e[31m"',
        r"4: tested_on: should have no control characters or line ends, not '\x1b[31m'",
        "",
    ),
    "list for a section": ("server: [1]", "4: server: should be a mapping, not [1]", ""),
    "nothing for a section": ("server:", "4: server: should be a mapping, not None", ""),
    "text for a list": ("aliases: x", "4: aliases: should be a list, not 'x'", ""),
    "mapping for a list": ("aliases: {x: 1}", "4: aliases: should be a list, not {'x': 1}", ""),
    "number in a list": ("aliases:\n- x\n- 1", "6: aliases/1: should be a text, not 1", ""),
    "capital in an alias": (
        "aliases: [Qwen]",
        "4: aliases/0: should be a text that matches ^[a-z0-9][a-z0-9._-]{0,62}$, not 'Qwen'",
        "",
    ),
    "list for template values": (
        "server: {chat_template_kwargs: [1]}",
        "4: server/chat_template_kwargs: should be a mapping, not [1]",
        "",
    ),
    "number in extra_args": (
        "server:\n  extra_args: [--keep,\n    64]",
        "6: server/extra_args/1: should be a text, not 64",
        "",
    ),
    "a long value": (
        f"server: {{ctx_size: {'x' * 100}}}",
        f"4: server/ctx_size: should be a whole number, not '{'x' * 56}...",
        "",
    ),
    "anchor": ("tested_on: &x y", "4: has an anchor or alias (`&`, `*`)", "write the value out"),
    "alias": ("tested_on: *x", "4: has an anchor or alias (`&`, `*`)", "write the value out"),
    "tag": ("tested_on: !x y", "4: has a tag (`!x`)", "quote a text that starts with `!`"),
    "two documents": ("---\ntitle: T", "4: should hold one document", ""),
    "control character": ("# \x07", "4: has a control character (U+0007)", ""),
    "nesting": ("a: " + "[" * 20 + "]" * 20, "4: is nested deeper than 20 levels", ""),
    "no YAML": ("'open", "5: is not YAML: found unexpected end of stream", ""),
    "size": ("#" * (70 * 1024 - len(MINIMAL) - 1), "1: should be at most 64 kB, is 70 kB", ""),
}


@pytest.mark.parametrize(("text", "message", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_file_line_place_expectation_and_hint(
    folder: Path, text: str, message: str, hint: str
) -> None:
    write(folder, {"a.yaml": MINIMAL + text + "\n"})

    assert mistakes_in(folder) == ([f"profiles/a.yaml:{message}"], hint.splitlines())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{}", "model/file: is missing"),
        ("a.gguf", "model: should be a mapping, not 'a.gguf'"),
        ("null", "model: should be a mapping, not None"),
        ("{file: ''}", "model/file: should be a text that is not empty, not ''"),
        (
            "{file: /a.gguf}",
            "model/file: should be a .gguf file below the models folder, not '/a.gguf'",
        ),
        (
            "{file: x/../../a.gguf}",
            "model/file: should be a .gguf file below the models folder, not 'x/../../a.gguf'",
        ),
        ("{file: a.bin}", "model/file: should be a .gguf file below the models folder, not 'a.bin'"),
        (
            "{file: a.gguf, sha256: ABC}",
            "model/sha256: should be a text that matches ^[0-9a-f]{64}$, not 'ABC'",
        ),
        ("{file: a.gguf, size_bytes: 0}", "model/size_bytes: should be more than 0, not 0"),
        ("{file: a.gguf, about_gb: 0}", "model/about_gb: should be more than 0.0, not 0"),
        ("{file: a.gguf, about_gb: 1000001}", "model/about_gb: should be 1000000.0 or less, not 1000001"),
    ],
)
def test_a_mistake_in_the_model_is_told(folder: Path, model: str, message: str) -> None:
    write(folder, {"a.yaml": f"title: T\ndescription: D\nmodel: {model}\n"})

    assert mistakes_in(folder) == ([f"profiles/a.yaml:3: {message}"], [])


def test_a_model_file_may_lie_in_a_folder_and_have_any_printable_name(folder: Path) -> None:
    name = "sub folder/modèle $x 'q' #1;v..2.gguf"
    write(folder, {"a.yaml": f"title: T\ndescription: D\nmodel: {{file: {json.dumps(name)}}}\n"})

    assert load_profiles(folder)["a"].model.file == name


def test_a_profile_without_content_lacks_three_keys(folder: Path) -> None:
    write(folder, {"a.yaml": ""})

    assert mistakes_in(folder) == (
        [
            "profiles/a.yaml:1: title: is missing",
            "profiles/a.yaml:1: description: is missing",
            "profiles/a.yaml:1: model: is missing",
        ],
        [],
    )


def test_a_misspelled_required_key_is_missing_and_unknown(folder: Path) -> None:
    write(folder, {"a.yaml": "title: T\ndescription: D\nmodel:\n  fil: a.gguf\n"})

    messages, hints = mistakes_in(folder)

    assert messages == [
        "profiles/a.yaml:3: model/file: is missing",
        "profiles/a.yaml:4: model/fil: is no known key",
    ]
    assert hints == ["did you mean `file` instead of `fil`?"]


def test_the_name_comes_from_the_file_and_a_name_in_it_is_refused(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + "name: other\n"})

    messages, _ = mistakes_in(folder)

    assert messages == ["profiles/a.yaml:4: name: is no known key"]


@pytest.mark.parametrize("stem", ["A", "a b", "ä", "-a", "a" * 64])
def test_a_file_name_that_is_no_name_is_refused(folder: Path, stem: str) -> None:
    write(folder, {f"{stem}.yaml": MINIMAL})

    messages, _ = mistakes_in(folder)

    pattern = "^[a-z0-9][a-z0-9._-]{0,62}$"
    shown = repr(stem) if len(stem) < 60 else repr(stem)[:57] + "..."
    assert messages == [f"profiles/{stem}.yaml:1: name: should be a text that matches {pattern}, not {shown}"]


@pytest.mark.parametrize("key", [r"\e[31m", r"a\nb", r"\u009b1m", r"\u202eb"])
def test_no_key_brings_control_characters_into_the_error(folder: Path, key: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f'"{key}": 1\n'})

    messages, _ = mistakes_in(folder)

    assert len(messages) == 1
    assert messages[0].isprintable()


@pytest.mark.parametrize(
    "value",
    ["2026-01-01", ".nan", ".inf", r'"\ud800"'],
    ids=["date", "not a number", "infinity", "half a character"],
)
def test_a_template_value_that_json_cannot_carry_is_refused(folder: Path, value: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f"server: {{chat_template_kwargs: {{k: {value}}}}}\n"})

    messages, _ = mistakes_in(folder)

    assert [message.split(" ")[0] for message in messages] == ["profiles/a.yaml:4:"]


@pytest.mark.parametrize("value", [r'"a\u2028b"', r'"a\u2029b"', r'"a\u0085b"', r'"a\x9bb"'])
def test_a_text_with_an_invisible_line_end_or_control_character_is_refused(folder: Path, value: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f"tested_on: {value}\n"})

    messages, _ = mistakes_in(folder)

    assert [message.split(" ")[:2] for message in messages] == [["profiles/a.yaml:4:", "tested_on:"]]


def test_half_a_character_is_told_in_our_own_words(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + r'tested_on: "\ud800"' + "\n"})

    messages, _ = mistakes_in(folder)

    assert len(messages) == 1
    assert messages[0].startswith("profiles/a.yaml:4: tested_on: should be a")
    assert "Input" not in messages[0]


@pytest.mark.parametrize(
    "value",
    ["2026-13-45", "0x_", "9" * 5000, "0x" + "f" * 5000],
    ids=["date", "hexadecimal", "5000 digits", "5000 hexadecimal digits"],
)
def test_a_value_that_python_cannot_hold_is_a_mistake_of_that_line(folder: Path, value: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f"tested_on: {value}\n"})

    messages, _ = mistakes_in(folder)

    assert [message.split(" ")[0] for message in messages] == ["profiles/a.yaml:4:"]


# ---- Several mistakes


def test_all_mistakes_of_all_files_are_told_at_once_by_file_and_line(folder: Path) -> None:
    write(
        folder,
        {
            "b.yaml": MINIMAL + "server:\n  temp: warm\n  fitt: 'on'\n  fit: on\nzzz: 1\n",
            "a.yaml": "title: 1\ntitle: 2\n",
            "c.yaml": MINIMAL,
        },
    )

    assert mistakes_in(folder) == (
        [
            "profiles/a.yaml:2: title: stands twice, first in line 1",
            "profiles/b.yaml:5: server/temp: should be a number, not 'warm'",
            "profiles/b.yaml:6: server/fitt: is no known key",
            "profiles/b.yaml:7: server/fit: should be 'on' or 'off', not True",
            "profiles/b.yaml:8: zzz: is no known key",
        ],
        ["did you mean `fit` instead of `fitt`?", BOOLEAN_HINT],
    )


def test_a_hint_for_several_mistakes_is_told_once(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + "server: {fit: on, flash_attn: on}\n"})

    _, hints = mistakes_in(folder)

    assert hints == [BOOLEAN_HINT]


def test_a_mistake_in_the_defaults_is_blamed_on_the_defaults(folder: Path) -> None:
    write(
        folder,
        {"_defaults.yaml": "# comment\nserver:\n  parallel: x\n  fitt: 'on'\n", "a.yaml": MINIMAL},
    )

    assert mistakes_in(folder) == (
        [
            "profiles/_defaults.yaml:3: server/parallel: should be a whole number, not 'x'",
            "profiles/_defaults.yaml:4: server/fitt: is no known key",
        ],
        ["did you mean `fit` instead of `fitt`?"],
    )


def test_a_mistake_in_the_defaults_is_told_once_for_any_number_of_profiles(folder: Path) -> None:
    write(
        folder,
        {"_defaults.yaml": "server:\n  parallel: x\n", "a.yaml": MINIMAL, "b.yaml": MINIMAL},
    )

    messages, _ = mistakes_in(folder)

    assert messages == ["profiles/_defaults.yaml:2: server/parallel: should be a whole number, not 'x'"]


def test_a_mistake_over_a_default_is_blamed_on_the_profile(folder: Path) -> None:
    write(
        folder,
        {"_defaults.yaml": "\n\n\nserver: {parallel: 1}\n", "a.yaml": MINIMAL + "server: {parallel: x}\n"},
    )

    messages, _ = mistakes_in(folder)

    assert messages == ["profiles/a.yaml:4: server/parallel: should be a whole number, not 'x'"]


def test_defaults_that_are_no_yaml_are_told_once(folder: Path) -> None:
    write(folder, {"_defaults.yaml": "- a\n", "a.yaml": MINIMAL, "b.yaml": MINIMAL})

    messages, _ = mistakes_in(folder)

    assert messages == ["profiles/_defaults.yaml:1: should be a mapping of keys to values"]


def test_a_folder_without_defaults_is_an_expected_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_profiles(tmp_path / "missing")

    assert str(tmp_path / "missing") in caught.value.message


def test_a_folder_that_is_called_like_a_profile_is_an_expected_error(folder: Path) -> None:
    (folder / "a.yaml").mkdir()

    with pytest.raises(UserError) as caught:
        load_profiles(folder)

    assert "a.yaml" in caught.value.message


# ---- Names


def test_no_two_profiles_share_a_name_or_alias(folder: Path) -> None:
    write(
        folder,
        {
            "a.yaml": MINIMAL + "aliases: [x]\n",
            "b.yaml": MINIMAL + "aliases:\n  - y\n  - x\n  - a\n",
            "y.yaml": MINIMAL,
        },
    )

    messages, _ = mistakes_in(folder)

    assert messages == [
        "profiles/b.yaml:6: aliases/1: `x` is already a name of profile `a`",
        "profiles/b.yaml:7: aliases/2: `a` is already a name of profile `a`",
        "profiles/y.yaml:1: `y` is already a name of profile `b`",
    ]


@pytest.mark.parametrize(
    ("aliases", "message"),
    [("[x, x]", "4: aliases/1:"), ("[x, a]", "4: aliases/1:")],
    ids=["an alias twice", "its own name"],
)
def test_a_profile_does_not_have_a_name_twice(folder: Path, aliases: str, message: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f"aliases: {aliases}\n"})

    messages, _ = mistakes_in(folder)

    assert len(messages) == 1
    assert messages[0].startswith(f"profiles/a.yaml:{message} ")


def test_no_profile_takes_the_name_of_the_active_one(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + "aliases: [local-llama]\n", "local-llama.yaml": MINIMAL})

    messages, _ = mistakes_in(folder)

    problem = "should not be `local-llama`, which means the active profile"
    assert messages == [
        f"profiles/a.yaml:4: aliases/0: {problem}",
        f"profiles/local-llama.yaml:1: {problem}",
    ]


def known(*names: str, **aliases: list[str]) -> dict[str, Profile]:
    return {
        name: Profile.model_validate(
            {
                "name": name,
                "title": "T",
                "description": "D",
                "model": {"file": "a.gguf"},
                "aliases": aliases.get(name.replace("-", "_"), []),
            }
        )
        for name in names
    }


KNOWN = known("qwen", "qwen-large", "gpt-small", "gpt-large", gpt_large=["big", "gpt-large-2"])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("qwen", "qwen"),  # a whole name wins over the beginning of another
        ("qwen-large", "qwen-large"),
        ("qwen-", "qwen-large"),
        ("gpt-s", "gpt-small"),
        ("big", "gpt-large"),
        ("b", "gpt-large"),
        ("gpt-l", "gpt-large"),  # begins its name and one of its aliases
    ],
)
def test_a_profile_is_found_by_name_alias_or_unambiguous_beginning(name: str, found: str) -> None:
    assert find_profile(KNOWN, name) is KNOWN[found]


def test_an_ambiguous_beginning_lists_the_candidates() -> None:
    with pytest.raises(UnknownProfile) as caught:
        find_profile(KNOWN, "g")

    assert caught.value.message == "`g` could be several profiles"
    assert caught.value.hint == "choose one of: gpt-large, gpt-small"


@pytest.mark.parametrize("name", ["zzz", "Qwen", "wen", "qwen ", "../qwen", ""])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownProfile) as caught:
        find_profile(KNOWN, name)

    assert caught.value.message == f"no profile named `{name}`"
    assert caught.value.hint == "known profiles: gpt-large, gpt-small, qwen, qwen-large"


def test_an_empty_name_means_no_profile_even_if_there_is_only_one() -> None:
    with pytest.raises(UnknownProfile):
        find_profile(known("qwen"), "")


# ---- Extra flags


def extra_args_in(folder: Path, tokens: list[str]) -> str:
    write(folder, {"a.yaml": MINIMAL + f"server: {{extra_args: {json.dumps(tokens)}}}\n"})
    messages, _ = mistakes_in(folder)
    assert len(messages) == 1
    return messages[0]


@pytest.mark.parametrize(
    "tokens",
    [
        ["--keep", "64"],
        ["--keep", "-1"],
        ["--ignore-eos"],
        ["--no-kv-offload", "--check-tensors", "--numa", "isolate"],
        ["--override-kv", "a.b=str:x y", "--logit-bias", "15043-1"],
        ["--rope-scaling", "yarn", "--yarn-orig-ctx", "32768"],
        ["--reasoning-budget-message", "that's enough; $HOME `id` # no comment"],
        ["--spec-draft-p-min", "0.5", "--spec-ngram-mod-n-min", "2"],
    ],
)
def test_flags_that_shape_the_computation_are_allowed_as_they_are(folder: Path, tokens: list[str]) -> None:
    write(folder, {"a.yaml": MINIMAL + f"server: {{extra_args: {json.dumps(tokens)}}}\n"})

    assert load_profiles(folder)["a"].server.extra_args == tuple(tokens)


@pytest.mark.parametrize(
    "flag",
    [
        "--agent",
        "--alias",
        "--api-key",
        "--api-key-file",
        "--api-prefix",
        "--chat-template-file",
        "--control-vector",
        "--cors-origins",
        "--docker-repo",
        "--grammar-file",
        "--hf-repo",
        "--hf-token",
        "--host",
        "--log-file",
        "--log-prompts-dir",
        "--lora",
        "--lora-scaled",
        "--mcp-servers-config",
        "--mcp-servers-json",
        "--media-path",
        "--mmproj",
        "--model",
        "--model-url",
        "--models-autoload",
        "--models-dir",
        "--models-preset",
        "--path",
        "--port",
        "--props",
        "--reuse-port",
        "--rpc",
        "--slot-save-path",
        "--spec-draft-hf",
        "--spec-draft-model",
        "--ssl-key-file",
        "--tools",
        "--tools-runtime",
        "--ui-mcp-proxy",
        "--video-ffmpeg-dir",
        "-c",
        "-",
        "--",
        "---keep",
        "--KEEP",
        "--keep=1",
        "--keep ",
        "--keep=1 --host",
        "--keep --host",
        "--prio=1",
        "--prio --host",
        "--prio = 1 --host",
        "--rope-freq-base]",
        "--dry-base # comment",
        "--mirostat; x",
    ],
)
def test_any_other_flag_is_refused_in_every_place(folder: Path, flag: str) -> None:
    tokens = ["--keep", "64", flag, "x"]

    message = extra_args_in(folder, tokens)

    problem = f"should not hold `{flag}`, which is not on the list of allowed flags"
    assert message == f"profiles/a.yaml:4: server/extra_args: {problem}, not {shortened(tokens)}"


def shortened(tokens: list[str]) -> str:
    shown = repr(tokens)
    return shown if len(shown) <= 60 else shown[:57] + "..."


@pytest.mark.parametrize(
    "token", ["--poll\u2028host = 0.0.0.0", "1\u2028host = 0.0.0.0", "1\x85host = 0.0.0.0"]
)
def test_no_extra_token_holds_a_line_end(folder: Path, token: str) -> None:
    message = extra_args_in(folder, ["--keep", token])

    assert message.startswith("profiles/a.yaml:4: server/extra_args")


@pytest.mark.parametrize("tokens", [["64"], ["-c", "1"], ["-1"], ["keep", "1"]])
def test_extra_args_begin_with_a_long_flag(folder: Path, tokens: list[str]) -> None:
    message = extra_args_in(folder, tokens)

    problem = "should start with a long flag such as `--keep`"
    assert message == f"profiles/a.yaml:4: server/extra_args: {problem}, not {tokens}"


def test_a_refused_flag_does_not_hide_behind_an_allowed_one(folder: Path) -> None:
    message = extra_args_in(folder, ["--rope-scale", "--rpc"])

    problem = "should not hold `--rpc`, which is not on the list of allowed flags"
    assert message == f"profiles/a.yaml:4: server/extra_args: {problem}, not ['--rope-scale', '--rpc']"


@pytest.mark.parametrize("field", [name for name in ServerOptions.model_fields if name != "extra_args"])
def test_a_flag_with_a_field_of_its_own_is_no_extra_flag(folder: Path, field: str) -> None:
    flag = "--" + field.replace("_", "-")

    message = extra_args_in(folder, [flag, "1"])

    problem = f"should not repeat `{flag}`, which has its own field"
    assert message == f"profiles/a.yaml:4: server/extra_args: {problem}, not {[flag, '1']}"


def test_a_second_value_of_one_flag_is_refused_rather_than_dropped(folder: Path) -> None:
    message = extra_args_in(folder, ["--keep", "64", "stray"])

    assert message.startswith("profiles/a.yaml:4: server/extra_args")


# ---- What is shipped


def test_every_shipped_profile_loads() -> None:
    profiles = load_profiles(SHIPPED)

    assert list(profiles) == [file.stem for file in profile_files(SHIPPED)]
    assert "demo" in profiles


def test_the_reference_is_itself_a_good_profile(folder: Path) -> None:
    shutil.copy(SHIPPED / "_reference.yaml", folder / "reference.yaml")

    profile = load_profiles(folder)["reference"]

    assert all(value is not None for value in profile.server.model_dump().values())
    assert all(value is not None for value in profile.model.model_dump().values())


def test_the_reference_names_every_key_in_schema_order() -> None:
    data = read_yaml(SHIPPED / "_reference.yaml").data

    assert list(data) == [name for name in Profile.model_fields if name != "name"]
    assert list(data["model"]) == list(ModelSource.model_fields)
    assert list(data["server"]) == list(ServerOptions.model_fields)


# ---- Anything at all

PIECES = [
    *("title: T\n", "description: D\n", "model: {file: a.gguf}\n", "model:\n", "  file: b.gguf\n"),
    *("server:\n", "  temp: ", "  extra_args: ", "aliases: ", "chat_template_kwargs: ", "name: ", "a"),
    *("[", "]", "{", "}", ",", ":", "- ", "? ", "| \n", "> \n", "&x ", "*x", "!", "!!int ", "%YAML 1.1\n"),
    *("'", '"', "\\", "#", "\n", "  ", "\t", "---\n", "...\n", "<<", "=", "~", "on", "no", "null", ".inf"),
    *("1", "-1", "0x1F", "0o7", "1_0", "1:2", "1e3", "2026-01-01", "12:30:00", "\x00", "\x85", "\u2028", "ä"),
    *("--keep", "--host", "\ufeff", "😀"),
]


@settings(deadline=None, max_examples=300)
@given(pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30))
@example(pieces=["[" * 5000])
@example(pieces=["? " * 5000])
def test_any_text_is_a_profile_or_a_profile_error(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("profiles")
    (folder / "_defaults.yaml").write_text("server: {parallel: 1}\n")
    (folder / "a.yaml").write_bytes("".join(pieces).encode(errors="surrogatepass"))

    try:
        names = list(load_profiles(folder))
    except ProfileError as error:
        names = ["a"]
        assert error.message.startswith(f"{folder.name}/a.yaml:")

    assert names == ["a"]


@settings(deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_profile_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("profiles")
    (folder / "_defaults.yaml").write_text("")
    (folder / "a.yaml").write_bytes(data)

    with pytest.raises(ProfileError):
        load_profiles(folder)

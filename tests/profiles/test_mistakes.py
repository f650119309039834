"""mistakes: the message for each mistake in a profile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claude_local.profiles.load import load_profiles
from support.profile_folder import BOOLEAN_HINT, MINIMAL, mistakes_in, write

MISTAKES = {
    "unknown key": (
        "servre: {}",
        "4: servre: is not a known key",
        "did you mean `server` instead of `servre`?",
    ),
    "unknown key below server": (
        "server:\n  ctx_siz: 1",
        "5: server/ctx_siz: is not a known key",
        "did you mean `ctx_size` instead of `ctx_siz`?",
    ),
    "unknown key with dashes": (
        "server:\n  cache-type-k: q8_0",
        "5: server/cache-type-k: is not a known key",
        "did you mean `cache_type_k` instead of `cache-type-k`?",
    ),
    "unknown key without a similar one": (
        "zzz: 1",
        "4: zzz: is not a known key",
        "all keys: profiles/_reference.yaml",
    ),
    "duplicate key": ("title: again", "4: title: appears twice, first on line 1", ""),
    "duplicate key below server": (
        "server:\n  temp: 1\n  temp: 2",
        "6: server/temp: appears twice, first on line 5",
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
    "not a number for a number": (
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
        "4: tested_on: should be text, not True",
        BOOLEAN_HINT,
    ),
    "false where only true is allowed": (
        "server: {cpu_moe: false}",
        "4: server/cpu_moe: should be True, not False",
        "",
    ),
    "not one of the choices": (
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
        "4: server/fit_target: should be text, not 1024",
        "",
    ),
    "date for a text": (
        "tested_on: 2026-01-01",
        "4: tested_on: should be text, not datetime.date(2026, 1, 1)",
        "",
    ),
    "empty text": ("tested_on: ''", "4: tested_on: should be text that is not empty, not ''", ""),
    "text with an escape character": (
        'tested_on: "\\e[31m"',
        r"4: tested_on: should not contain control characters or line breaks, not '\x1b[31m'",
        "",
    ),
    "list for a section": ("server: [1]", "4: server: should be keys with values, not [1]", ""),
    "nothing for a section": ("server:", "4: server: should be keys with values, not None", ""),
    "text for a list": ("aliases: x", "4: aliases: should be a list, not 'x'", ""),
    "mapping for a list": ("aliases: {x: 1}", "4: aliases: should be a list, not {'x': 1}", ""),
    "number in a list": ("aliases:\n- x\n- 1", "6: aliases/1: should be text, not 1", ""),
    "capital in an alias": (
        "aliases: [Qwen]",
        "4: aliases/0: should be a name of small letters, digits, `.`, `_` and `-`, at most 63, not 'Qwen'",
        "",
    ),
    "list for template values": (
        "server: {chat_template_kwargs: [1]}",
        "4: server/chat_template_kwargs: should be keys with values, not [1]",
        "",
    ),
    "number in extra_args": (
        "server:\n  extra_args: [--keep,\n    64]",
        "6: server/extra_args/1: should be text, not 64",
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
    "not YAML": ("'open", "5: is not YAML: found unexpected end of stream", ""),
    "size": ("#" * (70 * 1024 - len(MINIMAL) - 1), "1: should be at most 64 kB, is 70 kB", ""),
}


@pytest.mark.parametrize(("text", "message", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_reported_with_file_line_place_expectation_and_hint(
    folder: Path, text: str, message: str, hint: str
) -> None:
    write(folder, {"a.yaml": MINIMAL + text + "\n"})

    assert mistakes_in(folder) == ([f"profiles/a.yaml:{message}"], hint.splitlines())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{}", "model/file: is missing"),
        ("a.gguf", "model: should be keys with values, not 'a.gguf'"),
        ("null", "model: should be keys with values, not None"),
        ("{file: ''}", "model/file: should be text that is not empty, not ''"),
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
            "model/sha256: should be a SHA-256 checksum: 64 of the characters 0-9 and a-f, not 'ABC'",
        ),
        ("{file: a.gguf, repo: name}", "model/repo: should be a repository: owner/name, not 'name'"),
        ("{file: a.gguf, size_bytes: 0}", "model/size_bytes: should be more than 0, not 0"),
        ("{file: a.gguf, about_gb: 0}", "model/about_gb: should be more than 0.0, not 0"),
        ("{file: a.gguf, about_gb: 1000001}", "model/about_gb: should be 1000000.0 or less, not 1000001"),
    ],
)
def test_a_mistake_in_the_model_is_reported(folder: Path, model: str, message: str) -> None:
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
        "profiles/a.yaml:4: model/fil: is not a known key",
    ]
    assert hints == ["did you mean `file` instead of `fil`?"]


def test_the_name_comes_from_the_file_and_a_name_in_it_is_refused(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + "name: other\n"})

    messages, _ = mistakes_in(folder)

    assert messages == ["profiles/a.yaml:4: name: is not a known key"]


@pytest.mark.parametrize("stem", ["A", "a b", "ä", "-a", "a" * 64])
def test_an_invalid_file_name_is_refused(folder: Path, stem: str) -> None:
    write(folder, {f"{stem}.yaml": MINIMAL})

    messages, _ = mistakes_in(folder)

    rule = "a name of small letters, digits, `.`, `_` and `-`, at most 63"
    shown = repr(stem) if len(stem) < 60 else repr(stem)[:57] + "..."
    assert messages == [f"profiles/{stem}.yaml:1: name: should be {rule}, not {shown}"]


@pytest.mark.parametrize("key", [r"\e[31m", r"a\nb", r"\u009b1m", r"\u202eb"])
def test_control_characters_in_a_key_do_not_reach_the_error(folder: Path, key: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f'"{key}": 1\n'})

    messages, _ = mistakes_in(folder)

    assert len(messages) == 1
    assert messages[0].isprintable()


@pytest.mark.parametrize(
    "value",
    ["2026-01-01", ".nan", ".inf", r'"\ud800"'],
    ids=["date", "not a number", "infinity", "lone surrogate"],
)
def test_a_template_value_that_json_cannot_hold_is_refused(folder: Path, value: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f"server: {{chat_template_kwargs: {{k: {value}}}}}\n"})

    messages, _ = mistakes_in(folder)

    assert [message.split(" ")[0] for message in messages] == ["profiles/a.yaml:4:"]


@pytest.mark.parametrize("value", [r'"a\u2028b"', r'"a\u2029b"', r'"a\u0085b"', r'"a\x9bb"'])
def test_text_with_an_invisible_line_break_or_control_character_is_refused(folder: Path, value: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f"tested_on: {value}\n"})

    messages, _ = mistakes_in(folder)

    assert [message.split(" ")[:2] for message in messages] == [["profiles/a.yaml:4:", "tested_on:"]]


def test_a_lone_surrogate_is_reported_in_our_own_words(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + r'tested_on: "\ud800"' + "\n"})

    messages, _ = mistakes_in(folder)

    assert len(messages) == 1
    assert messages[0].startswith("profiles/a.yaml:4: tested_on: should be text")
    assert "Input" not in messages[0]


@pytest.mark.parametrize(
    "value",
    ["2026-13-45", "0x_", "9" * 5000, "0x" + "f" * 5000],
    ids=["date", "hexadecimal", "5000 digits", "5000 hexadecimal digits"],
)
def test_a_value_that_python_cannot_hold_is_a_mistake_on_its_line(folder: Path, value: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f"tested_on: {value}\n"})

    messages, _ = mistakes_in(folder)

    assert [message.split(" ")[0] for message in messages] == ["profiles/a.yaml:4:"]

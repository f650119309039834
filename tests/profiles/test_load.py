"""load: reading and merging, names, several mistakes together, and arbitrary text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from claude_local.foundation.errors import ProfileError, UnknownProfile, UserError
from claude_local.profiles.load import find_profile, load_profiles, profile_files
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.profile import Profile
from support.profile_folder import BOOLEAN_HINT, MINIMAL, mistakes_in, server_of, write

# ---- Reading and merging


def test_a_minimal_profile_has_its_file_name_and_leaves_the_rest_to_llama_server(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL})

    profiles = load_profiles(folder)

    expected = Profile(name="a", title="T", description="D", model=ModelSource(file="a.gguf"))
    assert profiles == {"a": expected}
    assert profiles["a"].server.model_dump(exclude_none=True) == {"extra_args": ()}


def test_profiles_are_in_name_order_and_files_with_an_underscore_are_not_profiles(folder: Path) -> None:
    write(folder, {"b.yaml": MINIMAL, "a.yaml": MINIMAL, "_draft.yaml": "nonsense", "notes.txt": "nonsense"})

    assert list(load_profiles(folder)) == ["a", "b"]
    assert profile_files(folder) == [folder / "a.yaml", folder / "b.yaml"]


def test_files_that_look_like_profiles_and_are_not_read_are_named(folder: Path) -> None:
    names = ["B.YAML", "c.yml", "d.yaml.txt", "e.yaml~", "more/f.yaml"]
    quiet = ["_defaults.yaml", "_draft.yml", ".g.yml", "notes.txt", "yaml", "h.yamlish", ".git/i.yaml"]
    for name in ["a.yaml", *names, *quiet]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(MINIMAL if name == "a.yaml" else "")

    profiles = load_profiles(folder)
    with pytest.raises(UnknownProfile) as caught:
        find_profile(profiles, "c")

    assert profiles.not_read == tuple(names)
    assert caught.value.hint.splitlines() == [
        "known profiles: a",
        f"not read: {', '.join(names)} (a profile is a file NAME.yaml in the profiles folder itself)",
    ]


def test_editor_files_beside_a_profile_are_not_profiles(folder: Path) -> None:
    (folder / "a.yaml").write_text(MINIMAL)
    (folder / ".#a.yaml").symlink_to("user@host.1234")
    (folder / ".a.yaml").write_text("half")

    assert list(load_profiles(folder)) == ["a"]


def test_a_profile_overrides_the_defaults_key_by_key(folder: Path) -> None:
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


def test_a_whole_number_is_accepted_as_a_number(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + "server: {temp: 1, seed: -1}\n"})

    assert server_of(folder) == {"temp": 1.0, "seed": -1}


def test_a_profile_cannot_be_changed(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL})
    profile = load_profiles(folder)["a"]

    with pytest.raises(ValueError, match="frozen"):
        setattr(profile, "title", "other")  # noqa: B010  a plain assignment does not pass mypy


# ---- Several mistakes


def test_all_mistakes_of_all_files_are_reported_together_by_file_and_line(folder: Path) -> None:
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
            "profiles/a.yaml:2: title: appears twice, first on line 1",
            "profiles/b.yaml:5: server/temp: should be a number, not 'warm'",
            "profiles/b.yaml:6: server/fitt: is not a known key",
            "profiles/b.yaml:7: server/fit: should be 'on' or 'off', not True",
            "profiles/b.yaml:8: zzz: is not a known key",
        ],
        ["did you mean `fit` instead of `fitt`?", BOOLEAN_HINT, "all keys: profiles/_reference.yaml"],
    )


def test_a_hint_for_several_mistakes_is_shown_once(folder: Path) -> None:
    write(folder, {"a.yaml": MINIMAL + "server: {fit: on, flash_attn: on}\n"})

    _, hints = mistakes_in(folder)

    assert hints == [BOOLEAN_HINT]


def test_a_mistake_in_the_defaults_is_reported_in_the_defaults(folder: Path) -> None:
    write(
        folder,
        {"_defaults.yaml": "# comment\nserver:\n  parallel: x\n  fitt: 'on'\n", "a.yaml": MINIMAL},
    )

    assert mistakes_in(folder) == (
        [
            "profiles/_defaults.yaml:3: server/parallel: should be a whole number, not 'x'",
            "profiles/_defaults.yaml:4: server/fitt: is not a known key",
        ],
        ["did you mean `fit` instead of `fitt`?"],
    )


def test_a_mistake_in_the_defaults_is_reported_once_for_all_profiles(folder: Path) -> None:
    write(
        folder,
        {"_defaults.yaml": "server:\n  parallel: x\n", "a.yaml": MINIMAL, "b.yaml": MINIMAL},
    )

    messages, _ = mistakes_in(folder)

    assert messages == ["profiles/_defaults.yaml:2: server/parallel: should be a whole number, not 'x'"]


def test_a_mistake_that_overrides_a_default_is_reported_in_the_profile(folder: Path) -> None:
    write(
        folder,
        {"_defaults.yaml": "\n\n\nserver: {parallel: 1}\n", "a.yaml": MINIMAL + "server: {parallel: x}\n"},
    )

    messages, _ = mistakes_in(folder)

    assert messages == ["profiles/a.yaml:4: server/parallel: should be a whole number, not 'x'"]


def test_defaults_that_are_not_yaml_are_reported_once(folder: Path) -> None:
    write(folder, {"_defaults.yaml": "- a\n", "a.yaml": MINIMAL, "b.yaml": MINIMAL})

    messages, _ = mistakes_in(folder)

    assert messages == ["profiles/_defaults.yaml:1: should be a mapping of keys to values"]


def test_a_folder_without_defaults_is_an_expected_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_profiles(tmp_path / "missing")

    assert str(tmp_path / "missing") in caught.value.message


def test_a_folder_named_like_a_profile_is_an_expected_error(folder: Path) -> None:
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
def test_a_duplicate_name_within_a_profile_is_refused(folder: Path, aliases: str, message: str) -> None:
    write(folder, {"a.yaml": MINIMAL + f"aliases: {aliases}\n"})

    messages, _ = mistakes_in(folder)

    assert len(messages) == 1
    assert messages[0].startswith(f"profiles/a.yaml:{message} ")


def test_the_name_of_the_active_profile_is_reserved(folder: Path) -> None:
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
        ("qwen", "qwen"),  # a full name wins over the beginning of another
        ("qwen-large", "qwen-large"),
        ("qwen-", "qwen-large"),
        ("gpt-s", "gpt-small"),
        ("big", "gpt-large"),
        ("b", "gpt-large"),
        ("gpt-l", "gpt-large"),  # the beginning of its name and of one of its aliases
    ],
)
def test_a_profile_is_found_by_name_alias_or_unambiguous_beginning(name: str, found: str) -> None:
    assert find_profile(KNOWN, name) is KNOWN[found]


def test_an_ambiguous_beginning_lists_the_candidates() -> None:
    with pytest.raises(UnknownProfile) as caught:
        find_profile(KNOWN, "g")

    assert caught.value.message == "`g` matches several profiles"
    assert caught.value.hint == "choose one of: gpt-large, gpt-small"


@pytest.mark.parametrize("name", ["zzz", "Qwen", "wen", "qwen ", "../qwen", ""])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownProfile) as caught:
        find_profile(KNOWN, name)

    assert caught.value.message == f"no profile named `{name}`"
    assert caught.value.hint == "known profiles: gpt-large, gpt-small, qwen, qwen-large"


def test_an_empty_name_matches_no_profile_even_if_there_is_only_one() -> None:
    with pytest.raises(UnknownProfile):
        find_profile(known("qwen"), "")


# ---- Arbitrary text

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

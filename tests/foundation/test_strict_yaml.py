"""strict_yaml: the strict subset of YAML, the line of every value, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_local.foundation.strict_yaml import MAX_BYTES, MAX_DEPTH, KeyPath, YamlSource, read_yaml

ANCHOR = ("has an anchor or alias (`&`, `*`)", "write the value out")


def read(tmp_path: Path, text: str | bytes) -> YamlSource:
    file = tmp_path / "file.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(file)


def mistakes(source: YamlSource) -> list[tuple[int, str, str, str]]:
    assert all(mistake.file == source.file for mistake in source.mistakes)
    return [(found.line, found.where, found.message, found.hint) for found in source.mistakes]


def test_values_have_the_types_that_yaml_gives_them(tmp_path: Path) -> None:
    source = read(tmp_path, "a: 1\nb: 1.5\nc: true\nd: text\ne: null\nf: [1, x]\ng: {h: on}\n")

    assert source.mistakes == []
    assert source.data == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": "text",
        "e": None,
        "f": [1, "x"],
        "g": {"h": True},
    }


def test_every_key_and_list_entry_knows_its_line(tmp_path: Path) -> None:
    source = read(tmp_path, "# comment\na: 1\nb:\n  c:\n    - x\n\n    - y: 2\nd: {e: 3}\n")

    lines: dict[KeyPath, int] = {
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "c", 0): 5,
        ("b", "c", 1): 7,
        ("b", "c", 1, "y"): 7,
        ("d",): 8,
        ("d", "e"): 8,
    }
    assert source.lines == lines


def test_a_key_keeps_its_literal_text(tmp_path: Path) -> None:
    source = read(tmp_path, "on: 1\n2: 2\nnull: 3\n")

    assert source.data == {"on": 1, "2": 2, "null": 3}


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_a_file_without_content_is_an_empty_mapping(tmp_path: Path, text: str) -> None:
    source = read(tmp_path, text)

    assert (source.data, source.mistakes) == ({}, [])


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    source = read(tmp_path, b"\xef\xbb\xbfa: 1\n")

    assert (source.data, source.mistakes) == ({"a": 1}, [])


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("- a\n- b\n", (1, "", "should be a mapping of keys to values", "")),
        ("null\n", (1, "", "should be a mapping of keys to values", "")),
        ("# why\njust text\n", (2, "", "should be a mapping of keys to values", "")),
        ("a: 1\n---\nb: 2\n", (2, "", "should hold one document", "")),
        ("a: 1\nb: &x 2\n", (2, "", *ANCHOR)),
        ("a: 1\nb: *x\n", (2, "", *ANCHOR)),
        ("a: &x [1]\n", (1, "", *ANCHOR)),
        ("a: &x {b: 1}\n", (1, "", *ANCHOR)),
        ("a: !!str 1\n", (1, "", "has a tag (`tag:yaml.org,2002:str`)", "quote a text that starts with `!`")),
        ("\na: !x 1\n", (2, "", "has a tag (`!x`)", "quote a text that starts with `!`")),
        ("a: !x [1]\n", (1, "", "has a tag (`!x`)", "quote a text that starts with `!`")),
        (
            "a: !!python/object/apply:os.system [id]\n",
            (
                1,
                "",
                "has a tag (`tag:yaml.org,2002:python/object/apply:os.system`)",
                "quote a text that starts with `!`",
            ),
        ),
        ("a: 1\nb: 2\na: 3\n", (3, "a", "appears twice, first on line 1", "")),
        ("a:\n  b: 1\n  b: 2\n", (3, "a/b", "appears twice, first on line 2", "")),
        ("a:\n- {b: 1, b: 2}\n", (2, "a/0/b", "appears twice, first on line 2", "")),
        ("a: [1\nb", (2, "", "is not YAML: expected ',' or ']', but got '<stream end>'", "")),
        ("a:\n\tb: 1\n", (2, "", "is not YAML: found character '\\t' that cannot start any token", "")),
        ("a: 'open\n", (2, "", "is not YAML: found unexpected end of stream", "")),
        (b"a: 1\nb: \xff\n", (2, "", "should be UTF-8 text", "")),
        ("a: 1\nb: \x07\n", (2, "", "has a control character (U+0007)", "")),
        ("a: \x1b[31m\n", (1, "", "has a control character (U+001B)", "")),
        ("a: \x00\n", (1, "", "has a control character (U+0000)", "")),
    ],
)
def test_a_refused_construct_is_reported_with_its_line(
    tmp_path: Path, text: str | bytes, mistake: tuple[int, str, str, str]
) -> None:
    source = read(tmp_path, text)

    assert mistakes(source) == [mistake]


def test_every_duplicate_key_is_reported(tmp_path: Path) -> None:
    source = read(tmp_path, "a: 1\na: 2\nb: 1\nb: 2\nb: 3\n")

    assert mistakes(source) == [
        (2, "a", "appears twice, first on line 1", ""),
        (4, "b", "appears twice, first on line 3", ""),
        (5, "b", "appears twice, first on line 3", ""),
    ]


def test_a_file_of_64_kb_is_read(tmp_path: Path) -> None:
    source = read(tmp_path, "a: 1\n" + "#" * (MAX_BYTES - 5))

    assert (source.data, source.mistakes) == ({"a": 1}, [])


def test_a_larger_file_is_refused_without_parsing(tmp_path: Path) -> None:
    source = read(tmp_path, b"\xff" * 100 * 1024)

    assert source.data == {}
    assert mistakes(source) == [(1, "", "should be at most 64 kB, is 100 kB", "")]


def test_a_file_one_byte_over_the_limit_is_not_reported_at_the_limit(tmp_path: Path) -> None:
    source = read(tmp_path, "#" * (MAX_BYTES + 1))

    assert [mistake.message for mistake in source.mistakes] != ["should be at most 64 kB, is 64 kB"]
    assert len(source.mistakes) == 1


def test_the_deepest_allowed_nesting_is_read(tmp_path: Path) -> None:
    source = read(tmp_path, "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))

    assert source.mistakes == []
    assert source.data.keys() == {"a"}


def test_one_level_more_is_refused(tmp_path: Path) -> None:
    source = read(tmp_path, "\na: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)

    assert mistakes(source) == [(2, "", "is nested deeper than 20 levels", "")]


@pytest.mark.parametrize("piece", ["[", "{a: ", "? ", "- ", "[{a: "])
def test_the_most_levels_that_fit_into_the_size_limit_do_not_crash_it(tmp_path: Path, piece: str) -> None:
    source = read(tmp_path, piece * (MAX_BYTES // len(piece)))

    assert mistakes(source) == [(1, "", "is nested deeper than 20 levels", "")]


def test_100000_levels_do_not_crash_it(tmp_path: Path) -> None:
    source = read(tmp_path, "[" * 100 * 1024)

    assert mistakes(source) == [(1, "", "should be at most 64 kB, is 100 kB", "")]


@pytest.mark.parametrize(
    "value",
    ["2024-13-45", "0x_", "0b_", "9" * 5000, "2024-01-01T99:00:00Z"],
    ids=["date", "hexadecimal", "binary", "5000 digits", "time"],
)
def test_a_value_that_makes_pyyaml_raise_is_a_mistake_not_a_crash(tmp_path: Path, value: str) -> None:
    source = read(tmp_path, f"a: 1\nb: {value}\n")

    assert [mistake.line for mistake in source.mistakes] == [2]


def test_an_escape_beyond_unicode_is_a_mistake_not_a_crash(tmp_path: Path) -> None:
    source = read(tmp_path, 'a: 1\nb: "\\U00110000"\n')

    assert len(source.mistakes) == 1


def test_a_file_that_cannot_be_read_raises_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "missing.yaml")


@settings(deadline=None)
@given(text=st.text())
def test_any_quoted_text_comes_back_unchanged(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    escaped = "".join(f"\\U{ord(character):08x}" for character in text)

    source = read(tmp_path_factory.mktemp("yaml"), f'a: "{escaped}"\n')

    assert (source.data, source.mistakes) == ({"a": text}, [])

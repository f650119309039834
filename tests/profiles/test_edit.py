"""edit: values are added to a profile, and nothing else in it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_local.foundation.errors import UserError
from claude_local.foundation.strict_yaml import KeyPath, read_yaml
from claude_local.profiles.edit import add_values, value_text

SHIPPED = Path(__file__).parents[2] / "profiles"
MODEL: KeyPath = ("model",)
NEW: dict[str, str | int | list[str]] = {"sha256": "1e5", "size_bytes": 7}


def edited(tmp_path: Path, text: str, *, newline: str = "\n") -> str:
    file = tmp_path / "p.yaml"
    file.write_bytes(text.replace("\n", newline).encode())
    add_values(file, {MODEL: NEW})
    return file.read_bytes().decode()


def test_keys_go_below_the_file_with_its_indentation(tmp_path: Path) -> None:
    text = "model:\n    # mine\n    file: a.gguf  # the file\n    repo: o/n\n\nserver: {}\n"

    assert edited(tmp_path, text) == (
        'model:\n    # mine\n    file: a.gguf  # the file\n    sha256: "1e5"\n    size_bytes: 7\n'
        "    repo: o/n\n\nserver: {}\n"
    )


def test_a_missing_final_line_break_and_windows_line_breaks_are_handled(tmp_path: Path) -> None:
    text = "model:\n  file: a.gguf"

    assert edited(tmp_path, text) == 'model:\n  file: a.gguf\n  sha256: "1e5"\n  size_bytes: 7\n'
    windows = 'model:\r\n  file: a.gguf\r\n  sha256: "1e5"\r\n  size_bytes: 7\r\n'
    assert edited(tmp_path, text + "\n", newline="\r\n") == windows


def test_existing_keys_are_not_changed(tmp_path: Path) -> None:
    text = "model:\n  size_bytes: 5\n  file: a.gguf\n  sha256: '2'\n"

    assert edited(tmp_path, text) == text


def test_a_file_behind_a_link_is_written_and_the_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text("model:\n  file: a.gguf\n")
    real.chmod(0o640)
    link.symlink_to(real)

    diff = add_values(link, {MODEL: NEW})

    assert link.is_symlink()
    assert real.read_text() == 'model:\n  file: a.gguf\n  sha256: "1e5"\n  size_bytes: 7\n'
    assert real.stat().st_mode & 0o777 == 0o640
    assert diff.splitlines()[-2:] == ['+  sha256: "1e5"', "+  size_bytes: 7"]


@pytest.mark.parametrize(
    "text", ["model: {file: a.gguf}\n", "model:\n  file:\n    a.gguf\n", "model:\n  file: >-\n    a.gguf\n"]
)
def test_a_layout_that_cannot_be_edited_is_left_unchanged(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError) as caught:
        edited(tmp_path, text)

    assert caught.value.hint == 'add these yourself:\nmodel/sha256: "1e5"\nmodel/size_bytes: 7'
    assert (tmp_path / "p.yaml").read_text() == text


@pytest.mark.parametrize("name", sorted(file.name for file in SHIPPED.glob("[!_]*.yaml")))
def test_keys_can_be_added_to_every_shipped_profile(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    before = (SHIPPED / name).read_text(encoding="utf-8")
    file.write_text(before, encoding="utf-8")

    diff = add_values(file, {MODEL: NEW})

    removed = [line for line in diff.splitlines() if line.startswith("-")]
    assert removed in ([], [f"--- {tmp_path.name}/{name}"])
    assert read_yaml(file).data["model"] == {**NEW, **read_yaml(SHIPPED / name).data["model"]}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=200, deadline=None)
@given(value=TEXTS | st.integers(-(2**62), 2**62) | st.lists(TEXTS, max_size=3))
def test_any_value_reads_back_as_it_was(
    value: str | int | list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "value.yaml"
    file.write_text(f"key: {value_text(value)}\n", encoding="utf-8")

    source = read_yaml(file)

    assert (source.mistakes, source.data) == ([], {"key": value})

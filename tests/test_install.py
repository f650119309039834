"""install: one link to the generated command, and nothing else of the home folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.errors import UserError
from claude_local.install import install
from claude_local.settings import Settings, load_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def settings(tmp_path: Path, home: Path) -> Settings:
    return load_settings({"HOME": str(home)}, tmp_path / "check out", user_id=1000, group_id=1000)


def run(settings: Settings, home: Path, path: str, bin_dir: Path | None = None) -> list[str]:
    return list(install(settings, bin_dir, {"HOME": str(home), "PATH": path}))


def links_in(home: Path) -> dict[str, Path]:
    return {str(file.relative_to(home)): file.readlink() for file in home.rglob("*") if file.is_symlink()}


@pytest.mark.parametrize(
    ("on_path", "chosen"),
    [
        (["bin"], "bin"),
        ([".local/bin"], ".local/bin"),
        ([".local/bin", "bin"], "bin"),
        (["other"], ".local/bin"),
        ([], ".local/bin"),
    ],
)
def test_the_link_goes_into_a_usual_folder_and_rather_one_on_the_path(
    settings: Settings, home: Path, on_path: list[str], chosen: str
) -> None:
    run(settings, home, ":".join(["/usr/bin", *(f"{home}/{name}" for name in on_path)]))

    target = settings.build_dir / "bin" / "claude-local"
    assert links_in(home) == {f"{chosen}/claude-local": target}


def test_it_says_what_it_did(settings: Settings, home: Path) -> None:
    lines = run(settings, home, f"/usr/bin:{home}/bin")

    assert lines == [f"{home}/bin/claude-local -> {settings.build_dir}/bin/claude-local"]


def test_a_folder_that_is_not_on_the_path_is_told_with_the_line_that_adds_it(
    settings: Settings, home: Path
) -> None:
    lines = run(settings, home, "/usr/bin")

    folder = home / ".local" / "bin"
    assert lines == [
        f"{folder}/claude-local -> {settings.build_dir}/bin/claude-local",
        f'{folder} is not on your PATH; add it: export PATH="{folder}:$PATH"',
    ]


def test_a_second_time_nothing_changes(settings: Settings, home: Path) -> None:
    run(settings, home, f"{home}/bin")
    before = links_in(home)

    lines = run(settings, home, f"{home}/bin")

    assert lines == [f"{home}/bin/claude-local is already there"]
    assert links_in(home) == before


def test_a_folder_of_your_choice_is_made_and_used(settings: Settings, home: Path) -> None:
    lines = run(settings, home, f"{home}/my tools", home / "my tools")

    assert lines == [f"{home}/my tools/claude-local -> {settings.build_dir}/bin/claude-local"]
    assert list(links_in(home)) == ["my tools/claude-local"]


def test_a_folder_of_your_choice_needs_no_home(settings: Settings, home: Path) -> None:
    lines = list(install(settings, home / "bin", {"PATH": f"{home}/bin"}))

    assert lines == [f"{home}/bin/claude-local -> {settings.build_dir}/bin/claude-local"]


@pytest.mark.parametrize("kind", ["file", "folder", "link of another checkout", "link to nowhere"])
def test_what_is_not_ours_is_refused_and_left_alone(settings: Settings, home: Path, kind: str) -> None:
    link = home / "bin" / "claude-local"
    link.parent.mkdir()
    if kind == "file":
        link.write_text("mine")
    elif kind == "folder":
        link.mkdir()
    elif kind == "link of another checkout":
        (home / "other").write_text("")
        link.symlink_to(home / "other")
    else:
        link.symlink_to("/nowhere/claude-local")
    before = (links_in(home), sorted(home.rglob("*")))

    with pytest.raises(UserError) as caught:
        run(settings, home, f"{home}/bin")

    assert caught.value.message == f"{link} exists and is not ours"
    assert caught.value.hint == f"move it away: {link}"
    assert (links_in(home), sorted(home.rglob("*"))) == before


def test_empty_parts_of_the_path_are_no_folders(settings: Settings, home: Path) -> None:
    run(settings, home, "::/usr/bin:")

    assert list(links_in(home)) == [".local/bin/claude-local"]

"""build: the plan of changes, and build/ after it; the user's own files are never touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from claude_local.build.build_folder import Change, apply, diff, plan, wanted
from claude_local.build.render import HEADER, RenderedFile
from claude_local.foundation.errors import BuildConflict
from claude_local.foundation.samples import GpuReading, GpuSample
from support.refresh_golden import PROFILES, checkout_in, settings_in


def text_of(name: str, body: str = "body") -> str:
    return f"# {HEADER}{name}.j2\n{body}\n"


def rendered(name: str, body: str = "body", *, mode: int = 0o644) -> RenderedFile:
    return RenderedFile(PurePosixPath(name), text_of(name, body), mode)


def bring(files: list[RenderedFile], folder: Path) -> list[Change]:
    changes = plan(files, folder)
    apply(changes, folder)
    return changes


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Text and mode of every file below `folder`."""
    return {
        str(file.relative_to(folder)): (file.read_bytes().decode(), file.stat().st_mode & 0o777)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """build/ with one file, as an earlier run left it."""
    folder = tmp_path / "build"
    bring([rendered("a.txt")], folder)
    return folder


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    plan([rendered("a.txt")], tmp_path / "build")

    assert list(tmp_path.iterdir()) == []


def test_missing_files_are_created_with_text_and_mode(tmp_path: Path) -> None:
    text, command = rendered("a.txt"), rendered("bin/tool", mode=0o755)

    changes = bring([text, command], tmp_path / "build")

    assert changes == [Change("create", text.path, "", text), Change("create", command.path, "", command)]
    assert contents(tmp_path / "build") == {
        "a.txt": (text.text, 0o644),
        "bin/tool": (command.text, 0o755),
    }


def test_a_second_run_plans_nothing(build: Path) -> None:
    assert plan([rendered("a.txt")], build) == []


def test_a_file_with_other_content_is_updated(build: Path) -> None:
    new = rendered("a.txt", "new body")

    changes = bring([new], build)

    assert changes == [Change("update", new.path, text_of("a.txt"), new)]
    assert contents(build) == {"a.txt": (new.text, 0o644)}


def test_an_edited_file_is_restored(build: Path) -> None:
    (build / "a.txt").write_text(text_of("a.txt", "edited"))

    bring([rendered("a.txt")], build)

    assert contents(build) == {"a.txt": (text_of("a.txt"), 0o644)}
    assert plan([rendered("a.txt")], build) == []


def test_a_file_with_windows_line_ends_is_restored(build: Path) -> None:
    (build / "a.txt").write_bytes(text_of("a.txt").replace("\n", "\r\n").encode())

    bring([rendered("a.txt")], build)

    assert contents(build) == {"a.txt": (text_of("a.txt"), 0o644)}


def test_a_file_with_other_permissions_is_updated(build: Path) -> None:
    (build / "a.txt").chmod(0o777)

    changes = bring([rendered("a.txt")], build)

    assert [(change.kind, str(change.path)) for change in changes] == [("update", "a.txt")]
    assert contents(build) == {"a.txt": (text_of("a.txt"), 0o644)}


def test_our_file_that_is_no_longer_rendered_is_removed(build: Path) -> None:
    other = rendered("sub/b.txt")

    changes = bring([other], build)

    assert changes == [
        Change("create", other.path, "", other),
        Change("remove", PurePosixPath("a.txt"), text_of("a.txt"), None),
    ]
    assert contents(build) == {"sub/b.txt": (other.text, 0o644)}


def test_a_stale_file_without_our_header_stays(build: Path) -> None:
    (build / "mine.txt").write_text("mine")
    (build / "late.txt").write_text(f"1\n2\n3\n# {HEADER}late.txt.j2\n")
    (build / "link.txt").symlink_to(build / "a.txt")
    (build / "picture.png").write_bytes(b"\x89PNG\xff\xfe")

    assert plan([rendered("a.txt")], build) == []


@pytest.mark.parametrize("content", ["mine", "", "1\n2\n3\n# " + HEADER])
def test_a_file_without_our_header_in_our_place_is_refused(build: Path, content: str) -> None:
    (build / "a.txt").write_text(content)

    with pytest.raises(BuildConflict) as caught:
        plan([rendered("a.txt", "new")], build)

    assert caught.value.message == "build/a.txt was not written by `invoke render`"
    assert caught.value.hint == f"move it away: {build / 'a.txt'}"
    assert (build / "a.txt").read_text() == content


def test_a_folder_in_our_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "build" / "a.txt").mkdir(parents=True)

    with pytest.raises(BuildConflict) as caught:
        plan([rendered("a.txt")], tmp_path / "build")

    assert caught.value.message == "build/a.txt was not written by `invoke render`"


def test_a_link_to_nowhere_in_our_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "a.txt").symlink_to(tmp_path / "nowhere")

    with pytest.raises(BuildConflict) as caught:
        plan([rendered("a.txt")], tmp_path / "build")

    assert caught.value.message == "build/a.txt was not written by `invoke render`"


def test_a_file_where_we_need_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "bin").write_text("mine")

    with pytest.raises(BuildConflict):
        plan([rendered("bin/tool")], tmp_path / "build")


def test_a_link_to_one_of_our_files_is_replaced_and_its_target_left_alone(
    build: Path, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere.txt"
    target.write_text(text_of("a.txt", "elsewhere"))
    (build / "a.txt").unlink()
    (build / "a.txt").symlink_to(target)

    bring([rendered("a.txt")], build)

    assert not (build / "a.txt").is_symlink()
    assert contents(build) == {"a.txt": (text_of("a.txt"), 0o644)}
    assert target.read_text() == text_of("a.txt", "elsewhere")


def test_a_failed_write_leaves_whole_files_and_no_temporary_ones(build: Path) -> None:
    changes = plan([rendered("a.txt", "new"), rendered("b.txt"), rendered("c.txt")], build)
    (build / "b.txt").mkdir()

    with pytest.raises(OSError, match="directory"):
        apply(changes, build)

    assert contents(build) == {"a.txt": (text_of("a.txt", "new"), 0o644)}
    assert sorted(build.iterdir()) == [build / "a.txt", build / "b.txt"]


def test_no_temporary_files_are_left(build: Path) -> None:
    bring([rendered("a.txt", "new"), rendered("bin/tool", mode=0o755)], build)

    assert sorted(str(file.relative_to(build)) for file in build.rglob("*")) == ["a.txt", "bin", "bin/tool"]


# ---- --diff


def test_no_changes_have_no_diff() -> None:
    assert diff([]) == ""


def test_the_diff_of_a_new_file_is_its_whole_text(tmp_path: Path) -> None:
    changes = plan([rendered("a.txt")], tmp_path)

    assert diff(changes) == (
        "--- /dev/null\n"
        "+++ build/a.txt\n"
        "@@ -0,0 +1,2 @@\n"
        "+# Generated by `invoke render` from templates/a.txt.j2\n"
        "+body\n"
    )


def test_the_diff_of_an_update_is_its_changed_lines(build: Path) -> None:
    changes = plan([rendered("a.txt", "new")], build)

    assert diff(changes) == (
        "--- build/a.txt\n"
        "+++ build/a.txt\n"
        "@@ -1,2 +1,2 @@\n"
        " # Generated by `invoke render` from templates/a.txt.j2\n"
        "-body\n"
        "+new\n"
    )


def test_the_diff_of_a_removal_is_the_whole_old_text(build: Path) -> None:
    changes = plan([], build)

    assert diff(changes) == (
        "--- build/a.txt\n"
        "+++ /dev/null\n"
        "@@ -1,2 +0,0 @@\n"
        "-# Generated by `invoke render` from templates/a.txt.j2\n"
        "-body\n"
    )


def test_the_diff_of_a_changed_mode_names_the_new_one(build: Path) -> None:
    changes = plan([rendered("a.txt", mode=0o755)], build)

    assert diff(changes) == "build/a.txt: permissions become 755\n"


CARDS = GpuReading(gpus=(GpuSample(0, drives_display=True), GpuSample(1, drives_display=False)))


@pytest.mark.parametrize(
    ("given", "cards", "expected"),
    [
        ("", CARDS, "2048,768"),
        ("512", CARDS, "512"),
        ("", GpuReading(problem="no NVIDIA driver on this machine"), "1024"),
    ],
)
def test_what_stays_free_is_by_card_where_the_settings_leave_it_open(
    tmp_path: Path, given: str, cards: GpuReading, expected: str
) -> None:
    settings = replace(settings_in(checkout_in(tmp_path)), fit_target=given)

    files = {str(file.path): file.text for file in wanted(settings, PROFILES, cards)}

    assert f'\nFIT_TARGET="{expected}"\n' in files[".env"]
    assert '"CLAUDE_LOCAL_FIT_TARGET": "512"' in files["settings.json"] or not given

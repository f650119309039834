"""files: a written file is complete, has its mode, and leaves no temporary file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from claude_local.machine.files import private_directory, write_atomic

# Writes 1000 bytes with a file size limit of 10 bytes: the kernel stops the write in the middle.
WRITE_INTO_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from claude_local.machine.files import write_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    write_atomic(Path(sys.argv[1]), b"x" * 1000)
except OSError as error:
    sys.exit(f"failed: {error.strerror}")
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_content_and_mode_0644(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"content")

    assert (tmp_path / "file").read_bytes() == b"content"
    assert mode_of(tmp_path / "file") == 0o644


def test_an_existing_file_is_replaced_with_its_new_mode(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a much longer old content")
    file.chmod(0o777)

    write_atomic(file, b"new", mode=0o600)

    assert file.read_bytes() == b"new"
    assert mode_of(file) == 0o600


def test_the_umask_does_not_change_the_mode(tmp_path: Path) -> None:
    before = os.umask(0o077)

    try:
        write_atomic(tmp_path / "command", b"", mode=0o755)
    finally:
        os.umask(before)

    assert mode_of(tmp_path / "command") == 0o755


def test_only_the_file_is_left_in_the_folder(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"one")
    write_atomic(tmp_path / "file", b"two")

    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_write_that_fails_in_the_middle_leaves_the_old_file_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old content")
    scripts = Path(__file__).parents[2] / "scripts"

    done = subprocess.run(
        [sys.executable, "-c", WRITE_INTO_A_FULL_DISK, file],
        env={**os.environ, "PYTHONPATH": str(scripts)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "failed: File too large\n")
    assert file.read_bytes() == b"old content"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_in_the_way_is_an_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "file", b"content")

    assert list(tmp_path.rglob("*")) == [tmp_path / "file"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "file", b"content")

    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_is_replaced_and_its_target_is_not_changed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"target")
    link = tmp_path / "link"
    link.symlink_to(target)

    write_atomic(link, b"content")

    assert not link.is_symlink()
    assert (link.read_bytes(), target.read_bytes()) == (b"content", b"target")


def test_a_reader_sees_old_or_new_content_and_never_a_part(tmp_path: Path) -> None:
    file = tmp_path / "file"
    contents = [b"a" * 100_000, b"b" * 50_000]
    write_atomic(file, contents[0])
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(file.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(100):
            write_atomic(file, contents[turn % 2])
    finally:
        done.set()
        reader.join()

    assert seen <= set(contents)


def test_a_private_folder_is_made_with_its_parents_and_mode_0700(tmp_path: Path) -> None:
    made = private_directory(tmp_path / "parent" / "private")

    assert made == tmp_path / "parent" / "private"
    assert mode_of(made) == 0o700


def test_an_open_folder_becomes_private_and_keeps_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o755)
    (folder / "file").write_bytes(b"kept")

    private_directory(folder)

    assert mode_of(folder) == 0o700
    assert (folder / "file").read_bytes() == b"kept"

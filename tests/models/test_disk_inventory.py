"""invoke models: files on disk, missing files and deletable ones; nothing else is ever deleted."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from claude_local.foundation.errors import UserError
from claude_local.machine.settings import Settings, load_settings
from claude_local.models import checksums
from claude_local.models.disk_inventory import Extra, inventory, prune
from claude_local.profiles.profile import Profile
from support.gguf_files import SHAPES, write_header_only
from support.machine import Machine, error_of

SMALL = SHAPES[-1]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = load_settings({"HOME": str(tmp_path)}, tmp_path, user_id=1000, group_id=1000)
    made.models_dir.mkdir()
    return made


def profile(name: str = "p", **model: Any) -> Profile:
    return Profile.model_validate(
        {"name": name, "title": "T", "description": "D", "model": {"file": f"{name}.gguf", **model}}
    )


def states(settings: Settings, *profiles: Profile) -> dict[str, str]:
    seen = inventory(settings, {profile.name: profile for profile in profiles})
    return {row.name: row.state for row in seen.profiles}


def put(settings: Settings, name: str) -> Path:
    path = settings.models_dir / name
    path.parent.mkdir(exist_ok=True)
    return write_header_only(path, SMALL)


def test_missing_files_are_listed_with_the_command_to_get_them(settings: Settings) -> None:
    put(settings, "half-00001-of-00002.gguf")

    seen = states(
        settings,
        profile("a", repo="o/n"),
        profile("half", file="half-00001-of-00002.gguf", repo="o/n"),
        profile("mine"),
        profile("demo"),
    )

    assert seen == {
        "a": "not downloaded: invoke pull a",
        "half": "1 of 2 files: invoke pull half",
        "mine": "missing: mine.gguf",
        "demo": "write it: invoke demo-model",
    }


def test_a_file_is_checked_only_if_its_computed_checksum_is_that_of_the_profile(
    settings: Settings,
) -> None:
    sums = {
        name: checksums.sha256_of(settings.state_dir, put(settings, f"{name}.gguf"), lambda _: None)
        for name in ("right", "wrong", "unknown")
    }
    put(settings, "unseen.gguf")

    seen = states(
        settings,
        profile("right", repo="o/n", sha256=sums["right"]),
        profile("wrong", repo="o/n", sha256="0" * 64),
        profile("unknown", repo="o/n"),
        profile("unseen", repo="o/n", sha256="0" * 64),
    )

    assert seen == {
        "right": "checked",
        "wrong": "not the file that the profile names: invoke pull wrong --force",
        "unknown": "on disk; write its checksum into the profile: invoke pull unknown --record",
        "unseen": "not checked: invoke pull unseen",
    }


def test_a_cached_checksum_is_valid_until_the_file_changes(settings: Settings) -> None:
    file = put(settings, "a.gguf")
    made = checksums.sha256_of(settings.state_dir, file, lambda _: None)
    before = checksums.known_sha256(settings.state_dir, file)

    with file.open("r+b") as opened:
        opened.write(b"gguf")

    assert (before, checksums.known_sha256(settings.state_dir, file)) == (made, None)


def test_a_broken_file_is_reported(settings: Settings) -> None:
    (settings.models_dir / "p.gguf").write_bytes(b"<!DOCTYPE html>")

    expected = f"{settings.models_dir / 'p.gguf'} is not a complete GGUF file: it does not begin with `GGUF`"
    assert states(settings, profile()) == {"p": f"{expected}; own file"}


def test_files_of_no_profile_are_listed_and_links_are_kept(settings: Settings, tmp_path: Path) -> None:
    put(settings, "p.gguf")
    put(settings, "sub/old.gguf")
    (settings.models_dir / "notes.txt").write_text("mine")
    (settings.models_dir / ".p.gguf.0123.partial").write_bytes(b"12345")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.gguf").write_bytes(b"GGUF")
    (settings.models_dir / "linked.gguf").symlink_to(elsewhere / "precious.gguf")
    (settings.models_dir / "folder").symlink_to(elsewhere)

    seen = inventory(settings, {"p": profile()})
    freed = prune(settings, seen.deletable)

    assert {extra.path: extra.why for extra in seen.extras} == {
        ".p.gguf.0123.partial": "partial download; `invoke pull` resumes it",
        "linked.gguf": "a link that no profile names; it is kept",
        "sub/old.gguf": "no profile names it",
    }
    assert freed == sum(extra.size_bytes for extra in seen.deletable)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert left == {"models/p.gguf", "models/notes.txt", "models/linked.gguf", "elsewhere/precious.gguf"}


def test_a_growing_download_is_not_deletable(settings: Settings) -> None:
    growing = settings.models_dir / ".p.gguf.0123.partial"
    growing.write_bytes(b"12345")

    with growing.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        seen = inventory(settings, {})

    assert [(extra.why, extra.deletable) for extra in seen.extras] == [("being downloaded", False)]


@pytest.mark.parametrize("path", ["../outside.gguf", "folder/inside.gguf", "linked.gguf"])
def test_prune_refuses_paths_outside_the_models_folder(settings: Settings, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.gguf").write_bytes(b"GGUF")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "inside.gguf").write_bytes(b"GGUF")
    (settings.models_dir / "folder").symlink_to(tmp_path / "elsewhere")
    (settings.models_dir / "linked.gguf").symlink_to(tmp_path / "outside.gguf")

    with pytest.raises(UserError, match="is no longer a file in the models folder"):
        prune(settings, (Extra(path, 4, "", deletable=True),))

    assert (tmp_path / "outside.gguf").exists()
    assert (tmp_path / "elsewhere" / "inside.gguf").exists()


def test_the_command_lists_and_deletes_only_after_confirmation(machine: Machine) -> None:
    orphan = machine.checkout / "models" / "old.gguf"
    orphan.parent.mkdir()
    write_header_only(orphan, SMALL)
    orphan_size = orphan.stat().st_size
    machine.invoke_ok("demo-model")

    listed = machine.invoke("models")
    as_json = json.loads(machine.invoke_ok("models", "--json"))
    message, hints = error_of(machine.invoke("models", "--prune"))
    was_kept = orphan.exists()
    pruned = machine.invoke("models", "--prune", "--yes")

    assert listed.returncode == 0, listed.stderr
    assert f"old.gguf  {orphan_size / 1e6:.1f} MB  no profile names it" in listed.stdout
    assert "in unused files and partial downloads; delete them: invoke models --prune" in listed.stderr
    assert [extra["path"] for extra in as_json["extras"]] == ["old.gguf"]
    assert (message, was_kept) == ("cannot ask: there is no terminal", True)
    assert hints == ["delete them without asking: invoke models --prune --yes"]
    assert f"freed: {orphan_size / 1e6:.1f} MB" in pruned.stderr
    assert [path.name for path in orphan.parent.iterdir()] == ["demo.gguf"]

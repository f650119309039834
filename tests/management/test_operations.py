"""operations: errors of jobs in background threads are reported; profiles are read again after a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.foundation.errors import ProfileError, UserError
from claude_local.machine.settings import load_settings
from claude_local.management.operations import Job, Operations
from support.machine import ROOT


def run(error: Exception) -> Job:
    def call(_: Job) -> None:
        raise error

    job = Job(call, "test")
    job.thread.start()
    job.thread.join()
    return job


def test_a_bug_in_a_job_that_no_request_waits_for_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    run(ZeroDivisionError("a bug"))

    log = capsys.readouterr().err
    assert (log.splitlines()[0], log.splitlines()[-1]) == (
        "Traceback (most recent call last):",
        "ZeroDivisionError: a bug",
    )


def test_a_user_error_is_raised_but_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    job = run(UserError("the disk is full"))

    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match="the disk is full"):
        job.wait(until_done=True)


PROFILE = "title: T\ndescription: D\nmodel: {file: a.gguf}\n"


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    """Operations with a folder of one profile."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "_defaults.yaml").write_text("")
    (folder / "a.yaml").write_text(PROFILE)
    environment = {"HOME": str(tmp_path), "CLAUDE_LOCAL_PROFILES_DIR": str(folder)}
    return Operations(load_settings(environment, ROOT, user_id=0, group_id=0))


def test_the_lock_file_of_an_editor_is_ignored(operations: Operations) -> None:
    (operations.settings.profiles_dir / ".#a.yaml").symlink_to("user@host.1234")

    assert list(operations.profiles()) == ["a"]


def test_a_profile_that_is_a_broken_link_is_a_profile_error(operations: Operations) -> None:
    (operations.settings.profiles_dir / "b.yaml").symlink_to("nowhere")

    with pytest.raises(ProfileError, match="cannot read"):
        operations.profiles()


def test_profiles_are_read_again_after_a_change_of_one_or_of_the_defaults(operations: Operations) -> None:
    folder = operations.settings.profiles_dir
    before = operations.profiles()
    same = operations.profiles()
    (folder / "b.yaml").write_text(PROFILE)
    more = operations.profiles()
    (folder / "_defaults.yaml").write_text("server: {top_k: 7}\n")

    assert (same is before, list(more)) == (True, ["a", "b"])
    assert operations.profiles()["a"].server.top_k == 7

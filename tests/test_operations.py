"""operations: what goes on in a thread of its own is told, whether or not somebody waits."""

from __future__ import annotations

import pytest

from claude_local.errors import UserError
from claude_local.operations import Job


def run(error: Exception) -> Job:
    def call(_: Job) -> None:
        raise error

    job = Job(call, "test")
    job.thread.start()
    job.thread.join()
    return job


def test_a_bug_in_a_job_that_nobody_waits_for_is_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    run(ZeroDivisionError("a bug"))

    log = capsys.readouterr().err
    assert (log.splitlines()[0], log.splitlines()[-1]) == (
        "Traceback (most recent call last):",
        "ZeroDivisionError: a bug",
    )


def test_what_a_user_can_do_something_about_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    job = run(UserError("the disk is full"))

    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match="the disk is full"):
        job.wait(until_done=True)

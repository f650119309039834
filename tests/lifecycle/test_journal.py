"""journal: a written journal is read back; an invalid file counts as an empty journal, never as an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_local.foundation.errors import StateNotWritten
from claude_local.foundation.snapshot import LastSwitch
from claude_local.lifecycle import journal
from claude_local.lifecycle.transaction import Attempt, Journal
from claude_local.machine.settings import Settings, load_settings
from claude_local.machine.state_folder import JOURNAL

WHOLE = Journal(
    engine="docker",
    serving="old",
    attempt=Attempt("old", "new", "starting", 12.5),
    last=LastSwitch(None, "old", 1.5, "switched", 10.0),
)


def settings_in(folder: Path) -> Settings:
    return load_settings({"HOME": str(folder)}, folder, user_id=1000, group_id=1000)


@pytest.mark.parametrize("written", [Journal(), WHOLE, WHOLE.at("going back"), WHOLE.stopped()])
def test_a_written_journal_is_read_back(written: Journal, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)

    journal.write(settings, written)

    assert journal.read(settings) == written
    assert (JOURNAL.below(settings.state_dir)).stat().st_mode & 0o777 == 0o600


def test_a_missing_file_is_an_empty_journal(tmp_path: Path) -> None:
    assert journal.read(settings_in(tmp_path)) == Journal()


@given(content=st.binary(max_size=300))
def test_an_invalid_file_is_an_empty_journal(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = settings_in(tmp_path_factory.mktemp("home"))
    settings.state_dir.mkdir(parents=True)
    (JOURNAL.below(settings.state_dir)).write_bytes(content)

    assert journal.read(settings) in (Journal(), *([WHOLE] if content else []))


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_a_truncated_journal_is_an_empty_journal(cut: int, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    journal.write(settings, WHOLE)
    file = JOURNAL.below(settings.state_dir)
    file.write_bytes(file.read_bytes()[:cut])

    assert journal.read(settings) == Journal()


def test_a_folder_that_cannot_be_written_raises_state_not_written(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.state_dir.parent.mkdir(parents=True)
    settings.state_dir.write_text("a file where the folder belongs")

    with pytest.raises(StateNotWritten, match="cannot be written: "):
        journal.write(settings, WHOLE)

    assert list(settings.state_dir.parent.iterdir()) == [settings.state_dir]

"""log_reader: each line of a log once, without our own requests, and the turns in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_local.foundation.errors import EngineUnavailable
from claude_local.machine.settings import load_settings
from claude_local.server.engines.embedded import EmbeddedEngine
from claude_local.server.engines.external import ExternalEngine
from claude_local.server.log_reader import LogReader
from support.machine import ROOT

TURNS = (ROOT / "tests" / "data" / "turns.log").read_text()


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    """An engine whose log is an empty file."""
    own = EmbeddedEngine(load_settings({"HOME": str(tmp_path)}, tmp_path, user_id=0, group_id=0))
    own.directory.mkdir(parents=True)
    own.log_file.touch()
    return own


def test_each_line_is_new_once_and_carries_no_escape_sequence(engine: EmbeddedEngine) -> None:
    reader, taken = LogReader(), []
    for text in ("one\ntwo\x1b[2J\n", "", "three\n"):
        with engine.log_file.open("a") as log:
            log.write(text)
        reader.read(engine)
        taken.append(reader.take_new())

    assert taken == [["one", "two·[2J"], [], ["three"]]
    assert reader.last_line == "three"


def test_lines_of_several_reads_are_taken_together(engine: EmbeddedEngine) -> None:
    reader = LogReader()
    for text in ("one\n", "two\n"):
        with engine.log_file.open("a") as log:
            log.write(text)
        reader.read(engine)

    assert (reader.take_new(), reader.take_new()) == (["one", "two"], [])


def test_router_lines_about_our_own_requests_are_left_out(engine: EmbeddedEngine) -> None:
    engine.log_file.write_text("one\nsrv proxying request to model demo on port 4\ntwo\n")
    reader = LogReader()
    reader.read(engine)

    assert reader.take_new() == ["one", "two"]


def test_a_log_that_disappears_and_comes_back_has_no_new_lines(engine: EmbeddedEngine) -> None:
    engine.log_file.write_text("one\n")
    reader, away = LogReader(), engine.log_file.with_suffix(".away")
    reader.read(engine)
    engine.log_file.rename(away)
    reader.read(engine)
    reader.read(None)
    away.rename(engine.log_file)
    reader.read(engine)

    assert reader.take_new() == ["one"]


def test_the_last_requests_are_read_from_the_log(engine: EmbeddedEngine) -> None:
    engine.log_file.write_text(TURNS)
    reader = LogReader()
    reader.read(engine)

    assert (len(reader.turns) > 0, reader.turns[-1].prompt_tokens > 0) == (True, True)


def test_an_external_server_has_no_log_here(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "CLAUDE_LOCAL_EXTERNAL_URL": "http://gpu"}
    settings = load_settings(environment, tmp_path, user_id=0, group_id=0)
    reader = LogReader()

    reader.read(ExternalEngine(settings))

    assert (reader.take_new(), reader.turns) == ([], ())


def test_an_engine_that_does_not_answer_has_no_new_lines(engine: EmbeddedEngine) -> None:
    class Silent(EmbeddedEngine):
        def log_lines(self, *, tail: int, follow: bool) -> Iterator[str]:
            raise EngineUnavailable(f"no answer: {tail} lines, follow={follow}")

    reader = LogReader()

    reader.read(Silent(engine.settings))

    assert reader.take_new() == []

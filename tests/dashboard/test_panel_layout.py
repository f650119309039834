"""What the dashboard draws: recorded screens as text, and properties of every screen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from claude_local.dashboard.ansi import AnsiWriter
from claude_local.dashboard.panel_layout import frame, log_rows
from claude_local.dashboard.view_state import View
from support.dashboard_screens import DRAWINGS, SCENE, SCREENS, drawn

DRAWN = drawn()


@pytest.mark.parametrize("name", DRAWN)
def test_a_screen_matches_its_recording(name: str) -> None:
    assert DRAWN[name] == (SCREENS / name).read_text(encoding="utf-8")


def test_every_recorded_screen_is_still_drawn() -> None:
    assert {file.name for file in SCREENS.glob("*.txt")} == DRAWN.keys()


@given(st.sampled_from(sorted(DRAWINGS)), st.integers(1, 220), st.integers(1, 70))
@settings(max_examples=200, deadline=None)
def test_every_state_fits_into_every_size(name: str, columns: int, rows: int) -> None:
    drawing = DRAWINGS[name]

    lines = frame(drawing.scene, drawing.view, columns, rows)

    assert len(lines) == rows
    assert max(line.cell_len for line in lines) <= columns


@pytest.mark.parametrize("name", DRAWINGS)
def test_ascii_mode_sends_only_ascii_and_keeps_every_column(name: str) -> None:
    lines = frame(DRAWINGS[name].scene, DRAWINGS[name].view, 120, 40)

    plain = AnsiWriter(colors=True, ascii_only=True).plain(lines)

    assert all(row.isascii() for row in plain)
    assert [len(row) for row in plain] == [cell_len(line.plain.rstrip()) for line in lines]


@pytest.mark.parametrize("colors", [True, False])
def test_without_colours_no_colour_is_sent(colors: bool) -> None:
    rows = AnsiWriter(colors=colors, ascii_only=False).rows(frame(SCENE, View(), 120, 40))

    coloured = [row for row in rows if "\x1b[3" in row or ";3" in row]
    assert bool(coloured) == colors


def test_no_control_sequence_from_a_log_reaches_the_terminal() -> None:
    drawing = DRAWINGS["hostile-log"]

    rows = AnsiWriter(colors=False, ascii_only=False).plain(frame(drawing.scene, drawing.view, 200, 30))

    assert all(row.isprintable() for row in rows)


@pytest.mark.parametrize(("columns", "rows"), [(60, 20), (80, 24), (120, 40), (200, 60)])
def test_a_page_scrolls_by_the_height_of_the_log(columns: int, rows: int) -> None:
    lines = [line.plain for line in frame(SCENE, View(), columns, rows)]

    heading = next(number for number, line in enumerate(lines) if line.startswith("── log"))
    assert len(lines) - heading - 2 == log_rows(SCENE, View(), columns, rows)

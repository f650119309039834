"""The whole screen: which panels are shown where, by size. Pure."""

from __future__ import annotations

import textwrap
from typing import Literal

from rich.text import Text

from claude_local.dashboard import dialogs, log_view, machine_panels, model_panel
from claude_local.dashboard.scene import Scene
from claude_local.dashboard.view_state import View

FULL_COLUMNS, FULL_ROWS = 100, 28
LOG_ROWS_AT_LEAST = 3
NOTICE_ROWS = 5
KEYS = "m model  l log  f filter  / search  r stop  q quit  ? help"
FEW_KEYS = "m model  l log  / search  q quit  ? help"

Rows = list[Text]


def frame(scene: Scene, view: View, columns: int, rows: int) -> Rows:
    """Exactly `rows` lines, none wider than `columns`."""
    footer = _footer(scene, view, columns, rows)
    body_rows = max(0, rows - 1 - len(footer))
    lines = [_header(scene, columns), *_fit(_body(scene, view, columns, body_rows), body_rows)]
    lines = [*lines, *footer][-rows:] if rows > 1 else [_header(scene, columns)]
    for line in lines:
        line.truncate(columns, overflow="ellipsis")
    return lines


def log_rows(scene: Scene, view: View, columns: int, rows: int) -> int:
    """How many lines of the log a frame of this size shows."""
    body_rows = max(0, rows - 1 - len(_footer(scene, view, columns, rows)))
    if view.only_log:
        return body_rows
    return max(1, body_rows - len(_panels(scene, view, columns, body_rows)) - 1)


def layout_of(view: View, columns: int, rows: int) -> Literal["compact", "full"]:
    """The layout that is drawn; `auto` depends on the size."""
    if view.layout == "auto":
        return "full" if columns >= FULL_COLUMNS and rows + 2 >= FULL_ROWS else "compact"
    return view.layout


def _body(scene: Scene, view: View, columns: int, rows: int) -> Rows:
    if view.dialog == "picker":
        return dialogs.picker(view, scene, columns, rows)
    if view.dialog == "help":
        return dialogs.help_page()
    if view.only_log:
        return _log(scene, view, columns, rows)
    panels = _panels(scene, view, columns, rows)
    return [
        *panels,
        _heading(_log_title(scene, view), columns),
        *_log(scene, view, columns, rows - len(panels) - 1),
    ]


def _panels(scene: Scene, view: View, columns: int, rows: int) -> Rows:
    if layout_of(view, columns, rows) == "full":
        return _full_panels(scene, columns, rows)
    return _compact_panels(scene, columns, rows)


def _compact_panels(scene: Scene, columns: int, rows: int) -> Rows:
    """One row per item, so that the log gets more than half of a small screen."""
    model = model_panel.small_model(scene, columns)
    gpu_rows = max(1, rows // 2 - len(model) - 1)
    lines = [
        *model,
        *machine_panels.gpus(scene, columns, min(gpu_rows, 8)),
        *machine_panels.small_system(scene, columns),
    ]
    return lines[: max(0, rows - LOG_ROWS_AT_LEAST - 1)]


def _full_panels(scene: Scene, columns: int, rows: int) -> Rows:
    """The model on the left, the machine on the right."""
    gap = " │ "
    left_columns = (columns - len(gap)) // 2
    right_columns = columns - len(gap) - left_columns
    most = max(4, (rows - LOG_ROWS_AT_LEAST - 2) * 2 // 3)
    system = machine_panels.system(scene, right_columns)
    gpus = machine_panels.gpus(scene, right_columns, most - len(system) - 2)
    system = [_heading("system", right_columns), *system]
    has_gpus = machine_panels.has_gpus(scene)
    right = [_heading("GPU", right_columns), *gpus, *system] if has_gpus else [*system, *gpus]
    left = model_panel.model(scene, left_columns, most)
    height = max(len(left) + 1, len(right))
    left = _fit([_heading("model", left_columns), *left], height)
    return [_beside(a, b, left_columns, gap) for a, b in zip(left, _fit(right, height), strict=True)]


def _beside(left: Text, right: Text, left_columns: int, gap: str) -> Text:
    left.truncate(left_columns, overflow="ellipsis", pad=True)
    return Text().append_text(left).append(gap, style="dim").append_text(right)


def _log(scene: Scene, view: View, columns: int, rows: int) -> Rows:
    if not scene.log.lines:
        return [Text("the log is empty", style="dim")]
    shown = log_view.visible(scene.log, view.log, rows)
    if not shown:
        return [Text(f"no line contains `{view.log.filter}`", style="dim")]
    return [_log_line(line, view, columns) for _, line in shown]


def _log_line(line: str, view: View, columns: int) -> Text:
    """The visible part of a line, so that a very long one costs nothing."""
    shift = view.log.shift_columns
    text = Text(line[shift : shift + columns + 1])
    if " E " in line[:60]:
        text.stylize("red")
    elif " W " in line[:60]:
        text.stylize("yellow")
    for wanted in (view.log.search, view.log.filter):
        if wanted:
            text.highlight_words([wanted], style="reverse", case_sensitive=False)
    return text


def _log_title(scene: Scene, view: View) -> str:
    parts = ["log"]
    if view.log.filter:
        parts.append(f"filter `{view.log.filter}`")
    if view.log.search:
        parts.append(f"search `{view.log.search}`: n older, N newer")
    if view.log.bottom is not None:
        parts.append(f"{scene.log.end - 1 - view.log.bottom} lines from the end; End: follow")
    return "  ".join(parts)


def _heading(title: str, columns: int) -> Text:
    line = Text("── ", style="dim").append(title, style="bold not dim").append(" ")
    line.truncate(columns - 1, overflow="ellipsis")
    return line.append("─" * (columns - line.cell_len))


def _header(scene: Scene, columns: int) -> Text:
    now = scene.now
    line = Text("claude-local ", style="bold")
    line.append_text(Text(f"○ {now.state}", style="dim") if scene.trouble else model_panel.state(now))
    if now.profile:
        line.append(f"  {now.profile}")
    if columns >= FULL_COLUMNS - 20:
        line.append(f"  {' '.join(filter(None, (now.engine_and_build, now.base_url)))}", style="not bold dim")
    return line


def _footer(scene: Scene, view: View, columns: int, rows: int) -> Rows:
    """One line; more for a long notice of the server, so that its hint is not cut off."""
    if view.entry or view.dialog in dialogs.QUESTIONS or view.message or not scene.notice:
        return [_footer_line(scene, view, columns)]
    said = [
        row
        for line in scene.notice.splitlines()
        for row in textwrap.wrap(line, max(10, columns), break_on_hyphens=False)
    ]
    most = max(1, min(NOTICE_ROWS, rows // 4))
    return [
        Text(row, style="yellow") for row in (said if len(said) <= most else [*said[: most - 1], said[-1]])
    ]


def _footer_line(scene: Scene, view: View, columns: int) -> Text:
    if view.entry:
        return Text(f"{view.entry}: {view.typed}▏", style="bold")
    if view.dialog in dialogs.QUESTIONS:
        return Text(dialogs.QUESTIONS[view.dialog], style="reverse")
    if view.message:
        return Text(view.message, style="yellow")
    if scene.trouble:
        return Text(f"○ {scene.trouble}", style="yellow")
    if view.dialog == "picker":
        return Text("↑ ↓ choose   type to narrow   Enter switch   Esc back", style="dim")
    if view.dialog == "help":
        return Text("press any key to go back", style="dim")
    return Text(KEYS if columns >= len(KEYS) else FEW_KEYS, style="dim")


def _fit(lines: Rows, rows: int) -> Rows:
    return [*lines[:rows], *(Text("") for _ in range(rows - len(lines)))]

"""The dialogs that temporarily replace the panels: the model picker, help, questions. Pure."""

from __future__ import annotations

import textwrap

from rich.text import Text

from claude_local.dashboard.scene import Scene
from claude_local.dashboard.view_state import LOADING, View, choices
from claude_local.foundation import figures
from claude_local.foundation.snapshot import ModelEntry

HELP = (
    ("m", "choose a model: arrows, type to narrow the list, Enter, Esc"),
    ("l", "show only the log; again: show all"),
    ("v", "layout: auto, compact, full"),
    ("r", "stop the model and choose another"),
    ("q", "quit; asks whether to stop the model"),
    ("?", "this help"),
    ("", ""),
    ("↑ ↓ PgUp PgDn", "scroll the log"),
    ("Home End", "oldest line; newest line and follow"),
    ("← →", "scroll sideways"),
    ("f", "filter: show only lines that contain a text"),
    ("/ n N", "search; next older match, next newer match"),
    ("Esc", "clear filter and search"),
)
MARKS = "● running   ↓ not downloaded"
DETAIL_ROWS = 2
QUESTIONS = {
    "leave": "quit: k keep the model running   s stop it   Esc cancel",
    "stop": "a reply is being written. Stop the model?   y yes   n no",
}


def help_page() -> list[Text]:
    """The keys."""
    return [Text(f"{keys:>15}  ", style="bold").append(what, style="not bold") for keys, what in HELP]


def picker(view: View, scene: Scene, width: int, rows: int) -> list[Text]:
    """The model list, scrolled so that the marked model is visible, and details of that model."""
    models = choices(view, scene)
    head = Text("Which model? ", style="bold").append(view.typed, style="not bold").append("▏")
    if not models:
        return [head, Text(""), Text(_nothing(view, scene), style="dim")]
    picked = min(view.picked, len(models) - 1)
    details = _details(models[picked], width)
    list_rows = max(1, rows - len(details) - 3)
    first = max(0, min(picked - list_rows // 2, len(models) - list_rows))
    shown = models[first : first + list_rows]
    lines = [
        _choice(model, scene, width, is_picked=number == picked)
        for number, model in enumerate(shown, start=first)
    ]
    return [head, Text(MARKS, style="dim"), *lines, Text(""), *details]


def _details(model: ModelEntry, width: int) -> list[Text]:
    """The details that do not fit into a row."""
    parts = [(model.description, "italic"), (model.verdict, "")]
    if not model.on_disk:
        parts.append((f"the model is not downloaded; download it: invoke pull {model.name}", "yellow"))
    return [
        Text(row, style=style)
        for text, style in parts
        for row in textwrap.wrap(text, max(10, width))[:DETAIL_ROWS]
    ]


def _nothing(view: View, scene: Scene) -> str:
    if view.typed and scene.models:
        return f"no model matches `{view.typed}`"
    return scene.trouble or LOADING


def _choice(model: ModelEntry, scene: Scene, width: int, *, is_picked: bool) -> Text:
    mark = "●" if model.name == scene.now.profile else " " if model.on_disk else "↓"
    facts = f"{figures.size(model.size_bytes):>8} {figures.tokens(model.context_tokens):>6}"
    name_width = max(12, min(28, width - 48))
    line = Text(f"{mark} {model.name[:name_width]:{name_width}} {facts}  {_verdict(model)}")
    line.truncate(width, overflow="ellipsis", pad=True)
    line.stylize("reverse" if is_picked else "")
    return line


def _verdict(model: ModelEntry) -> str:
    """The verdict without its figures; those are below the list."""
    return model.verdict.partition(": ")[0]

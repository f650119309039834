"""What stands in for the panels for a while: the model picker, help, questions. Pure."""

from __future__ import annotations

import textwrap

from rich.text import Text

from claude_local.dashboard.scene import Scene
from claude_local.dashboard.view import View, choices
from claude_local.foundation import figures
from claude_local.foundation.snapshot import ModelEntry

HELP = (
    ("m", "choose a model: arrows, type to narrow the list, Enter, Esc"),
    ("l", "only the log, and back"),
    ("v", "layout: auto, compact, full"),
    ("r", "stop the model and choose another"),
    ("q", "leave; asks whether the model goes on"),
    ("?", "this page"),
    ("", ""),
    ("↑ ↓ PgUp PgDn", "scroll the log"),
    ("Home End", "oldest line; newest line, and follow"),
    ("← →", "see more of long lines"),
    ("f", "filter: only lines that hold a text"),
    ("/ n N", "search; next older, next newer"),
    ("Esc", "filter and marks off"),
)
MARKS = "● serves now   ↓ not downloaded yet"
DETAIL_ROWS = 2
QUESTIONS = {
    "leave": "leave: k keep the model serving   s stop it   Esc stay",
    "stop": "a reply is being written. Stop the model?   y yes   n no",
}


def help_page() -> list[Text]:
    """The keys."""
    return [Text(f"{keys:>15}  ", style="bold").append(what, style="not bold") for keys, what in HELP]


def picker(view: View, scene: Scene, width: int, rows: int) -> list[Text]:
    """The model list with a marker, scrolled so that the marked model is visible, and more about that one."""
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
    """What a row has no room for."""
    parts = [(model.description, "italic"), (model.verdict, "")]
    if not model.on_disk:
        parts.append((f"the model file is not here yet; get it: invoke pull {model.name}", "yellow"))
    return [
        Text(row, style=style)
        for text, style in parts
        for row in textwrap.wrap(text, max(10, width))[:DETAIL_ROWS]
    ]


def _nothing(view: View, scene: Scene) -> str:
    if view.typed:
        return f"no model holds `{view.typed}`"
    return "the list of models has not come yet" if not scene.trouble else scene.trouble


def _choice(model: ModelEntry, scene: Scene, width: int, *, is_picked: bool) -> Text:
    mark = "●" if model.name == scene.now.profile else " " if model.on_disk else "↓"
    facts = f"{figures.size(model.size_bytes):>8} {figures.tokens(model.context_tokens):>6}"
    name_width = max(12, min(28, width - 48))
    line = Text(f"{mark} {model.name[:name_width]:{name_width}} {facts}  {_verdict(model)}")
    line.truncate(width, overflow="ellipsis", pad=True)
    line.stylize("reverse" if is_picked else "")
    return line


def _verdict(model: ModelEntry) -> str:
    """The verdict without its figures, which stand below the list."""
    return model.verdict.partition(": ")[0]

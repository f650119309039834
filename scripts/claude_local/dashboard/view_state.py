"""The view of the dashboard and its keys: a key makes a new view, and sometimes an action. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from claude_local.dashboard import log_view
from claude_local.dashboard.log_view import LogView
from claude_local.dashboard.scene import Scene
from claude_local.foundation.snapshot import ModelEntry

Layout = Literal["auto", "compact", "full"]
Dialog = Literal["", "picker", "help", "leave", "stop"]
Entry = Literal["", "filter", "search"]

LAYOUTS: tuple[Layout, ...] = ("auto", "compact", "full")


@dataclass(frozen=True)
class View:
    """The part of the screen's state that keys change."""

    layout: Layout = "auto"
    only_log: bool = False
    dialog: Dialog = ""
    log: LogView = field(default_factory=LogView)
    entry: Entry = ""
    """The kind of input at the bottom of the log."""
    typed: str = ""
    """The text of `entry`, or the filter of the model list."""
    picked: int = 0
    """The row of the marker in the narrowed model list."""
    message: str = ""
    """One line for the user; removed by the next key."""


@dataclass(frozen=True)
class Switch:
    """An action: serve this profile."""

    profile: str


@dataclass(frozen=True)
class Stop:
    """An action: stop the model."""


@dataclass(frozen=True)
class Leave:
    """An action: close the dashboard."""

    stop_model: bool


Action = Switch | Stop | Leave | None


LOADING = "the list of models is still loading"


def choices(view: View, scene: Scene) -> tuple[ModelEntry, ...]:
    """The models whose name, aliases or description contain the typed words; hits in the name come first."""
    words = view.typed.casefold().split()

    def holds(text: str) -> bool:
        return all(word in text.casefold() for word in words)

    found = [
        model for model in scene.models if holds(" ".join((model.name, *model.aliases, model.description)))
    ]
    return tuple(sorted(found, key=lambda model: not holds(model.name)))


def reduce(view: View, key: str, scene: Scene, log_rows: int) -> tuple[View, Action]:
    """The view after a key, and the action it expresses. `log_rows` is the height of the log."""
    view = replace(view, message="")
    if key == "ctrl-c":
        return view, Leave(stop_model=False)
    if view.entry:
        return _typing(view, key, scene), None
    if view.dialog == "picker":
        return _in_picker(view, key, scene)
    if view.dialog == "leave":
        return _asked_to_leave(view, key, scene)
    if view.dialog == "stop":
        return _asked_to_stop(view, key)
    if view.dialog == "help":
        return replace(view, dialog=""), None
    return _on_the_screen(view, key, scene, log_rows)


def _on_the_screen(view: View, key: str, scene: Scene, log_rows: int) -> tuple[View, Action]:
    if key == "q":
        if scene.now.state == "stopped" or scene.trouble:
            return view, Leave(stop_model=False)
        return replace(view, dialog="leave"), None
    if key == "r":
        if scene.now.slots_busy:
            return replace(view, dialog="stop"), None
        return _picker(view), Stop()
    if key == "m":
        return _picker(view), None
    if key == "?":
        return replace(view, dialog="help"), None
    if key == "l":
        return replace(view, only_log=not view.only_log), None
    if key == "v":
        following = LAYOUTS[(LAYOUTS.index(view.layout) + 1) % len(LAYOUTS)]
        return replace(view, layout=following, message=f"layout: {following}"), None
    return _in_log(view, key, scene, log_rows), None


def _picker(view: View) -> View:
    return replace(view, dialog="picker", typed="", picked=0)


def _in_log(view: View, key: str, scene: Scene, log_rows: int) -> View:
    if key in ("/", "f"):
        return replace(view, entry="search" if key == "/" else "filter", typed="")
    if key in ("n", "N"):
        return _jump(view, scene, older=key == "n")
    log = view.log
    steps = {"up": -1, "down": 1, "page up": -log_rows, "page down": log_rows, " ": log_rows}
    if key in steps:
        log = log_view.scrolled(scene.log, log, steps[key], log_rows)
    elif key == "home":
        log = log_view.to_oldest(scene.log, log, log_rows)
    elif key == "end":
        log = replace(log, bottom=None, shift_columns=0)
    elif key in ("left", "right"):
        step = log_view.SHIFT_COLUMNS if key == "right" else -log_view.SHIFT_COLUMNS
        log = replace(log, shift_columns=max(0, log.shift_columns + step))
    elif key == "escape":
        log = replace(log, filter="", search="")
    return replace(view, log=log)


def _jump(view: View, scene: Scene, *, older: bool) -> View:
    if not view.log.search:
        return replace(view, message="no search yet: press /")
    log = log_view.found(scene.log, view.log, older=older)
    if log is None:
        where = "older" if older else "newer"
        return replace(view, message=f"no {where} line contains `{view.log.search}`")
    return replace(view, log=log)


def _typing(view: View, key: str, scene: Scene) -> View:
    """A key while a filter or a search is typed. A filter takes effect with every key."""
    if key == "escape":
        log = replace(view.log, filter="") if view.entry == "filter" else view.log
        return replace(view, entry="", typed="", log=log)
    if key == "enter":
        done = replace(view, entry="", typed="")
        if view.entry == "filter" or not view.typed:
            return done
        return _jump(replace(done, log=replace(view.log, search=view.typed)), scene, older=True)
    view = replace(view, typed=_edited(view.typed, key))
    if view.entry == "filter":
        return replace(view, log=replace(view.log, filter=view.typed, bottom=None))
    return view


def _in_picker(view: View, key: str, scene: Scene) -> tuple[View, Action]:
    models = choices(view, scene)
    if key == "escape":
        return replace(view, dialog="", typed=""), None
    if key == "enter":
        if not models:
            return replace(view, message="no model matches" if scene.models else LOADING), None
        return replace(view, dialog="", typed=""), Switch(models[min(view.picked, len(models) - 1)].name)
    steps = {"up": -1, "down": 1, "page up": -10, "page down": 10, "home": -len(models), "end": len(models)}
    if key in steps:
        return replace(view, picked=min(max(0, view.picked + steps[key]), max(0, len(models) - 1))), None
    return replace(view, typed=_edited(view.typed, key), picked=0), None


def _asked_to_leave(view: View, key: str, scene: Scene) -> tuple[View, Action]:
    if key in ("k", "q", "enter"):
        return view, Leave(stop_model=False)
    if key == "s" and scene.now.work:  # the refusal would come after the screen is closed
        return replace(
            view, dialog="", message=f"`{scene.now.work.purpose}` is running: stop the model after it"
        ), None
    if key == "s":
        return view, Leave(stop_model=True)
    return replace(view, dialog=""), None


def _asked_to_stop(view: View, key: str) -> tuple[View, Action]:
    if key == "y":
        return _picker(view), Stop()
    return replace(view, dialog=""), None


def _edited(text: str, key: str) -> str:
    """A line of text after a key."""
    if key == "backspace":
        return text[:-1]
    if key == "ctrl-u":
        return ""
    return text + key if len(key) == 1 else text

"""A session of the dashboard: keys in, frames out; or one frame, or JSON, for a script."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from claude_local.dashboard.ansi import AnsiWriter
from claude_local.dashboard.api_client import ApiClient
from claude_local.dashboard.feed import Feed, models_of, snapshot_of
from claude_local.dashboard.keys import KeyDecoder
from claude_local.dashboard.panel_layout import frame, log_rows
from claude_local.dashboard.scene import LogTail, Scene
from claude_local.dashboard.terminal import Screen
from claude_local.dashboard.view_state import LAYOUTS, Action, Layout, Leave, View, reduce
from claude_local.foundation.errors import UserError
from claude_local.foundation.plain_text import harmless
from claude_local.machine.settings import Settings
from claude_local.management.server_process import token as management_token

ESCAPE_SECONDS = 0.05
"""How long an Escape may be the start of an arrow key."""
DRAW_SECONDS = 0.1
"""The shortest time between drawings of new data; a key is drawn immediately."""
ONCE_LOG_LINES = 100


@dataclass(frozen=True)
class Look:
    """What this terminal can show, and the layout the user chose."""

    colors: bool
    ascii_only: bool
    layout: Layout = "auto"
    can_move_cursor: bool = True


def client_of(settings: Settings) -> ApiClient:
    """The management API of this machine. Raises UserError if it is switched off."""
    if settings.management_port is None:
        raise UserError(
            "the dashboard needs the management API, which is switched off",
            hint="remove CLAUDE_LOCAL_MANAGEMENT_PORT=off, then: invoke up",
        )
    return ApiClient(settings.management_port, management_token(settings))


def look_of(environment: Mapping[str, str], layout: str) -> Look:
    """The look that the environment asks for. Raises UserError for an unknown layout."""
    chosen = next((known for known in LAYOUTS if known == layout), None)
    if chosen is None:
        raise UserError(f"unknown layout `{layout}`", hint=f"one of: {', '.join(LAYOUTS)}")
    is_dumb = environment.get("TERM", "dumb") == "dumb"
    return Look(
        colors=not (environment.get("NO_COLOR") or is_dumb),
        ascii_only=not speaks_utf8(environment),
        layout=chosen,
        can_move_cursor=not is_dumb,
    )


def speaks_utf8(environment: Mapping[str, str]) -> bool:
    """Whether the locale takes UTF-8.

    Python itself sets LC_CTYPE=C.UTF-8 if it finds no other locale, so that value is ignored.
    """
    character_type = environment.get("LC_CTYPE", "")
    chosen = (
        environment.get("LC_ALL")
        or ("" if character_type == "C.UTF-8" else character_type)
        or environment.get("LANG", "")
    )
    return "utf8" in chosen.lower().replace("-", "")


def run(client: ApiClient, look: Look) -> Leave:
    """Shows the dashboard until the user quits, and returns how. Raises UserError if it cannot."""
    if not (sys.stdin.isatty() and sys.stdout.isatty() and look.can_move_cursor):
        raise UserError("the dashboard needs a terminal", hint="for scripts: --once or --json")
    client.get("/health")
    try:
        with Screen() as screen:
            return _Session(client, look, screen).run()
    except (KeyboardInterrupt, EOFError):
        return Leave(stop_model=False)


def once(client: ApiClient, look: Look) -> None:
    """Prints one frame: with colours to a terminal, as text otherwise."""
    scene = _scene_now(client)
    columns, rows = _size()
    lines = frame(scene, View(layout=look.layout), columns, rows)
    writer = AnsiWriter(colors=look.colors, ascii_only=look.ascii_only)
    # Plain output has no use for the line of keys.
    printed = writer.rows(lines) if sys.stdout.isatty() else writer.plain(lines)
    sys.stdout.write("\n".join(printed[:-1]) + "\n")


def as_json(client: ApiClient) -> None:
    """Prints the answer of `/status`."""
    sys.stdout.write(json.dumps(client.get("/status"), indent=2) + "\n")


class _Session:
    """A session in the terminal."""

    def __init__(self, client: ApiClient, look: Look, screen: Screen) -> None:
        self._screen = screen
        self._feed = Feed(client, screen.wake)
        self._writer = AnsiWriter(colors=look.colors, ascii_only=look.ascii_only)
        self._view = View(layout=look.layout)
        self._keys = KeyDecoder()
        self._drawn_at = 0.0
        self._has_news = False
        """Whether new data arrived since the last drawing."""

    def run(self) -> Leave:
        self._feed.start()
        self._draw()
        while True:
            keys = self._next_keys()
            for key in keys:
                action = self._press(key)
                if isinstance(action, Leave):
                    return action
            if keys or (self._has_news and self._until_draw_seconds() <= 0):
                self._draw()

    def _next_keys(self) -> list[str]:
        """The pressed keys; empty when new data arrived, or when it is time to draw it."""
        if self._keys.is_waiting:
            received = self._screen.wait(ESCAPE_SECONDS, only_keys=True)
            return self._keys.feed(received) if received else self._keys.flush()
        if self._has_news:
            return self._keys.feed(self._screen.wait(self._until_draw_seconds(), only_keys=True))
        received = self._screen.wait(None)
        self._has_news = not received
        return self._keys.feed(received)

    def _until_draw_seconds(self) -> float:
        return max(0.0, self._drawn_at + DRAW_SECONDS - time.monotonic())

    def _press(self, key: str) -> Action:
        scene = self._feed.scene(time.time())
        self._feed.forget_notice()
        if key == "ctrl-l":
            self._screen.forget()
        columns, rows = self._screen.size()
        self._view, action = reduce(self._view, key, scene, log_rows(scene, self._view, columns, rows))
        if action and not isinstance(action, Leave):
            self._feed.ask(action)
        return action

    def _draw(self) -> None:
        self._drawn_at, self._has_news = time.monotonic(), False
        columns, rows = self._screen.size()
        scene = self._feed.scene(time.time())
        self._screen.show(self._writer.rows(frame(scene, self._view, columns, rows)))


def _scene_now(client: ApiClient) -> Scene:
    """The state from single requests, without the event stream."""
    now = snapshot_of(client.get("/status"))
    try:
        lines = client.get(f"/logs?tail={ONCE_LOG_LINES}")["lines"]
    except UserError:  # nothing is running, so there is no log
        lines = []
    log = LogTail(0, tuple(harmless(line) for line in lines))
    return Scene(now, log, models_of(client.get("/models")), time=time.time())


def _size() -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    return columns or 80, rows or 24

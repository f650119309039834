"""Takes the pictures in docs/pictures/ from a real session: python -m pytest tests/support/pictures.py"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import threading
import time
import urllib.request
from http.client import HTTPException

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from claude_local.dashboard.api_client import ApiClient
from claude_local.dashboard.feed import Feed
from claude_local.dashboard.panel_layout import frame
from claude_local.dashboard.view_state import View
from support.machine import ROOT, Machine

PICTURES = ROOT / "docs" / "pictures"
CHROMIUM = "/usr/bin/chromium"
COLUMNS, ROWS = 120, 32
SECONDS = 30


def test_pictures_are_taken(machine: Machine) -> None:
    PICTURES.mkdir(exist_ok=True)
    machine.invoke_ok("demo-model")
    machine.add_demo("other", seed=2)
    machine.invoke_ok("up", "--detach", "--model", "other", "--engine", "docker")
    machine.invoke_ok("switch", "demo")
    feed = Feed(ApiClient(machine.management_port), lambda: None)
    feed.start()
    threading.Thread(target=_work, args=(machine,), daemon=True).start()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 720})
        page.goto(machine.management_url)
        page.wait_for_timeout(SECONDS * 1000)
        page.screenshot(path=PICTURES / "page.png")
        browser.close()
    lines = frame(feed.scene(time.time()), View(), COLUMNS, ROWS)
    (PICTURES / "dashboard.svg").write_text(_svg(lines), encoding="utf-8")


def _work(machine: Machine) -> None:
    """Load for the charts: a session of two turns, then long answers, with another conversation in between."""
    for prompt in ("Explain this repository.", "And now in one sentence."):
        machine.claude_local("-p", prompt)
    with contextlib.suppress(OSError, HTTPException):  # ends when the pictures are taken and the server stops
        for role in itertools.cycle(("helper", "helper", "poet")):
            _ask(machine, role)
            time.sleep(0.5)


def _ask(machine: Machine, role: str) -> None:
    body = {
        "model": "local-llama",
        "max_tokens": 3000,
        "system": f"You are a {role}. " * 300,
        "messages": [{"role": "user", "content": "Write many words."}],
    }
    request = urllib.request.Request(
        machine.url + "/v1/messages",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {machine.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        answer.read()


def _svg(lines: list[Text]) -> str:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    for line in lines:
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    svg = console.export_svg(title="invoke dashboard", unique_id="dashboard")
    # Removes references to other hosts: the web font, which the reader's own font replaces.
    return re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)

"""Measures the cost of the page in a real Chromium, for bench_dashboard."""

from __future__ import annotations

import statistics
from pathlib import Path

from playwright.sync_api import CDPSession, Page, sync_playwright

from claude_local.management.web_files import FOLDER

CHROMIUM = "/usr/bin/chromium"
PAINTS = 5
GROW = Path(__file__).parents[1] / "end_to_end" / "page_growth.js"
UPDATES = 900


def page_figures(address: str) -> list[tuple[str, float, float, str]]:
    """Name, figure, target and unit of each measurement on the page."""
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        paints = [_first_paint_milliseconds(browser.new_page(), address) for _ in range(PAINTS)]
        growth = _growth_bytes(browser.new_page(), address)
        browser.close()
    return [
        ("page, all files", size, 60_000, "bytes"),
        ("page, first contentful paint, median", statistics.median(paints), 500, "ms"),
        ("page, growth in 15 minutes of updates", growth / 1e6, 1, "MB"),
    ]


def _first_paint_milliseconds(page: Page, address: str) -> float:
    page.goto(address)
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    found: float = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.close()
    return found


def _growth_bytes(page: Page, address: str) -> float:
    """Heap growth in bytes during a second 15 minutes of updates, after garbage collection."""
    page.goto(address)
    debugger = page.context.new_cdp_session(page)
    grow = GROW.read_text(encoding="utf-8")
    page.evaluate(grow, [0, 2 * UPDATES])
    before = _heap_bytes(debugger)
    page.evaluate(grow, [2 * UPDATES, UPDATES])
    return _heap_bytes(debugger) - before


def _heap_bytes(debugger: CDPSession) -> float:
    debugger.send("HeapProfiler.collectGarbage")
    return float(debugger.send("Runtime.getHeapUsage")["usedSize"])

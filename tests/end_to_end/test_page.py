"""The page at :8081 in a real Chromium, in front of the real management API and a real llama-server."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from claude_local.management.web_files import FOLDER
from support.machine import CLIENTS, Machine
from support.management_server import end_management, end_server, wait_for_api

CHROMIUM = "/usr/bin/chromium"
AXE = CLIENTS / "axe-core" / "axe.min.js"
WAIT_MILLISECONDS = 60_000
WIDTHS = (1200, 400)
SCHEMES = ("light", "dark")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # The tests run as root in a container, where Chromium's own sandbox cannot work.
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that records every browser error and every requested address."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    expect.set_options(timeout=WAIT_MILLISECONDS)
    yield page
    context.close()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """Messages of the browser's console, except for an unreachable server."""
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: None if "ERR_CONNECTION" in line.text else said.append(line.text))
    return said


def serve(machine: Machine, engine: str) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("other", seed=2)
    machine.invoke_ok("up", "--detach", "--model", "demo", "--engine", engine)


def open_page(page: Page, machine: Machine) -> None:
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(f"{request.url}: {request.failure}"))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(machine.management_url)
    try:
        expect(page.locator("#state")).not_to_have_text("connecting …")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{failed}\n{page.locator('#link').inner_text()}") from None


@pytest.mark.docker
@pytest.mark.real_cli
def test_a_model_is_switched_with_the_keyboard_and_every_step_is_announced(
    machine: Machine, page: Page, complaints: list[str]
) -> None:
    serve(machine, "docker")
    assert machine.claude_local("-p", "hello").returncode == 0
    open_page(page, machine)
    expect(page.locator("#state")).to_have_text("ready  demo")
    expect(page.locator("#turns tbody tr").first).to_contain_text("%")
    expect(page.locator("#log")).to_contain_text("stop processing")
    expect(page.locator("#log")).not_to_contain_text("proxying request")  # our own requests
    page.evaluate(RECORD)

    page.focus("#model-filter")
    page.keyboard.type("other")
    expect(page.locator("#model-list [data-model]")).to_have_count(1)
    for _ in range(3):  # past "Stop the model", if it is enabled
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.model") == "other":
            break
    page.keyboard.press("Enter")

    expect(page.locator("#state")).to_have_text("ready  other")
    expect(page.locator("#facts")).to_contain_text("demo → other")
    expect(page.locator("#facts")).to_contain_text(": switched")
    recorded = page.evaluate("() => window.recorded")
    steps = [text for kind, text in recorded if kind == "step"]
    assert steps, recorded  # a quick switch does not show all of them
    assert any("other is ready" in text for kind, text in recorded if kind == "announced"), recorded
    assert complaints == []


RECORD = """() => {
  window.recorded = [];
  new MutationObserver(() => {
    const step = document.querySelector('#phases [aria-current]');
    if (step) window.recorded.push(['step', step.textContent]);
  }).observe(document.getElementById('phases'), {childList: true});
  const announcement = document.getElementById('announcement');
  new MutationObserver(() => window.recorded.push(['announced', announcement.textContent]))
    .observe(announcement, {childList: true, characterData: true, subtree: true});
}"""


@pytest.mark.embedded
def test_the_log_scrolls_follows_and_filters(machine: Machine, page: Page, complaints: list[str]) -> None:
    serve(machine, "embedded")
    open_page(page, machine)
    log, follow = page.locator("#log"), page.locator("#log-follow")
    expect(log).to_contain_text("stop processing")
    page.set_viewport_size({"width": 400, "height": 900})
    expect(follow).to_be_checked()

    log.focus()
    page.keyboard.press("Control+Home")
    expect(follow).not_to_be_checked()
    page.wait_for_function("() => document.getElementById('log').scrollTop === 0")
    follow.check()
    page.wait_for_function("() => {const l = document.getElementById('log'); return l.scrollTop > 0}")
    page.fill("#log-filter", "STOP PROCESSING")
    rows = log.locator("div").all_inner_texts()

    assert rows
    assert all("stop processing" in row for row in rows)
    assert complaints == []


@pytest.mark.embedded
def test_the_page_finds_its_server_again(machine: Machine, page: Page) -> None:
    serve(machine, "embedded")
    open_page(page, machine)
    expect(page.locator("#state")).to_have_text("ready  demo")

    end_management(machine)
    expect(page.locator("#link")).to_contain_text("trying again")
    server = machine.start("serve")
    wait_for_api(machine)
    machine.invoke_ok("switch", "other")

    expect(page.locator("#link")).to_have_text("")
    expect(page.locator("#state")).to_have_text("ready  other")
    end_server(machine, server)


@pytest.mark.embedded
def test_a_script_that_did_not_arrive_is_requested_again(machine: Machine, page: Page) -> None:
    serve(machine, "embedded")
    page.route("**/charts.js", lambda route: route.abort(), times=1)

    page.goto(machine.management_url)

    expect(page.locator("#state")).to_have_text("ready  demo")


@pytest.mark.embedded
def test_a_refusal_is_shown_beside_the_list_and_stop_asks_first(machine: Machine, page: Page) -> None:
    serve(machine, "embedded")
    open_page(page, machine)
    page.fill("#model-filter", "qwen3.8-27b")
    page.click("#model-list button")
    expect(page.locator("#notice")).to_contain_text("is missing: ")
    expect(page.locator("#notice")).to_contain_text("/Qwen3.8-27B-UD-Q4_K_XL.gguf")

    page.click("#stop")
    page.click("dialog button >> text=Cancel")
    expect(page.locator("#state")).to_have_text("ready  demo")
    page.click("#stop")
    page.click("dialog button >> text=Stop")
    expect(page.locator("#state")).to_have_text("stopped")
    page.fill("#model-filter", "demo")
    page.click("#model-list button")
    expect(page.locator("#state")).to_have_text("ready  demo")


@pytest.mark.embedded
def test_the_page_is_accessible(machine: Machine, page: Page, complaints: list[str]) -> None:
    serve(machine, "embedded")
    open_page(page, machine)
    expect(page.locator("#state")).to_have_text("ready  demo")

    found = {(scheme, width): _look(page, scheme, width) for scheme in SCHEMES for width in WIDTHS}
    machine.invoke_ok("down")

    nothing: tuple[list[Any], int] = ([], 0)
    assert found == {(scheme, width): nothing for scheme in SCHEMES for width in WIDTHS}
    assert complaints == []


def _look(page: Page, scheme: Any, width: int) -> tuple[list[Any], int]:
    """The violations that axe finds, and by how many pixels the page is wider than the window."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    # Evaluated by the debugger: the page's own policy forbids scripts from elsewhere.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate("async () => (await axe.run()).violations")
    short = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations]
    return short, page.evaluate("() => document.documentElement.scrollWidth - innerWidth")


def test_the_page_is_small_and_complete_and_contacts_no_other_server(
    machine: Machine, page: Page, complaints: list[str]
) -> None:
    server = machine.start("serve")
    wait_for_api(machine)
    asked: list[str] = []

    def note(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_()

    page.route("**/*", note)
    open_page(page, machine)
    expect(page.locator("#state")).to_have_text("stopped")
    expect(page.locator("#model-list li").first).to_be_visible()

    files = {name.name for name in FOLDER.iterdir()}
    assert {url.removeprefix(machine.management_url + "/") for url in asked} == {
        "",
        "events",
        "models",
        *files - {"index.html"},
    } - ({"icon.svg"} if not any(url.endswith("icon.svg") for url in asked) else set())
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 60_000
    assert complaints == []
    end_server(machine, server)


def test_every_file_of_the_page_has_a_policy_that_forbids_inline_code(machine: Machine) -> None:
    server = machine.start("serve")
    wait_for_api(machine)
    policies = set()
    for file in FOLDER.iterdir():
        path = "" if file.name == "index.html" else file.name
        with urllib.request.urlopen(f"{machine.management_url}/{path}") as answer:
            policies.add(answer.headers["Content-Security-Policy"])
            assert answer.read() == file.read_bytes()
    end_server(machine, server)

    (policy,) = policies
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.embedded
def test_nothing_on_the_page_grows_over_15_minutes_of_updates(machine: Machine, page: Page) -> None:
    serve(machine, "embedded")
    open_page(page, machine)
    expect(page.locator("#state")).to_have_text("ready  demo")
    grow = Path(__file__).with_name("page_growth.js").read_text(encoding="utf-8")

    first, second = (page.evaluate(grow, [start, 1100]) for start in (0, 1100))

    assert first["points"] == second["points"] == 900
    assert first["elements"] == second["elements"]

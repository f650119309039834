"""scripts/quickstart offers a small real model after the demo, if there are a hub and a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from claude_local.models.demo_model import write_demo_model
from support.hub import Hub, running_hub
from support.machine import Machine
from support.terminal import Terminal

QUICKSTART = [sys.executable, "-m", "invoke", "quickstart"]
REPO, FILE = "owner/Small-GGUF", "Small-Q8_0.gguf"


@pytest.fixture
def hub(machine: Machine) -> Iterator[Hub]:
    """A hub with the small model of profile `small` in this checkout."""
    model = machine.home / "small.gguf"
    write_demo_model(model, seed=9)
    (machine.checkout / "profiles" / "small.yaml").write_text(
        f"title: Small\ndescription: D\nmodel: {{repo: {REPO}, file: {FILE}, size_bytes: "
        f"{model.stat().st_size}}}\nserver: {{ctx_size: 65536, top_k: 0, min_p: 0.0}}\n"
    )
    with running_hub() as hub:
        hub.add(REPO, FILE, model.read_bytes())
        machine.extra["HF_ENDPOINT"] = hub.url
        yield hub
    machine.extra.pop("HF_ENDPOINT", None)


@pytest.mark.embedded
@pytest.mark.tools
def test_after_a_yes_the_small_model_is_pulled_and_serves(machine: Machine, hub: Hub) -> None:
    with Terminal(columns=120, rows=50) as terminal:
        terminal.run(QUICKSTART, env=machine.environment, cwd=machine.checkout)
        terminal.wait_for("and start it? [y/N]")
        terminal.keys("y", "Enter")
        screen = terminal.wait_for("exit code: 0")

    status = machine.status()
    assert (status["profile"], status["state"]) == ("small", "ready")
    assert f"llama-server with the small model on {machine.url}" in screen
    model = hub.repositories[REPO][FILE]
    assert (machine.checkout / "models" / FILE).read_bytes() == model


@pytest.mark.embedded
@pytest.mark.tools
def test_after_a_no_or_without_a_hub_the_demo_model_stays(machine: Machine, hub: Hub) -> None:
    with Terminal(columns=120, rows=50) as terminal:
        terminal.run(QUICKSTART, env=machine.environment, cwd=machine.checkout)
        terminal.wait_for("and start it? [y/N]")
        terminal.keys("Enter")
        terminal.wait_for("exit code: 0")
    after_no = machine.status()["profile"]
    machine.extra["HF_ENDPOINT"] = "http://127.0.0.1:9"
    with Terminal(columns=120, rows=50) as terminal:
        terminal.run(QUICKSTART, env=machine.environment, cwd=machine.checkout)
        screen = terminal.wait_for("exit code: 0")

    assert (after_no, machine.status()["profile"]) == ("demo", "demo")
    assert "no model hub answers at http://127.0.0.1:9: the demo model keeps running" in screen
    assert hub.asked("storage") == []


@pytest.mark.embedded
@pytest.mark.tools
def test_a_failed_download_is_reported_and_the_demo_model_stays(machine: Machine, hub: Hub) -> None:
    hub.damages = True

    with Terminal(columns=120, rows=50) as terminal:
        terminal.run(QUICKSTART, env=machine.environment, cwd=machine.checkout)
        terminal.wait_for("and start it? [y/N]")
        terminal.keys("y", "Enter")
        screen = terminal.wait_for("exit code: 0")

    assert "the demo model keeps running; to continue later: .venv/bin/invoke pull small" in " ".join(
        screen.split()
    )
    assert machine.status()["profile"] == "demo"


@pytest.mark.embedded
def test_without_a_terminal_neither_the_hub_nor_the_user_is_asked(machine: Machine, hub: Hub) -> None:
    done = machine.invoke("quickstart")

    assert done.returncode == 0, done.stderr
    assert hub.seen == []
    assert machine.status()["profile"] == "demo"

"""What all tests share: a private checkout to run commands in, and the count of real parts."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.images import Images, make_bases
from support.machine import ROOT, Machine, repository_files
from support.ports import unused_port

PARTS = {
    "real_cli": "the real Claude Code CLI",
    "docker": "Docker Engine",
    "embedded": "the embedded engine",
    "browser": "the real Chromium",
}


# A shell starts background jobs with SIGINT ignored, nohup with SIGHUP, and the programs of a test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout as a clone would have it, in a folder with a space and an umlaut."""
    target = tmp_path / "my chäckout"
    for file in repository_files():
        copy = target / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    return target


@pytest.fixture
def machine(checkout: Path, tmp_path: Path) -> Iterator[Machine]:
    """A user's machine: own home, state, port and Compose project. What still runs afterwards is stopped."""
    home = tmp_path / "my höme"
    home.mkdir()
    port, management_port = unused_port(), unused_port()
    project = f"claude-local-test-{uuid.uuid4().hex[:8]}"
    own = Machine(checkout, home, port, project, management_port=management_port)
    yield own
    left = own.our_processes() or own.left_in_docker()
    if left and own.invoke("down").returncode:  # a failed test may hold the lock
        own.end_all()


LONG_FILES = (
    *(
        "test_attacks.py",
        "test_api.py",
        "test_failures.py",
        "test_context.py",
        "test_verify.py",
        "test_faults.py",
    ),
    *(
        "test_dashboard.py",
        "test_long_sessions.py",
        "test_in_docker.py",
        "test_listeners.py",
        "test_patience.py",
    ),
    *(
        "test_docker_engine.py",
        "test_build_image.py",
        "test_verify_sandbox.py",
        "test_in_bash.py",
        "test_container.py",
    ),
    *("test_model_option.py", "test_wrapper.py", "test_chat_template.py", "test_page.py", "test_plan.py"),
    *(
        "test_plan_agrees.py",
        "test_pull.py",
        "test_git.py",
        "test_upgrade.py",
        "test_first_screen.py",
        "test_audit.py",
    ),
)
"""Files that take minutes each: they begin first, so that no worker is alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts long files first and leaves everything else in its order."""
    order = {name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """In CI a test that skips itself has failed: a part that it needs is missing."""
    item.user_properties = [("real part", name) for name in PARTS if item.get_closest_marker(name)]
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped itself, which CI does not allow: {report.longrepr}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says how many tests ran each real part."""
    passed = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    for marker, part in PARTS.items():
        count = sum(("real part", marker) in report.user_properties for report in passed)
        terminalreporter.write_line(f"{count} passed test(s) ran {part}")


@pytest.fixture(scope="session")
def test_image() -> str:
    """The Debian image with a real llama-server that scripts/test made."""
    return os.environ["CLAUDE_LOCAL_IMAGE"]


@pytest.fixture(scope="session")
def bases(test_image: str) -> list[str]:
    """The images that the tests' own images are built with: runtime, build, official."""
    return list(make_bases(test_image))


@pytest.fixture
def images(machine: Machine) -> Iterator[Images]:
    """Names of images that only this test uses; the machine's image is one of them."""
    own = Images()
    machine.extra["CLAUDE_LOCAL_IMAGE"] = own.image
    yield own
    machine.invoke("down")
    own.remove()

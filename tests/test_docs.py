"""What documents, messages and templates say that can be typed is what can be typed."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator

import pytest
from invoke.parser import ParserContext

from claude_local.build.image.image_pins import SOURCE, VARIANTS
from claude_local.dashboard.dialogs import HELP
from claude_local.management.routes import ROUTES
from support import refresh_architecture
from support.machine import ROOT, repository_files

SAID = re.compile(r"(?<!from )\binvoke (?=([a-z].*))")
END = re.compile(r"[`;|,:)\"'<\\#]|\. |\.$|  |$")
"""What ends a command in a text."""
VALUE = re.compile(r"\{|\$\w|[A-Z]{2,}$|[\w-]+/")
"""A word that stands for an argument, unlike the prose behind a command."""
WHERE = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs",
    "scripts",
    "templates",
    "profiles",
    "tasks.py",
)


def contexts() -> dict[str, ParserContext]:
    """What invoke itself knows of each task."""
    spec = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["tasks"] = module
    spec.loader.exec_module(module)
    return {str(context.name): context for context in module.namespace.to_contexts()}


def texts() -> Iterator[tuple[str, str]]:
    for file in repository_files():
        name = str(file.relative_to(ROOT))
        if name.startswith(WHERE) and file.suffix not in (".png", ".svg"):
            yield name, file.read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Where each command stands, and its words."""
    for name, text in texts():
        for number, line in enumerate(text.splitlines(), start=1):
            for said in SAID.findall(line):
                yield f"{name}:{number}", END.split(said, maxsplit=1)[0].split()


TASKS = contexts()


def wrong_with(words: list[str]) -> str:
    """Why invoke would not take this, or ""."""
    task, *rest = words
    if task not in TASKS:
        return f"no task {task}"
    context = TASKS[task]
    options = [word.strip("[]") for word in rest if word.strip("[]").startswith("-")]
    unknown = [option for option in options if option.partition("=")[0] not in context.flags]
    if unknown:
        return f"{task} has no {', '.join(unknown)}"
    if rest and VALUE.match(rest[0]) and not context.positional_args:
        return f"{task} takes {rest[0]} only behind an option"
    return ""


def test_every_command_that_is_named_anywhere_is_one_that_invoke_takes() -> None:
    said = list(commands())

    wrong = [f"{where}: {reason}" for where, words in said if (reason := wrong_with(words))]

    assert wrong == []
    assert {"up", "pull", "plan", "switch", "build-image", "doctor"} <= {words[0] for _, words in said}


@pytest.mark.parametrize(
    ("page", "task", "others"),
    [
        ("image.md", "build-image", {"--to", "--help"}),  # of upgrade-image, of llama-server
        ("container.md", "build-client-image", {"--sandbox"}),  # of claude-local
    ],
)
def test_a_page_names_every_option_of_its_task_and_no_other(page: str, task: str, others: set[str]) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text_of(page)))

    assert named - others == {flag for flag in TASKS[task].flags if flag.startswith("--")}


def test_the_page_on_the_api_names_every_route_and_no_other() -> None:
    named = re.findall(r"^\| `(GET|POST) (/[\w./]*)", text_of("api.md"), re.MULTILINE)

    assert sorted(named) == sorted((route.method, route.path) for route in ROUTES)


def test_the_page_on_the_api_names_every_code_of_an_error_and_no_other() -> None:
    folder = ROOT / "scripts" / "claude_local" / "management"
    source = "".join((folder / f"{name}.py").read_text() for name in ("answers", "guard", "http_server"))
    codes = re.findall(r"""\b[45]\d\d"?[,:]\s*"([a-z_]+)\"""", source)

    rows = re.findall(r"^\| [45][\d, ]+ \| ([^|]*) \|", text_of("api.md"), re.MULTILINE)

    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == set(codes)


def test_the_page_on_the_dashboard_names_every_key_of_its_help() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", text_of("dashboard.md"), re.MULTILINE)
    named = {key for row in rows for key in re.findall(r"`([^`]+)`|(Esc)", row) for key in key if key}

    letters = {key for keys, _ in HELP for key in keys.split() if re.fullmatch(r"[a-zN?/]|Esc", key)}
    assert named == letters


def test_the_page_on_the_image_names_the_pinned_builds_and_no_other() -> None:
    official = re.findall(r"-(b\d+)@", str(VARIANTS["cuda"].prebuilt))

    named = set(re.findall(r"\bb\d{5}\b", text_of("image.md")))

    assert named == {SOURCE.build, *official}


def test_the_page_on_the_architecture_says_of_each_package_what_its_own_first_line_says() -> None:
    table = refresh_architecture.TABLE.search(text_of("architecture.md"))

    assert table and table[0] == refresh_architecture.table(), "python tests/support/refresh_architecture.py"


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")

"""What the modules may know of each other and of the machine, read from their source."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from support.layers import LAYERS
from support.machine import ROOT, repository_files

PACKAGE = ROOT / "scripts" / "claude_local"
MODULES = {
    ".".join(("claude_local", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): file
    for file in sorted(PACKAGE.rglob("*.py"))
}

PURE_PACKAGES = ["foundation"]
PURE_MODULES = [
    *("machine.settings", "machine.setting_descriptor", "machine.setting_readers", "machine.state_folder"),
    "machine.hints",
    *(
        "profiles.profile",
        "profiles.load",
        "profiles.parts",
        "profiles.model_source",
        "profiles.mistakes",
        "profiles.extra_args",
    ),
    *("client.claude_code", "client.git_rules", "client.jail_rules", "client.seccomp"),
    *("server.flags", "server.fit_target", "server.flag_help", "server.prompt_reuse", "server.log_tail"),
    "server.failure_reasons",
    *("build.render", "build.image.image_pins", "build.image.image_spec"),
    *("build.image.build_progress", "build.image.build_failures"),
    *("models.fit.kv_cache", "models.fit.estimate", "models.fit.verdicts", "models.fit.by_file"),
    *("models.fit.by_size", "models.fit.companions", "models.fit.layout", "models.fit.loads"),
    *("models.fit.placement", "models.fit.placing", "models.fit.tool_flags", "foundation.file_choice"),
    *("lifecycle.transaction", "lifecycle.request"),
    *(
        "management.guard",
        "management.routes",
        "management.openapi",
        "management.metrics_text",
        "management.automation_limits",
    ),
    *("checks.verify.cases", "checks.verify.groups"),
    *("dashboard.keys", "dashboard.view_state", "dashboard.panel_layout", "dashboard.ansi"),
]
"""Pure ones in packages that are not pure as a whole."""

IMPURE_LIBRARIES = {
    *("subprocess", "os", "socket", "http", "urllib"),
    *("docker", "pynvml", "bottle", "psutil", "huggingface_hub", "httpx2"),
}

HOMES = {
    "docker": {"server"},
    "bottle": {"management"},
    "cheroot": {"management"},
    "jinja2": {"build", "server"},  # our templates; the chat template that a model brings
    "yaml": {"foundation"},
    "questionary": {"cli"},
    "xllamacpp": {"server"},
    "tokenizers": {"models"},
    "pynvml": {"machine"},
    "pty": {"checks"},
    "huggingface_hub": {"models"},
    "httpx2": {"models"},
}
"""The packages that import a library."""

ENTRIES_AT_MOST = 12
FILES_AT_MOST = 20

READS_THE_ENVIRONMENT = {
    "claude_local.machine.processes": "passes it on to the programs that it starts",
    "claude_local.server.engines.embedded": "passes it on to the server that it starts",
    "claude_local.management.server_process": "passes it on to the server that it starts",
    "claude_local.models.hub": "has the proxies, certificates and token for the HTTP client",
}

LINES_AT_MOST = 260

# Put together here, so that this file does not contain them.
NEVER_ANYWHERE = ["Co-Authored-" + "By", "shell=" + "True", "/wo" + "rk/", "/tmp/" + "lab"]


@functools.cache
def imports_of(file: Path) -> frozenset[str]:
    """Full names of what a file imports, inside functions too; `from a import b` gives a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def own_imports_of(module: str) -> set[str]:
    return {name for name in imports_of(MODULES[module]) if name in MODULES}


@functools.cache
def reached_from(module: str) -> frozenset[str]:
    """The module and every module of ours that it imports, directly or not."""
    reached: set[str] = set()
    open_ends = {module}
    while open_ends:
        reached |= open_ends
        open_ends = {name for end in open_ends for name in own_imports_of(end)} - reached
    return frozenset(reached)


def libraries_of(module: str) -> set[str]:
    names = {name.split(".")[0] for name in imports_of(MODULES[module]) if not is_pure_part(name)}
    return names - {"claude_local"}


def is_pure_part(name: str) -> bool:
    return name.startswith("urllib.parse")  # takes texts apart and touches nothing


def reads_environment(file: Path) -> bool:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb"):
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            assert {alias.name for alias in node.names}.isdisjoint({"environ", "getenv"})
    return False


def package_of(module: str) -> str:
    """`server` of `claude_local.server.engines.docker`; "" for the modules at the top."""
    return ".".join(module.split(".")[1:2]) if module.count(".") > 1 or is_package(module) else ""


def is_package(module: str) -> bool:
    return MODULES[module].name == "__init__.py" and module != "claude_local"


def row_of(package: str) -> int:
    return next(number for number, row in enumerate(LAYERS) if package in row)


def pure_modules() -> list[str]:
    named = {f"claude_local.{name}" for name in PURE_MODULES}
    return sorted(named | {name for name in MODULES if package_of(name) in PURE_PACKAGES})


def test_a_package_imports_only_lower_layers() -> None:
    wrong = [
        f"{module} imports {other}"
        for module in MODULES
        for other in own_imports_of(module)
        if package_of(module)
        and package_of(other) != package_of(module)
        and package_of(other)
        and row_of(package_of(other)) >= row_of(package_of(module))
    ]

    assert wrong == []


def test_contributing_shows_the_layers_from_high_to_low() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)

    assert [re.findall(r"`(\w+)`", row) for row in rows] == LAYERS[::-1]


def test_every_package_has_its_layer() -> None:
    folders = {file.name for file in PACKAGE.iterdir() if file.is_dir() and file.name != "__pycache__"}

    assert folders == {package for row in LAYERS for package in row}


def test_a_stranger_finds_a_dozen_entries_and_short_folders() -> None:
    entries = [file for file in PACKAGE.iterdir() if not file.name.startswith("__")]
    long = {
        str(folder): count
        for folder in PACKAGE.rglob("*")
        if folder.is_dir()
        and folder.name != "__pycache__"
        and (count := len([f for f in folder.iterdir() if f.is_file()])) > FILES_AT_MOST
    }

    assert len(entries) <= ENTRIES_AT_MOST
    assert long == {}


@pytest.mark.parametrize("name", [name for name in MODULES if is_package(name)])
def test_a_package_says_in_one_line_what_it_is_for(name: str) -> None:
    words = ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8"))) or ""

    assert words.partition("\n")[0].endswith(".")


@pytest.mark.parametrize("name", pure_modules())
def test_a_pure_module_reaches_nothing_that_touches_the_machine(name: str) -> None:
    reached = reached_from(name)

    impure = {module: found for module in reached if (found := libraries_of(module) & IMPURE_LIBRARIES)}
    assert impure == {}


@pytest.mark.parametrize(("library", "homes"), HOMES.items())
def test_a_library_lives_in_its_package(library: str, homes: set[str]) -> None:
    users = {package_of(name) for name in MODULES if library in libraries_of(name)}

    assert users == homes


def test_only_the_tasks_read_the_environment_with_these_exceptions() -> None:
    readers = {name for name, file in MODULES.items() if reads_environment(file)}
    doors = {name for name in readers if package_of(name) == "cli"} | {"claude_local.__main__"}

    assert readers - doors == READS_THE_ENVIRONMENT.keys()
    assert "claude_local.cli.task" in doors


def test_only_one_module_starts_other_programs() -> None:
    starters = [name for name in MODULES if "subprocess" in libraries_of(name)]

    assert starters == ["claude_local.machine.processes"]


def test_no_module_imports_itself_in_a_circle() -> None:
    circles = [name for name in MODULES if any(name in reached_from(other) for other in own_imports_of(name))]

    assert circles == []


@pytest.mark.parametrize("name", MODULES)
def test_a_file_is_short_enough_to_read_in_one_go(name: str) -> None:
    lines = MODULES[name].read_text(encoding="utf-8").count("\n")

    assert lines < LINES_AT_MOST


@pytest.mark.parametrize("name", MODULES)
def test_a_file_begins_with_what_it_is_for(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))

    assert ast.get_docstring(tree)


def test_no_file_holds_what_never_belongs_there() -> None:
    found = [
        (str(file.relative_to(ROOT)), needle)
        for file in repository_files()
        for needle in NEVER_ANYWHERE
        if needle.encode() in file.read_bytes()
    ]

    assert found == []

"""What the modules may know of each other and of the machine, read from their source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from machine import ROOT, repository_files

PACKAGE = ROOT / "scripts" / "claude_local"
MODULES = {
    ".".join(("claude_local", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): file
    for file in sorted(PACKAGE.rglob("*.py"))
}

PURE = [
    "errors",
    "settings",
    "setting_values",
    "profiles",
    "profile_parts",
    "model_source",
    "profile_mistakes",
    "yaml_source",
    "extra_args",
    "llama_server",
    "client",
    "render",
    "snapshot",
    "switch",
    "strict_json",
    "api_guard",
    "api_routes",
    "metrics_text",
    "log_tail",
    "restarts",
    "failure_reasons",
    "image_pins",
    "jail",
    "seccomp",
    "verify_cases",
    "verify_groups",
    "samples",
    "gguf_bytes",
    "gguf_header",
    "gguf_types",
    "kv_cache",
    "memory_estimate",
    "verdicts",
    "file_plan",
    "rough_plan",
    "turns",
    "plain_text",
    "dashboard.keys",
    "image_spec",
    "build_progress",
    "build_failures",
    "server_help",
    "dashboard.view",
    "dashboard.frame",
    "dashboard.ansi",
]
IMPURE_LIBRARIES = {
    *("subprocess", "os", "socket", "http", "urllib"),
    *("docker", "pynvml", "bottle", "psutil", "huggingface_hub"),
}

ONE_PLACE = [
    "docker",
    "bottle",
    "cheroot",
    "jinja2",
    "yaml",
    "questionary",
    "xllamacpp",
    "tokenizers",
    "pynvml",
    "pty",
    "huggingface_hub",
]

READS_THE_ENVIRONMENT = {
    "claude_local.processes": "passes it on to the programs that it starts",
    "claude_local.engines.embedded": "passes it on to the server that it starts",
    "claude_local.management": "passes it on to the server that it starts",
    "claude_local.console": "reads TERM, to know whether the terminal has cursor keys",
}

LINES_AT_MOST = 260

# Put together here, so that this file does not contain them.
NEVER_ANYWHERE = ["Co-Authored-" + "By", "shell=" + "True", "/wo" + "rk/", "/tmp/" + "lab"]


def imports_of(file: Path) -> set[str]:
    """Full names of what a file imports, inside functions too; `from a import b` gives a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def own_imports_of(module: str) -> set[str]:
    return {name for name in imports_of(MODULES[module]) if name in MODULES}


def reached_from(module: str) -> set[str]:
    """The module and every module of ours that it imports, directly or not."""
    reached: set[str] = set()
    open_ends = {module}
    while open_ends:
        reached |= open_ends
        open_ends = {name for end in open_ends for name in own_imports_of(end)} - reached
    return reached


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


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_reaches_nothing_that_touches_the_machine(name: str) -> None:
    reached = reached_from(f"claude_local.{name}")

    impure = {module: found for module in reached if (found := libraries_of(module) & IMPURE_LIBRARIES)}
    assert impure == {}


@pytest.mark.parametrize("library", ONE_PLACE)
def test_a_library_is_imported_in_exactly_one_module(library: str) -> None:
    users = [name for name in MODULES if library in libraries_of(name)]

    assert len(users) == 1, users


def test_only_the_tasks_read_the_environment_with_these_exceptions() -> None:
    readers = {name for name, file in MODULES.items() if reads_environment(file)}

    assert readers - {"claude_local.__main__"} == READS_THE_ENVIRONMENT.keys()
    assert reads_environment(ROOT / "tasks.py")


def test_only_one_module_starts_other_programs() -> None:
    starters = [name for name in MODULES if "subprocess" in libraries_of(name)]

    assert starters == ["claude_local.processes"]


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

"""engines/registry: which engine is chosen, and that no other module compares names of engines."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_local.foundation.errors import EngineUnavailable
from claude_local.machine.settings import ENGINES, Settings, load_settings
from claude_local.server.engines import embedded_needs, registry
from claude_local.server.engines.external import ExternalEngine
from support.machine import ROOT

PACKAGE = ROOT / "scripts" / "claude_local"
KNOW_THE_NAMES = {
    PACKAGE / "server" / "engines": "these are the engines",
    PACKAGE / "machine" / "settings.py": "lists the allowed words of the setting",
}
SOURCES = [ROOT / "tasks.py", *sorted(PACKAGE.rglob("*.py"))]
NAMES = {*(engine.name for engine in registry.OURS), ExternalEngine.name}


def settings_with(tmp_path: Path, **choices: str) -> Settings:
    environment = {"HOME": str(tmp_path)} | {f"CLAUDE_LOCAL_{name}": value for name, value in choices.items()}
    return load_settings(environment, tmp_path, user_id=0, group_id=0)


def test_every_engine_can_be_requested_by_name() -> None:
    assert {*ENGINES} == {"auto", *NAMES}


def test_only_our_own_engines_are_found_by_name(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)

    found = [registry.named(settings, name) for name in ("docker", "embedded", "external", "auto", None)]

    assert [engine and engine.name for engine in found] == ["docker", "embedded", None, None, None]
    assert all(engine.is_ours for engine in registry.ours(settings))


def test_an_external_server_takes_precedence_over_our_engines(tmp_path: Path) -> None:
    engine, why = registry.choose(settings_with(tmp_path, EXTERNAL_URL="http://gpu"))

    assert (engine.name, engine.is_ours, why) == ("external", False, "CLAUDE_LOCAL_EXTERNAL_URL is set")


def test_without_docker_the_automatic_choice_is_the_next_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    engine, why = registry.choose(settings_with(tmp_path))

    assert (engine.name, why) == ("embedded", "Docker Engine does not answer")


def test_if_no_engine_can_run_each_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(EngineUnavailable) as raised:
        registry.choose(settings_with(tmp_path))

    reasons = ("Docker Engine does not answer", "the embedded engine needs the package xllamacpp")
    assert raised.value.message == f"no engine can run: {'; '.join(reasons)}"
    assert len(raised.value.hint.splitlines()) == 2


def test_a_missing_openmp_library_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_needs, "OPENMP", "libnowhere.so.1")

    with pytest.raises(EngineUnavailable) as raised:
        registry.choose(settings_with(tmp_path, ENGINE="embedded"))

    assert "libnowhere.so.1" in raised.value.message
    assert "sudo apt install libgomp1" in raised.value.hint


def test_an_engine_requested_by_name_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    with pytest.raises(EngineUnavailable, match="Docker Engine does not answer"):
        registry.choose(settings_with(tmp_path, ENGINE="docker"))


def test_an_engine_requested_by_name_is_chosen(tmp_path: Path) -> None:
    engine, why = registry.choose(settings_with(tmp_path, ENGINE="embedded"))

    assert (engine.name, why) == ("embedded", "it was requested")


def names_in(node: ast.AST) -> Iterator[str]:
    """The names of engines in a part of a comparison, except arguments of calls."""
    if isinstance(node, ast.Constant) and node.value in NAMES:
        yield str(node.value)
    if not isinstance(node, ast.Call):
        for part in ast.iter_child_nodes(node):
            yield from names_in(part)


def compared_in(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and name of each comparison with the name of an engine, also in a `match`."""
    return [
        (node.lineno, name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare | ast.MatchValue)
        for name in names_in(node)
    ]


@pytest.mark.parametrize(
    "source",
    [
        'engine.name == "docker"',
        '"external" != engine.name',
        'engine.name in ("docker", "embedded")',
        'match name:\n    case "embedded":\n        pass',
    ],
)
def test_a_comparison_with_a_name_is_found(source: str) -> None:
    assert compared_in(ast.parse(source))


def test_no_other_module_compares_the_name_of_an_engine() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line} {name}"
        for file in SOURCES
        if not any(place == file or place in file.parents for place in KNOW_THE_NAMES)
        for line, name in compared_in(ast.parse(file.read_text(encoding="utf-8")))
    ]

    assert found == []

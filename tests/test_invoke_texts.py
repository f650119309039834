"""Every `invoke …` that a text tells somebody to type is one that invoke takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoke import Collection, FilesystemLoader
from invoke.exceptions import ParseError
from invoke.parser import Parser

from machine import ROOT, Machine

COMMAND = re.compile(r"(?:^|[`:;,] ?)invoke ([a-z-]+(?: [^`;,.()\n|]*)?)", re.MULTILINE)
LEADS_TO_ANOTHER = re.compile(r" (?:then|and|or) .*")
SOURCES = [ROOT / "tasks.py", *sorted((ROOT / "scripts").rglob("*.py"))]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACEHOLDER = "x"


def collection() -> Collection:
    module, _ = FilesystemLoader(start=str(ROOT)).load("tasks")
    return Collection.from_module(module)


def texts_of(file: Path) -> Iterator[str]:
    """The texts in a Python file, with a word for what is put in; not what explains the code."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else PLACEHOLDER for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def commands_in(text: str) -> Iterator[list[str]]:
    for found in COMMAND.findall(text):
        yield re.sub(r"[\[\]'\"]", " ", LEADS_TO_ANOTHER.sub("", found)).split()


def every_command() -> Iterator[tuple[str, list[str]]]:
    for file in SOURCES:
        for text in texts_of(file):
            yield from ((file.name, argv) for argv in commands_in(text))
    for file in DOCUMENTS:
        spans = re.findall(r"`(invoke [^`]*)`", file.read_text(encoding="utf-8"))
        yield from ((file.name, argv) for span in spans for argv in commands_in(span))


def test_every_command_in_a_text_is_one_that_invoke_takes() -> None:
    parser = Parser(contexts=collection().to_contexts())
    wrong, seen = [], set()
    for where, argv in every_command():
        seen.add(argv[0])
        if len(argv) == 1 and argv[0] in parser.contexts:
            continue  # its name alone
        try:
            parser.parse_argv(argv)
        except ParseError as error:
            wrong.append(f"{where}: invoke {' '.join(argv)}: {error}")

    assert "\n".join(wrong) == ""
    assert {"up", "down", "plan", "pull", "add-profile", "models", "switch", "doctor"} <= seen


@pytest.mark.parametrize("asks", ["--help", "-h"])
@pytest.mark.parametrize("task", ["pull", "switch", "add-profile", "up"])
def test_every_task_has_a_help(machine: Machine, task: str, asks: str) -> None:
    shown = machine.invoke_ok(task, asks)

    assert "Docstring:" in shown and "Options:" in shown
    assert f" {task} " in shown.splitlines()[0]

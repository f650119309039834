"""Reads the small, strict subset of YAML that profiles use, and keeps the line of every value.

Refused: anchors, aliases, tags, duplicate keys, control characters, several documents, files over
64 kB and nesting over 20. The loader is PyYAML's pure-Python one: the C loader crashes the process on
deep nesting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
MAX_INTEGER = 2**63

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Mistake:
    """One mistake at one place of a file. Lines count from 1."""

    file: Path
    line: int
    where: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class YamlSource:
    """The data of a file, and the line of each key or list entry."""

    file: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int]
    mistakes: list[Mistake] = field(default_factory=list)


def read_yaml(file: Path) -> YamlSource:
    """Reads one mapping from `file`. Its mistakes are returned in `mistakes`, not raised.

    Raises OSError if the file cannot be read.
    """
    source = YamlSource(file, {}, {}, [])
    raw = file.read_bytes()
    if len(raw) > MAX_BYTES:
        size = -(-len(raw) // 1024)  # rounded up: one byte over the limit must show as over it
        _note(source, 1, (), f"should be at most {MAX_BYTES // 1024} kB, is {size} kB")
        return source
    try:
        text = raw.decode("utf-8")
        if _check_structure(text, source):
            _build_root(yaml.compose(text, Loader=yaml.SafeLoader), source)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        _note(source, line, (), "should be UTF-8 text")
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        _note(source, line, (), f"has a control character (U+{int(error.character):04X})")
    except yaml.MarkedYAMLError as error:
        _note(source, _line(error.problem_mark), (), f"is not YAML: {printable(str(error.problem))}")
    except ValueError as error:  # raised by PyYAML itself, for instance for an escape beyond Unicode
        _note(source, 1, (), f"is not YAML: {printable(str(error))}")
    return source


def place(path: KeyPath) -> str:
    """A path of keys for display: `server/ctx_size`."""
    return printable("/".join(str(part) for part in path))


def printable(text: str) -> str:
    """The text with every control character, line break and lone surrogate as an escape."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )


def _check_structure(text: str, source: YamlSource) -> bool:
    """Checks the event stream, without recursion, before anything is built from it."""
    depth = 0
    documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = _line(event.start_mark)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > MAX_DEPTH:
            _note(source, line, (), f"is nested deeper than {MAX_DEPTH} levels")
        elif documents > 1:
            _note(source, line, (), "should hold one document")
        elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            _note(source, line, (), "has an anchor or alias (`&`, `*`)", "write the value out")
        elif tag := getattr(event, "tag", None):
            _note(source, line, (), f"has a tag (`{tag}`)", "quote a text that starts with `!`")
        if source.mistakes:
            return False
    return True


def _build_root(node: yaml.Node | None, source: YamlSource) -> None:
    if isinstance(node, yaml.MappingNode):
        source.data.update(_build_mapping(node, (), source))
    elif node is not None:
        _note(source, _line(node.start_mark), (), "should be a mapping of keys to values")


def _build(node: yaml.Node, path: KeyPath, source: YamlSource) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, source)
    if isinstance(node, yaml.SequenceNode):
        return [_build_item(child, (*path, i), source) for i, child in enumerate(node.value)]
    return _build_scalar(node, path, source)


def _build_scalar(node: yaml.Node, path: KeyPath, source: YamlSource) -> Any:
    """The value of one scalar; a value that Python cannot hold or print becomes a mistake."""
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except (ValueError, OverflowError) as error:
        _note(source, _line(node.start_mark), path, f"has no readable value: {error}")
        return None
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        _note(source, _line(node.start_mark), path, "is a number beyond 64 bits")
        return None
    return value


def _build_mapping(node: yaml.MappingNode, path: KeyPath, source: YamlSource) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
        line = _line(key_node.start_mark)
        if key in built:
            first = source.lines[(*path, key)]
            _note(source, line, (*path, key), f"appears twice, first on line {first}")
            continue
        source.lines[(*path, key)] = line
        built[key] = _build(value_node, (*path, key), source)
    return built


def _build_item(node: yaml.Node, path: KeyPath, source: YamlSource) -> Any:
    source.lines[path] = _line(node.start_mark)
    return _build(node, path, source)


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark else 1


def _note(source: YamlSource, line: int, path: KeyPath, message: str, hint: str = "") -> None:
    where = place(path)
    source.mistakes.append(Mistake(source.file, line, where, message, hint))

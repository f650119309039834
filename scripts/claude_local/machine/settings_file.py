"""Persistent settings: `settings.yaml` in the checkout, one line per setting. The environment takes precedence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_local.foundation.errors import UserError, WrongSetting
from claude_local.foundation.strict_yaml import YamlSource, place, read_yaml
from claude_local.machine.settings import TABLE, Settings, load_settings

FILE = "settings.yaml"
BARE_WORD = "YAML reads a bare on/off/yes/no as a boolean: quote it"
QUOTE = "quote text values: YAML reads a bare ~ as null and a bare on/off/yes/no as a boolean"


@dataclass(frozen=True)
class Entry:
    """One setting in the file."""

    text: str
    """The value in its environment form."""
    place: str
    """File, line and name."""


def load(
    root: Path,
    environment: Mapping[str, str],
    *,
    defaults: Mapping[str, str],
    engine: str | None,
    user_id: int,
    group_id: int,
) -> Settings:
    """The settings from the option `--engine`, else the environment, else the file, else `defaults`.

    Raises UserError that names the place of an invalid value.
    """
    entries = read(root)
    option = {TABLE["engine"].variable: engine} if engine else {}
    texts = {variable: entry.text for variable, entry in entries.items()}
    places = {variable: entry.place for variable, entry in entries.items()}
    places |= {variable: variable for variable in environment} | dict.fromkeys(option, "--engine")
    try:
        given = {**defaults, **texts, **environment, **option}
        return load_settings(given, root, user_id=user_id, group_id=group_id)
    except WrongSetting as error:
        raise error.at(places.get(error.variable, error.variable)) from None


def read(root: Path) -> dict[str, Entry]:
    """The file's settings under the names of their environment variables; {} without a file.

    A key is a setting's name in lower case without `CLAUDE_LOCAL_`; lists become `a:b`. Raises UserError
    with every mistake in the file.
    """
    file = root / FILE
    if not file.exists():
        return {}
    try:
        source = read_yaml(file)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    wrong = sorted([*_yaml_mistakes(source), *_value_mistakes(source)])
    if wrong:
        raise UserError(
            "\n".join(f"{file}:{line}: {message}" for line, message, _ in wrong),
            hint="\n".join(dict.fromkeys(hint for *_, hint in wrong if hint)),
        )
    return {
        TABLE[name].variable: Entry(TABLE[name].text(value), f"{file}:{source.lines[(name,)]}: {name}")
        for name, value in source.data.items()
        if value is not None
    }


def _yaml_mistakes(source: YamlSource) -> Iterator[tuple[int, str, str]]:
    """Line, message and hint of each YAML mistake."""
    for mistake in source.mistakes:
        where = f"{mistake.where}: " if mistake.where else ""
        yield mistake.line, f"{where}{mistake.message}", mistake.hint


def _value_mistakes(source: YamlSource) -> Iterator[tuple[int, str, str]]:
    """Line, message and hint of each unknown name, and of each value of the wrong type."""
    for name, value in source.data.items():
        line = source.lines[(name,)]
        if name not in TABLE:
            yield line, f"there is no setting `{place((name,))}`", f"settings are: {', '.join(sorted(TABLE))}"
        elif isinstance(value, bool) and value not in TABLE[name].words:
            yield line, f"{name} should be text, not {value}", BARE_WORD
        elif isinstance(value, list) and not TABLE[name].separator:
            yield line, f"{name} should be one value, not a list", ""
        elif any(isinstance(part, (dict, list, bool)) or part is None for part in _parts(value)):
            yield line, f"{name} should contain only text", QUOTE


def _parts(value: Any) -> list[Any]:
    """The parts of a value that is a list or mapping; an empty setting means its default."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []

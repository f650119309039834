"""The settings that stay: `settings.yaml` in the checkout, one line a setting. The environment comes before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from claude_local.errors import UserError
from claude_local.settings import PREFIX, Settings
from claude_local.yaml_source import read_yaml

FILE = "settings.yaml"
NOT_SETTINGS = ("root", "user_id", "group_id", "home")


def variables(root: Path) -> dict[str, str]:
    """The file's settings under the names of their environment variables; {} without a file.

    A key is a setting's name in small letters without `CLAUDE_LOCAL_`; lists become `a:b`. Raises UserError
    with every mistake in the file.
    """
    file = root / FILE
    if not file.exists():
        return {}
    try:
        source = read_yaml(file)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    known = [field.name for field in fields(Settings) if field.name not in NOT_SETTINGS]
    wrong = [f"{mistake.line}: {mistake.message}" for mistake in source.mistakes]
    wrong += [
        f"{source.lines[(name,)]}: there is no setting `{name}`" for name in source.data if name not in known
    ]
    if wrong:
        raise UserError(
            "\n".join(f"{file}:{line}" for line in wrong), hint=f"settings are: {', '.join(sorted(known))}"
        )
    return _as_variables(source.data)


def _as_variables(data: Mapping[str, Any]) -> dict[str, str]:
    return {PREFIX + name.upper(): _text(value) for name, value in data.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ":".join(map(str, value)) if isinstance(value, list) else str(value)

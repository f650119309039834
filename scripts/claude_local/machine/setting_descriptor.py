"""How a setting is declared: reader, default and meaning in one line of a dataclass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from claude_local.machine.setting_readers import Given

PREFIX = "CLAUDE_LOCAL_"

Value = TypeVar("Value")


@dataclass(frozen=True)
class Places:
    """The base folders of defaults."""

    root: Path
    """The checkout."""
    home: Path
    """The user's home folder."""
    state_home: Path
    """Base folder for the state of this user's programs (XDG_STATE_HOME)."""
    private: Path | None
    """`.state/` in the checkout; None if it does not exist."""


Default = str | Callable[[Places], Path]
"""The text of a default, or a function that returns a folder."""


@dataclass(frozen=True)
class Setting:
    """The declaration of one setting."""

    name: str
    """Its name in Settings and in settings.yaml."""
    read: Callable[[Given], Any]
    default: Default
    shown: str
    """The default as docs/settings.md shows it."""
    meaning: str
    separator: str
    """Separator of the parts of a list; "" if the setting is not a list."""
    words: Mapping[bool, str]
    """The text for YAML's true and false (a bare yes, no, on, off); a boolean without a text is refused."""

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()

    def value(self, environment: Mapping[str, str], places: Places) -> Any:
        """The value from the environment, else the default. Raises WrongSetting for an invalid value."""
        default = self.default if isinstance(self.default, str) else str(self.default(places))
        return self.read(Given(self.variable, environment.get(self.variable) or default, places.home))

    def text(self, value: object) -> str:
        """A value in its environment form; "" if it is not set."""
        if value is None or isinstance(value, bool):
            return self.words.get(bool(value), "")
        return self.separator.join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

    def row(self) -> str:
        """The row of the table in docs/settings.md."""
        return f"| `{self.variable}` | {f'{self.shown} ' if self.shown else ''}| {self.meaning} |"


def setting(
    read: Callable[[Given], Value],
    default: Default,
    meaning: str,
    *,
    shown: str = "",
    separator: str = "",
    words: Mapping[bool, str] | None = None,
) -> Value:
    """Declares a setting as a field of a dataclass. Needs `shown` if the default is a folder or unclear."""
    if not shown and isinstance(default, str) and default:
        shown = f"`{default}`"
    declared = {
        "read": read,
        "default": default,
        "shown": shown,
        "meaning": meaning,
        "separator": separator,
        "words": words or {},
    }
    if not isinstance(default, str):
        return cast(Value, field(metadata=declared))
    return field(default=read(Given("", default, Path("/"))), metadata=declared)


def declared_in(table: type[Any]) -> Iterator[Setting]:
    """The settings among the fields of a dataclass, in order."""
    return (Setting(name=one.name, **one.metadata) for one in fields(table) if one.metadata)

"""What a task is: its expected errors end as a line and a hint, and it starts from settings and profiles.

Imports inside the tasks keep `invoke --list` quick.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from invoke import Exit, Program, Task, task

from claude_local.foundation.errors import UserError

if TYPE_CHECKING:
    from claude_local.machine.settings import Settings
    from claude_local.profiles.profile import Profile

ROOT = Path(__file__).resolve().parents[3]
"""The checkout."""

MODEL = "name or alias of a profile, or its first letters"
FORCE = "start even if invoke plan says that the model does not fit"
JSON = "print JSON"


def verb(**options: Any) -> Callable[[Callable[..., None]], Any]:
    """A task whose expected errors end as one line and a hint; a bug keeps its traceback."""

    def decorate(body: Callable[..., None]) -> Any:
        @functools.wraps(body)
        def run(*arguments: Any, **named: Any) -> None:
            if {"--help", "-h"} & set(map(str, (*arguments[1:], *named.values()))):
                _show_help(body.__name__.replace("_", "-"))
                return
            try:
                body(*arguments, **named)
            except UserError as error:
                from claude_local.machine import hints

                raise Exit(hints.failure(error, ROOT), code=1) from None
            except KeyboardInterrupt as interrupt:
                raise Exit(str(interrupt) or "interrupted", code=130) from None

        return task(**options)(run)

    return decorate


def _show_help(name: str) -> None:
    """Shows the help of a task that needs a value: `--help` is taken for that value."""
    import tasks  # the collection that `invoke` itself has loaded

    Program(namespace=tasks.namespace, name="invoke", binary="invoke").run(
        ["invoke", "--help", name], exit=False
    )


def read_settings(engine: str | None = None) -> Settings:
    from claude_local.machine import settings_file

    return settings_file.load(
        ROOT,
        os.environ,
        defaults={"CLAUDE_LOCAL_PYTHON": sys.executable},
        engine=engine,
        user_id=os.getuid(),
        group_id=os.getgid(),
    )


def read_profiles(settings: Settings) -> Mapping[str, Profile]:
    from claude_local.profiles.load import load_profiles

    return load_profiles(settings.profiles_dir)


def rendered(settings: Settings | None = None) -> tuple[Settings, Mapping[str, Profile]]:
    """Settings and profiles, with build/ as they want it."""
    from claude_local.build import build_folder

    settings = settings or read_settings()
    profiles = read_profiles(settings)
    build_folder.refresh(settings, profiles)
    return settings, profiles


def tasks_of(*modules: ModuleType) -> list[Task]:
    """Every task of these modules, in the order in which it stands there."""
    return [value for module in modules for value in vars(module).values() if isinstance(value, Task)]

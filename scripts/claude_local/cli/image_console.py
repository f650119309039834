"""build-image and upgrade-image at a terminal: the command, the progress, the table of what was tried."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping

from rich.markup import escape
from rich.table import Table

from claude_local.build.image import image
from claude_local.build.image.build_progress import STAGES, BuildProgress, duration
from claude_local.build.image.image import OnProgress
from claude_local.build.image.image_spec import ImageSpec
from claude_local.checks import upgrade
from claude_local.checks.upgrade_checks import Check
from claude_local.foundation.plain_text import harmless
from claude_local.machine.settings import Settings
from claude_local.machine.terminal import data, say, talk, warn
from claude_local.profiles.profile import Profile

PERCENT_PER_LINE = 10


def build_and_use(settings: Settings, spec: ImageSpec, *, force: bool, dry_run: bool) -> None:
    """Prints the exact command and runs it, unless it is a dry run; the result is what `up` starts."""
    _print_command(settings, spec, force=force)
    if dry_run:
        return
    with building() as progress:
        said = image.build_and_use(settings, spec, progress, force=force)
    data.out(*said, sep="\n")


def upgrade_to(
    settings: Settings, profiles: Mapping[str, Profile], spec: ImageSpec, *, force: bool, dry_run: bool
) -> None:
    """As `build_and_use`, but the result has to pass every check before it is what `up` starts."""
    _print_command(settings, spec, force=force)
    if dry_run:
        return
    with building() as progress:
        built = image.build(settings, spec, progress, force=force)
    data.out(built.describe())
    results = upgrade.try_image(settings, profiles, built.tag, show_check)
    show_failures(results)
    data.out(upgrade.accept(settings, built.tag, results))


def _print_command(settings: Settings, spec: ImageSpec, *, force: bool) -> None:
    data.out(shlex.join(image.command(settings, spec, force=force)))
    for warning in image.warnings_of(spec):
        warn(warning)


@contextlib.contextmanager
def building() -> Iterator[OnProgress]:
    """Shows the stage, percent, elapsed time and estimate while an image is built.

    Without a terminal: a line for each stage and for every tenth of the compilation.
    """
    began = time.monotonic()
    said: list[str] = []
    with talk.status("preparing") as status:

        def on_progress(now: BuildProgress, line: str) -> None:
            text = f"{now.describe()}, {duration(time.monotonic() - began)} so far"
            shown = harmless(line)[: max(20, talk.width - len(text) - 8)]
            status.update(f"{escape(text)}  [dim]{escape(shown)}[/dim]")
            milestone = _milestone(now)
            if not talk.is_terminal and milestone not in said:
                said.append(milestone)
                say(text)

        yield on_progress


def _milestone(now: BuildProgress) -> str:
    tenth = int(100 * (now.fraction or 0)) // PERCENT_PER_LINE
    return f"{STAGES.get(now.stage, 'preparing')} {tenth}"


def show_check(check: Check) -> None:
    """One line as soon as it is known."""
    say(f"{'✓' if check.passed else '✗'} {check.name}: {harmless(check.result)}")


def show_failures(checks: list[Check]) -> None:
    """What failed, as a table."""
    table = Table("what failed", "why")
    for check in checks:
        if not check.passed:
            table.add_row(escape(check.name), escape(harmless(check.result)))
    if table.row_count:
        data.print(table)

"""What scripts/quickstart offers after the demo: a small real model, where a hub answers and a person says yes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping

from claude_local.foundation import figures
from claude_local.foundation.errors import HubFailed, UserError
from claude_local.machine import progress, terminal
from claude_local.machine.settings import Settings
from claude_local.models import hub, model_report
from claude_local.models.model_files import wanted_files
from claude_local.models.pull import pull
from claude_local.profiles.profile import Profile

SMALL = "small"
PATIENCE_SECONDS = 3


def offer(
    settings: Settings, profiles: Mapping[str, Profile], start: Callable[[Profile], None]
) -> str | None:
    """Asks whether to get the small model and to `start` it; returns its name if it serves now.

    Without a terminal it asks neither a person nor a hub. A failure is one line, and the demo model
    keeps serving.
    """
    small = profiles.get(SMALL)
    if not small or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    here = all(item.target.is_file() for item in wanted_files(settings, small))
    if not here and (why_not := _no_hub(settings, small)):
        terminal.say(f"{why_not}: the demo model keeps running")
        return None
    question = f"start {small.title}?" if here else f"{_download(small)} and start it?"
    if not terminal.confirm(question, hint=""):
        return None
    return small.name if _get_and_start(settings, small, start) else None


def _get_and_start(settings: Settings, small: Profile, start: Callable[[Profile], None]) -> bool:
    later = f"to continue later: .venv/bin/invoke pull {small.name}"
    try:
        model_report.show_pulled(settings, small, pull(settings, small, progress.transfer))
        start(small)
    except KeyboardInterrupt:
        terminal.say(f"stopped; the part that was downloaded is kept; {later}")
        return False
    except UserError as error:
        terminal.say(f"{error.message}; the demo model keeps running; {later}")
        return False
    return True


def _download(small: Profile) -> str:
    size = f" ({figures.size(small.model.size_bytes)})" if small.model.size_bytes else ""
    return f"download {small.title}{size}"


def _no_hub(settings: Settings, small: Profile) -> str:
    """Why no hub has the model's first file; "" if one has. Waits PATIENCE_SECONDS.

    In a thread, because a host name lookup has no time limit.
    """
    try:
        answers = [f"no model hub answers at {hub.endpoint()}"]
    except HubFailed as wrong:  # a variable of the environment
        return wrong.message

    def ask() -> None:
        try:
            place = wanted_files(settings, small)[0].place
            hub.find(place, timeout_seconds=PATIENCE_SECONDS)
            answers.append("")
        except HubFailed:
            return

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE_SECONDS)
    return answers[-1]

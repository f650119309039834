"""What a person sees while a model loads, and while another command holds the lock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape

from claude_local.foundation.plain_text import harmless
from claude_local.lifecycle import lock
from claude_local.lifecycle.request import Observer, Progress
from claude_local.machine.terminal import say, talk

if TYPE_CHECKING:
    from claude_local.foundation.snapshot import Snapshot


@dataclass
class Loading:
    """Progress of one request. `has_begun` stays False where the model serves already."""

    progress: Progress
    has_begun: bool = False

    @property
    def observer(self) -> Observer:
        return Observer(self.progress, on_begin=self.begin)

    def begin(self) -> None:
        self.has_begun = True


@contextlib.contextmanager
def watch_loading(name: str) -> Iterator[Loading]:
    """Shows a spinner with elapsed time and the server's last log line while a model loads."""
    started = time.monotonic()
    with talk.status(f"loading {escape(name)}") as status:

        def progress(now: Snapshot, log_line: str) -> None:
            seconds = int(time.monotonic() - started)
            share = f" {now.load_fraction:.0%}" if now.load_fraction is not None else ""
            line = harmless(log_line)[: max(20, talk.width - 40)]
            step = "switching to" if now.state == "ready" else "loading"  # while the old model still replies
            status.update(f"{step} {escape(name)}{share} [dim]{seconds} s  {escape(line)}[/dim]")

        seen = Loading(progress)
        yield seen
    # Without a terminal the spinner prints nothing, so say it once.
    if seen.has_begun and not talk.is_terminal:
        say(f"loaded {name} in {time.monotonic() - started:.1f} s")


def waiting() -> lock.Waiting:
    """A callback that names each command that is waited for, once."""
    named = set[lock.Holder]()

    def tell(held: lock.Holder) -> None:
        if held not in named:
            named.add(held)
            say(f"waiting for an automatic step to end: {held.purpose} (process {held.process_id})")

    return tell

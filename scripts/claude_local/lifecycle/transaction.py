"""How one model takes another's place: the phases, what is written down, what to do after a crash.

Decides and touches nothing: what happens on the machine comes in as `Effects`. The engine is the truth
about what serves; the journal tells what somebody wanted, and what was going on when a process died.
"""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from typing import Literal, Protocol

from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.foundation.snapshot import LastSwitch, Outcome, Snapshot

Phase = Literal["waiting", "stopping", "starting", "verifying", "going back"]
"""Until the old model stops nothing has changed. What is checked before is not written down."""

Decision = Literal["nothing", "forget", "finish", "go back"]

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Attempt:
    """A start or switch that has not come to an end."""

    old: str | None
    """The profile that served before and is to be brought back; None where there was none."""
    new: str
    phase: Phase
    since: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Journal:
    """What was wanted last. It outlives every process of ours."""

    engine: str | None = None
    """The engine that serves or shall serve."""
    serving: str | None = None
    """The profile that a crash is restarted with; None after a stop."""
    attempt: Attempt | None = None
    last: LastSwitch | None = None

    def at(self, phase: Phase) -> Journal:
        assert self.attempt
        return dataclasses.replace(self, attempt=dataclasses.replace(self.attempt, phase=phase))

    def stopped(self) -> Journal:
        return Journal(last=self.last)

    def closed(self, outcome: Outcome, at: float, reason: str | None = None) -> Journal:
        """The attempt has come to an end; what is to serve from now on follows from how it ended."""
        assert self.attempt
        seconds = round(max(0.0, at - self.attempt.since), 2)
        last = LastSwitch(self.attempt.old, self.attempt.new, seconds, outcome, round(at, 2), reason)
        serving = self.attempt.new if outcome == "switched" else self.attempt.old
        engine = self.engine if serving else None
        return Journal(engine=engine, serving=serving, last=last)


class RecoveryEffects(Protocol):
    """What recovery does to the machine. Each raises UserError with the reason if it cannot."""

    def now(self) -> float:
        """Seconds since 1970."""

    def start(self, profile: str) -> None:
        """Begins to load a profile, whatever is loaded now."""

    def verify(self, profile: str) -> None:
        """Returns when the server is healthy, has really this model, and answered with one token."""

    def stop_all(self) -> None:
        """Leaves nothing of the engine running."""

    def write(self, journal: Journal) -> None:
        """Writes the journal down."""


class Effects(RecoveryEffects, Protocol):
    """What a switch does to the machine, besides."""

    def check(self, profile: str) -> None:
        """Everything that can be known before anything is stopped."""

    def is_busy(self) -> bool:
        """Whether a reply is being written that may not be cut."""

    def wait_until_idle(self, since: float) -> None:
        """Blocks until no reply is being written. Raises NotIdle when the limit is over.

        The limit is counted from `since`, in seconds since 1970.
        """

    def stop_old(self) -> None:
        """Takes the old model out of memory."""


def run(effects: Effects, journal: Journal, *, engine: str, old: str | None, new: str) -> Journal:
    """Makes `new` serve instead of `old` and returns the journal of that.

    A failure before the old model stops changes nothing. After a later one the old model serves again,
    and the error tells both stories.
    """
    effects.check(new)
    attempt = Attempt(old=old, new=new, phase="waiting", since=effects.now())
    journal = Journal(engine=engine, serving=old, attempt=attempt, last=journal.last)
    effects.write(journal)
    try:
        _wait(effects, journal)
    except BaseException as error:
        _note(effects, journal.closed("nothing changed", effects.now(), _told(error)))
        raise
    try:
        effects.stop_old()
        _note(effects, journal.at("starting"))
        effects.start(new)
        _note(effects, journal.at("verifying"))
        effects.verify(new)
    except BaseException as error:
        raise _go_back(effects, journal, error) from None
    return _close(effects, journal, "switched")


def _wait(effects: Effects, journal: Journal) -> None:
    """Returns when no reply is being written. An agent's next request may come while that is written down."""
    assert journal.attempt
    is_idle = False
    while not is_idle:
        effects.wait_until_idle(journal.attempt.since)
        effects.write(journal.at("stopping"))
        is_idle = not effects.is_busy()
        if not is_idle:
            effects.write(journal)


def after_crash(journal: Journal, now: Snapshot) -> Decision:
    """What becomes of an attempt whose process died, with what the engine says now."""
    attempt = journal.attempt
    if attempt is None:
        return "nothing"
    is_untouched = now.state == "ready" and now.profile == attempt.old
    if attempt.phase == "waiting" or (attempt.phase == "stopping" and is_untouched):
        return "forget"
    loads = now.state in ("ready", "loading", "starting") and now.profile in (attempt.new, None)
    if attempt.phase != "going back" and loads and now.engine == journal.engine:
        return "finish"
    return "go back"


def recover(effects: RecoveryEffects, journal: Journal, now: Snapshot) -> Journal:
    """Finishes or undoes what a process that died left behind. Raises EngineFailed if neither works."""
    decision = after_crash(journal, now)
    if decision == "nothing":
        return journal
    if decision == "forget":
        return _close(effects, journal, "nothing changed", INTERRUPTED)
    if decision == "finish":
        assert journal.attempt
        try:
            effects.verify(journal.attempt.new)
        except UserError as error:
            return _undo(effects, journal, error.message)
        return _close(effects, journal, "switched")
    return _undo(effects, journal, INTERRUPTED)


def _go_back(effects: Effects, journal: Journal, failure: BaseException) -> BaseException:
    """Brings the old model back and returns the error to raise: with both reasons, if both failed."""
    assert journal.attempt
    old = journal.attempt.old
    if not isinstance(failure, UserError | KeyboardInterrupt):
        with contextlib.suppress(UserError):  # the journal tells it
            _undo(effects, journal, _told(failure))
        return failure  # a bug, or the end of the process: as it is
    try:
        _undo(effects, journal, _told(failure))
    except UserError as error:
        return EngineFailed(
            f"{_told(failure)}; and `{old}` did not come back: {error.message}",
            details=getattr(failure, "details", ""),
            hint=f"start again: invoke down, then invoke up --model {old}",
        )
    if old is None:
        return failure
    return EngineFailed(_told(failure), details=getattr(failure, "details", ""), hint=f"`{old}` serves again")


def _undo(effects: RecoveryEffects, journal: Journal, reason: str) -> Journal:
    assert journal.attempt
    old = journal.attempt.old
    _note(effects, journal.at("going back"))
    if old is None:
        effects.stop_all()
        return _close(effects, journal, "failed", reason)
    try:
        effects.start(old)
        effects.verify(old)
    except UserError as error:
        _close(effects, journal, "failed", f"{reason}; and `{old}` did not come back: {error.message}")
        raise
    return _close(effects, journal, "went back", reason)


def _close(
    effects: RecoveryEffects, journal: Journal, outcome: Outcome, reason: str | None = None
) -> Journal:
    closed = journal.closed(outcome, effects.now(), reason)
    _note(effects, closed)
    return closed


def _note(effects: RecoveryEffects, journal: Journal) -> None:
    """Writes the journal if that is possible: the way on leads through the engine, which is the truth.

    A phase that is missing in the journal leads to the same decision after a crash.
    """
    try:
        effects.write(journal)
    except UserError:
        return


def _told(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"

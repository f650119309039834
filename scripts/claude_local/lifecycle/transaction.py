"""How one model replaces another: the phases, the journal, the recovery after a crash.

Only decisions; the actions on the machine are passed in as `Effects`. The engine is the authority on what is
running; the journal records the wanted state, and the attempt that was interrupted when a process died.
"""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from typing import Literal, Protocol

from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.foundation.snapshot import LastSwitch, Outcome, Snapshot

Phase = Literal["waiting", "stopping", "starting", "verifying", "going back"]
"""Until the old model stops, nothing has changed. The checks before are not recorded."""

Decision = Literal["nothing", "forget", "finish", "go back"]

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Attempt:
    """A start or switch that has not ended yet."""

    old: str | None
    """The profile that ran before, to be started again after a failure; None if nothing was running."""
    new: str
    phase: Phase
    since: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Journal:
    """The wanted state. It outlives every process of ours."""

    engine: str | None = None
    """The engine that is running or should run."""
    serving: str | None = None
    """The profile to restart after a crash; None after a stop."""
    attempt: Attempt | None = None
    last: LastSwitch | None = None

    def at(self, phase: Phase) -> Journal:
        assert self.attempt
        return dataclasses.replace(self, attempt=dataclasses.replace(self.attempt, phase=phase))

    def stopped(self) -> Journal:
        return Journal(last=self.last)

    def closed(self, outcome: Outcome, at: float, reason: str | None = None) -> Journal:
        """The journal after an attempt: its outcome decides which profile should run."""
        assert self.attempt
        seconds = round(max(0.0, at - self.attempt.since), 2)
        last = LastSwitch(self.attempt.old, self.attempt.new, seconds, outcome, round(at, 2), reason)
        serving = self.attempt.new if outcome == "switched" else self.attempt.old
        engine = self.engine if serving else None
        return Journal(engine=engine, serving=serving, last=last)


class RecoveryEffects(Protocol):
    """The actions of recovery on the machine. Each raises UserError with the reason if it fails."""

    def now(self) -> float:
        """Seconds since 1970."""

    def start(self, profile: str) -> None:
        """Starts to load a profile, whatever is loaded now."""

    def verify(self, profile: str) -> None:
        """Waits until the server is healthy, has this model loaded, and has answered with one token."""

    def stop_all(self) -> None:
        """Stops everything of the engine."""

    def write(self, journal: Journal) -> None:
        """Writes the journal."""


class Effects(RecoveryEffects, Protocol):
    """The further actions of a switch on the machine."""

    def check(self, profile: str) -> None:
        """Runs all checks that are possible before anything is stopped."""

    def is_busy(self) -> bool:
        """Whether a reply is being written that must not be cut off."""

    def wait_until_idle(self, since: float) -> None:
        """Blocks until no reply is being written. Raises NotIdle after the limit.

        The limit is counted from `since`, in seconds since 1970.
        """

    def stop_old(self) -> None:
        """Unloads the old model."""


def run(effects: Effects, journal: Journal, *, engine: str, old: str | None, new: str) -> Journal:
    """Replaces `old` with `new` and returns the resulting journal.

    A failure before the old model stops changes nothing. After a later one the old model is started again,
    and if that fails too, the error has both reasons.
    """
    effects.check(new)
    attempt = Attempt(old=old, new=new, phase="waiting", since=effects.now())
    journal = Journal(engine=engine, serving=old, attempt=attempt, last=journal.last)
    effects.write(journal)
    try:
        _wait(effects, journal)
    except BaseException as error:
        _note(effects, journal.closed("nothing changed", effects.now(), _text_of(error)))
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
    """Waits until no reply is being written. An agent's next request may come during the write."""
    assert journal.attempt
    is_idle = False
    while not is_idle:
        effects.wait_until_idle(journal.attempt.since)
        effects.write(journal.at("stopping"))
        is_idle = not effects.is_busy()
        if not is_idle:
            effects.write(journal)


def after_crash(journal: Journal, now: Snapshot) -> Decision:
    """The decision about an attempt whose process died, from the engine's current state."""
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
    """Finishes or undoes the attempt of a dead process. Raises EngineFailed if neither works."""
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
    """Starts the old model again and returns the error to raise: with both reasons, if both failed."""
    assert journal.attempt
    old = journal.attempt.old
    if not isinstance(failure, UserError | KeyboardInterrupt):
        with contextlib.suppress(UserError):  # it is in the journal
            _undo(effects, journal, _text_of(failure))
        return failure  # a bug, or the end of the process: raise it unchanged
    try:
        _undo(effects, journal, _text_of(failure))
    except UserError as error:
        return EngineFailed(
            f"{_text_of(failure)}; and `{old}` did not come back: {error.message}",
            details=getattr(failure, "details", ""),
            hint=f"start again: invoke down, then invoke up --model {old}",
        )
    if old is None:
        return failure
    hints = [f"`{old}` is running again", *getattr(failure, "hint", "").splitlines()]
    return EngineFailed(_text_of(failure), details=getattr(failure, "details", ""), hint="; ".join(hints))


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
    """Writes the journal if possible: a failure does not stop the switch.

    If a phase is missing in the journal, the decision after a crash is the same.
    """
    try:
        effects.write(journal)
    except UserError:
        return


def _text_of(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"

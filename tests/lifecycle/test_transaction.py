"""transaction: after any failure or crash a model is running, or the journal and the error have the reason."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from claude_local.foundation.errors import EngineFailed, NotIdle, StateNotWritten, UserError
from claude_local.foundation.snapshot import LastSwitch, Snapshot, State
from claude_local.lifecycle import transaction
from claude_local.lifecycle.transaction import Attempt, Journal


class Killed(BaseException):
    """The process was killed: none of its code runs any more."""


@dataclass
class Machine:
    """An engine with one place for a model, and a disk for the journal. Records every step.

    `faults` are the numbers of the steps that fail, `kill_at` the number of the step at which the
    process dies, before or after it took effect.
    """

    loaded: str | None = "old"
    healthy: bool = True
    on_disk: Journal = field(default_factory=Journal)
    faults: frozenset[int] = frozenset()
    kill_at: int | None = None
    dies_after_effect: bool = False
    broken: frozenset[str] = frozenset()
    steps: list[str] = field(default_factory=list)
    asked: list[bool] = field(default_factory=list)
    """Whether a request arrives just before the old model stops, for each check."""
    is_dead: bool = False

    def _step(self, name: str) -> None:
        number = len(self.steps)
        if self.is_dead or (number == self.kill_at and not self.dies_after_effect):
            self.is_dead = True
            raise Killed
        self.steps.append(name)
        if number in self.faults:
            error = StateNotWritten if name.startswith("write") else EngineFailed
            raise error(f"fault at step {number}")

    def _after(self) -> None:
        if self.dies_after_effect and len(self.steps) - 1 == self.kill_at:
            self.is_dead = True
            raise Killed

    def now(self) -> float:
        return 1000.0 + len(self.steps)

    def check(self, profile: str) -> None:
        self._step(f"check {profile}")
        self._after()

    def is_busy(self) -> bool:
        self._step("look")
        self._after()
        return self.asked.pop(0) if self.asked else False

    def wait_until_idle(self, since: float) -> None:
        assert since <= self.now()
        self._step("wait")
        self._after()

    def stop_old(self) -> None:
        self._step("stop")
        self.loaded = None
        self._after()

    def start(self, profile: str) -> None:
        self._step(f"start {profile}")
        self.loaded = profile
        self._after()

    def verify(self, profile: str) -> None:
        self._step(f"verify {profile}")
        if self.loaded != profile or profile in self.broken:
            raise EngineFailed(f"`{profile}` is broken")
        self._after()

    def stop_all(self) -> None:
        self._step("stop all")
        self.loaded = None
        self._after()

    def write(self, journal: Journal) -> None:
        self._step(f"write {journal.attempt.phase if journal.attempt else 'end'}")
        self.on_disk = journal
        self._after()

    def snapshot(self) -> Snapshot:
        if self.loaded is None:
            return Snapshot(state="stopped")
        state: State = "failed" if self.loaded in self.broken else "ready"
        return Snapshot(state=state, engine="docker", profile=self.loaded)

    @property
    def serving(self) -> str | None:
        """The model that answers, if any."""
        return self.loaded if self.loaded not in self.broken else None

    def restarted(self) -> Machine:
        """The same machine for the next process, without faults."""
        return replace(self, faults=frozenset(), kill_at=None, steps=[], is_dead=False)


def run(machine: Machine, *, old: str | None = "old", new: str = "new") -> Journal:
    return transaction.run(machine, machine.on_disk, engine="docker", old=old, new=new)


def last(journal: Journal) -> tuple[str | None, str, str, str | None]:
    assert journal.last
    return journal.last.from_profile, journal.last.to_profile, journal.last.outcome, journal.last.reason


def test_the_steps_of_a_switch_run_in_this_order() -> None:
    machine = Machine()

    journal = run(machine)

    assert machine.steps == [
        "check new",
        "write waiting",
        "wait",
        "write stopping",
        "look",
        "stop",
        "write starting",
        "start new",
        "write verifying",
        "verify new",
        "write end",
    ]
    assert (journal, journal.serving, last(journal)) == (
        machine.on_disk,
        "new",
        ("old", "new", "switched", None),
    )


def test_a_failed_check_leaves_no_trace() -> None:
    machine = Machine(faults=frozenset({0}))

    with pytest.raises(EngineFailed, match="fault at step 0"):
        run(machine)

    assert (machine.serving, machine.steps, machine.on_disk) == ("old", ["check new"], Journal())


def test_a_switch_that_waits_too_long_changes_nothing() -> None:
    class Busy(Machine):
        def wait_until_idle(self, since: float) -> None:
            super().wait_until_idle(since)
            raise NotIdle("`old` is still answering after 120 s")

    machine = Busy()

    with pytest.raises(NotIdle):
        run(machine)

    assert (machine.serving, machine.on_disk.serving) == ("old", "old")
    assert last(machine.on_disk) == ("old", "new", "nothing changed", "`old` is still answering after 120 s")


def test_a_switch_waits_for_a_request_just_before_the_stop() -> None:
    machine = Machine(asked=[True, True])

    run(machine)

    again = ["write waiting", "wait", "write stopping", "look"]
    assert machine.steps[1:14] == [*again * 3, "stop"]


def test_a_model_that_never_becomes_idle_is_not_stopped() -> None:
    class Busy(Machine):
        def wait_until_idle(self, since: float) -> None:
            super().wait_until_idle(since)
            if self.steps.count("wait") > 1:
                raise NotIdle("`old` is still answering after 120 s")

    machine = Busy(asked=[True])

    with pytest.raises(NotIdle):
        run(machine)

    assert (machine.loaded, "stop" in machine.steps) == ("old", False)
    assert last(machine.on_disk) == ("old", "new", "nothing changed", "`old` is still answering after 120 s")


def test_after_a_broken_model_the_old_one_starts_again_and_the_hint_says_so() -> None:
    machine = Machine(broken=frozenset({"new"}))

    with pytest.raises(EngineFailed) as caught:
        run(machine)

    assert (caught.value.message, caught.value.hint) == ("`new` is broken", "`old` is running again")
    assert machine.serving == "old"
    assert last(machine.on_disk) == ("old", "new", "went back", "`new` is broken")


def test_after_going_back_the_hint_of_the_failure_is_kept() -> None:
    class Full(Machine):
        def verify(self, profile: str) -> None:
            if profile == "new":
                raise EngineFailed("out of memory", hint="choose a smaller model\nor free memory")

    with pytest.raises(EngineFailed) as caught:
        run(Full())

    assert caught.value.hint == "`old` is running again; choose a smaller model; or free memory"


def test_if_both_models_are_broken_the_error_has_both_reasons() -> None:
    machine = Machine(broken=frozenset({"new", "old"}))

    with pytest.raises(EngineFailed) as caught:
        run(machine)

    message = "`new` is broken; and `old` did not come back: `old` is broken"
    assert caught.value.message == message
    assert caught.value.hint == "start again: invoke down, then invoke up --model old"
    assert last(machine.on_disk) == ("old", "new", "failed", message)


def test_a_first_start_that_fails_leaves_nothing_running() -> None:
    machine = Machine(loaded=None, broken=frozenset({"new"}))

    with pytest.raises(EngineFailed, match="`new` is broken"):
        run(machine, old=None)

    assert (machine.loaded, machine.steps[-2:]) == (None, ["stop all", "write end"])
    assert machine.on_disk.serving is None


def test_after_an_interrupt_the_old_model_starts_again() -> None:
    class Interrupted(Machine):
        def verify(self, profile: str) -> None:
            if profile == "new":
                raise KeyboardInterrupt

    machine = Interrupted()

    with pytest.raises(EngineFailed) as caught:
        run(machine)

    assert (caught.value.message, caught.value.hint) == ("interrupted", "`old` is running again")
    assert machine.serving == "old"


class Buggy(Machine):
    """Raises a programming error during the verification of the new model."""

    def verify(self, profile: str) -> None:
        if profile == "new":
            raise ZeroDivisionError("a bug")
        super().verify(profile)


def test_after_a_bug_the_old_model_starts_again_and_the_bug_is_raised() -> None:
    machine = Buggy()

    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(machine)

    assert machine.serving == "old"
    assert last(machine.on_disk)[2:] == ("went back", "ZeroDivisionError: a bug")


def test_a_bug_is_raised_even_if_the_old_model_does_not_come_back() -> None:
    machine = Buggy(broken=frozenset({"old"}))

    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(machine)

    assert last(machine.on_disk)[2:] == (
        "failed",
        "ZeroDivisionError: a bug; and `old` did not come back: `old` is broken",
    )


@pytest.mark.parametrize("write", ["write starting", "write verifying", "write end"])
def test_after_the_stop_a_full_disk_does_not_block_the_switch(write: str) -> None:
    whole = Machine()
    run(whole)
    machine = Machine(faults=frozenset({whole.steps.index(write)}))

    run(machine)

    assert machine.serving == "new"


@pytest.mark.parametrize("write", ["write waiting", "write stopping"])
def test_before_the_stop_a_full_disk_changes_nothing(write: str) -> None:
    whole = Machine()
    run(whole)
    machine = Machine(faults=frozenset({whole.steps.index(write)}))

    with pytest.raises(StateNotWritten):
        run(machine)

    assert (machine.serving, machine.loaded) == ("old", "old")


FAULTS = st.frozensets(st.integers(0, 16), max_size=4)
BROKEN = st.frozensets(st.sampled_from(["old", "new"]))


@settings(max_examples=400, deadline=None)
@given(faults=FAULTS, broken=BROKEN, old=st.sampled_from([None, "old"]))
def test_after_any_fault_the_result_matches_the_machine(
    faults: frozenset[int], broken: frozenset[str], old: str | None
) -> None:
    machine = Machine(loaded=old, faults=faults, broken=broken)

    try:
        run(machine, old=old)
    except UserError as error:
        stopped = "stop" in machine.steps
        if not stopped and "start new" not in machine.steps:
            assert machine.loaded == old
        if error.hint == "`old` is running again":
            assert machine.serving == "old"
        elif stopped and old and machine.serving != "old":
            assert "did not come back" in error.message
    else:
        assert machine.serving == "new"


@settings(max_examples=600, deadline=None)
@given(kill_at=st.integers(0, 16), after=st.booleans(), broken=BROKEN, old=st.sampled_from([None, "old"]))
def test_an_attempt_killed_at_any_step_is_finished_or_undone_by_the_next_process(
    kill_at: int, after: bool, broken: frozenset[str], old: str | None
) -> None:
    machine = Machine(loaded=old, broken=broken, kill_at=kill_at, dies_after_effect=after)
    with contextlib.suppress(Killed, UserError):
        run(machine, old=old)

    later = machine.restarted()
    try:
        journal = transaction.recover(later, later.on_disk, later.snapshot())
    except UserError:
        journal = later.on_disk

    assert journal.attempt is None
    if old not in broken:
        assert later.serving in ("new", old)
    # The profile in the journal is running, unless it is broken.
    assert later.serving == journal.serving or journal.serving in {*broken, None}


@settings(max_examples=200, deadline=None)
@given(first=st.integers(0, 16), second=st.integers(0, 16), after=st.booleans())
def test_a_crash_during_recovery_is_recovered_too(first: int, second: int, after: bool) -> None:
    machine = Machine(kill_at=first, dies_after_effect=after)
    try:
        run(machine)
    except Killed:
        machine = replace(machine.restarted(), kill_at=second)
        try:
            transaction.recover(machine, machine.on_disk, machine.snapshot())
        except Killed:
            machine = machine.restarted()
            transaction.recover(machine, machine.on_disk, machine.snapshot())

    assert machine.on_disk.attempt is None or machine.on_disk.attempt.phase == "waiting"
    assert machine.serving in ("old", "new")


@pytest.mark.parametrize(
    ("phase", "now", "decision"),
    [
        ("waiting", Snapshot(state="ready", engine="docker", profile="old"), "forget"),
        ("stopping", Snapshot(state="ready", engine="docker", profile="old"), "forget"),
        ("stopping", Snapshot(state="unloaded", engine="docker", profile="old"), "go back"),
        ("stopping", Snapshot(state="stopped"), "go back"),
        ("starting", Snapshot(state="loading", engine="docker", profile="new"), "finish"),
        ("starting", Snapshot(state="starting", engine="docker"), "finish"),
        ("verifying", Snapshot(state="ready", engine="docker", profile="new"), "finish"),
        ("verifying", Snapshot(state="failed", engine="docker", profile="new"), "go back"),
        ("verifying", Snapshot(state="unloaded", engine="docker", profile="new"), "go back"),
        ("verifying", Snapshot(state="ready", engine="embedded", profile="new"), "go back"),
        ("going back", Snapshot(state="ready", engine="docker", profile="new"), "go back"),
    ],
)
def test_the_state_of_the_engine_decides_about_an_attempt(
    phase: transaction.Phase, now: Snapshot, decision: transaction.Decision
) -> None:
    journal = Journal(engine="docker", serving="old", attempt=Attempt("old", "new", phase, 1.0))

    assert transaction.after_crash(journal, now) == decision


def test_without_an_attempt_there_is_nothing_to_do() -> None:
    journal = Journal(engine="docker", serving="old", last=LastSwitch(None, "old", 1.0, "switched", 2.0))

    assert transaction.recover(Machine(), journal, Snapshot(state="stopped")) == journal


class Life(RuleBasedStateMachine):
    """Switches, faults, crashes and stops in any order, on one machine."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(loaded=None)

    @rule(
        new=st.sampled_from(["a", "b", "c"]),
        faults=FAULTS,
        kill_at=st.none() | st.integers(0, 16),
        after=st.booleans(),
        broken=st.frozensets(st.sampled_from(["a", "b", "c"]), max_size=1),
    )
    def switches(
        self, new: str, faults: frozenset[int], kill_at: int | None, after: bool, broken: frozenset[str]
    ) -> None:
        ready = replace(self.machine.restarted(), broken=broken)
        try:
            journal = transaction.recover(ready, ready.on_disk, ready.snapshot())
        except UserError:
            journal = ready.on_disk
        self.machine = replace(ready, steps=[], faults=faults, kill_at=kill_at, dies_after_effect=after)
        served = ready.serving
        if served == new:
            return
        try:
            transaction.run(self.machine, journal, engine="docker", old=served, new=new)
        except Killed:
            return
        except UserError as error:
            if self.machine.serving != served:
                assert "did not come back" in error.message or served is None
        else:
            assert self.machine.serving == new

    @rule()
    def is_stopped(self) -> None:
        self.machine.loaded = None
        self.machine.on_disk = self.machine.on_disk.stopped()

    @invariant()
    def a_recovered_machine_serves_what_the_journal_says(self) -> None:
        copy = replace(self.machine.restarted(), broken=frozenset())
        journal = transaction.recover(copy, copy.on_disk, copy.snapshot())
        assert journal.attempt is None
        if self.machine.on_disk.attempt and self.machine.on_disk.attempt.phase != "waiting":
            assert copy.serving == journal.serving


LifeTest = Life.TestCase

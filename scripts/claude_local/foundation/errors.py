"""Errors that a user can do something about. Everything else is a bug and keeps its traceback."""

from __future__ import annotations


class UserError(Exception):
    """An expected failure: what is wrong, how to go on, and what a program said about it.

    Printed as one line and a hint by the doors (`tasks.py`, `__main__`), never where it is raised.
    """

    def __init__(self, message: str, *, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def describe(self) -> str:
        """All of it, one line each, as the doors print it."""
        details = "".join(f"\n  | {line}" for line in self.details.splitlines())
        hints = "".join(f"\n  hint: {line}" for line in self.hint.splitlines())
        return f"error: {self.message}{details}{hints}"


class WrongSetting(UserError):
    """A setting's value that cannot be meant: the variable, and what is wrong with it."""

    def __init__(self, variable: str, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{variable} {problem}", hint=hint)
        self.variable = variable
        self.problem = problem

    def at(self, place: str) -> UserError:
        """The same, told by the place where somebody wrote the value."""
        return UserError(f"{place} {self.problem}", hint=self.hint)


class ProfileError(UserError):
    """One or more mistakes in profile files, each with its file and line."""


class UnknownProfile(UserError):
    """A name that no profile has, or that several could mean."""


class BuildConflict(UserError):
    """A file in build/ that we did not write stands where one of ours belongs."""


class BrokenModelFile(UserError):
    """A model file that is no GGUF, or not all of one."""


class HubFailed(UserError):
    """A model hub that does not answer, refuses, or does not have what was asked for."""


class EngineFailed(UserError):
    """An engine that did not start, died, or could not load a model."""


class EngineUnavailable(UserError):
    """An engine that cannot run on this machine as it is."""


class StateNotWritten(UserError):
    """The state folder does not take a file: disk full, broken or without rights."""


class NotIdle(UserError):
    """A reply was being written for longer than somebody wanted to wait."""


class Busy(UserError):
    """Another command holds the lock. Says who, and since when, where that is known."""

    def __init__(
        self, message: str, *, hint: str = "", holder: str | None = None, since: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.holder = holder
        self.since = since

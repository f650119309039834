"""Errors that a user can act on. Everything else is a bug and keeps its traceback."""

from __future__ import annotations


class UserError(Exception):
    """An expected failure: the cause, the next step, and the output of a failed program.

    The entry points (`tasks.py`, `__main__`) print it as one line and a hint; it is never printed where it is raised.
    """

    def __init__(self, message: str, *, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def describe(self) -> str:
        """Message, details and hint as the entry points print them, one per line."""
        details = "".join(f"\n  | {line}" for line in self.details.splitlines())
        hints = "".join(f"\n  hint: {line}" for line in self.hint.splitlines())
        return f"error: {self.message}{details}{hints}"


class WrongSetting(UserError):
    """A setting with an invalid value: the variable, and what is wrong with the value."""

    def __init__(self, variable: str, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{variable} {problem}", hint=hint)
        self.variable = variable
        self.problem = problem

    def at(self, place: str) -> UserError:
        """The same error, naming the place of the value instead of the variable."""
        return UserError(f"{place} {self.problem}", hint=self.hint)


class ProfileError(UserError):
    """One or more mistakes in profile files, each with its file and line."""


class UnknownProfile(UserError):
    """A name that matches no profile, or several."""


class BuildConflict(UserError):
    """A file in build/ that we did not write has the path of one of ours."""


class BrokenModelFile(UserError):
    """A model file that is not GGUF, or is incomplete."""


class NotAModel(UserError):
    """A GGUF file that is something else than a model, or a model that llama-server would refuse."""


class HubFailed(UserError):
    """A model hub that does not answer, refuses the request, or does not have the file."""


class EngineFailed(UserError):
    """An engine did not start, died, or could not load a model."""


class EngineUnavailable(UserError):
    """An engine cannot run on this machine in its current state."""


class StateNotWritten(UserError):
    """A file cannot be written to the state folder: disk full, broken, or no permission."""


class NotIdle(UserError):
    """A reply was still running at the end of the time limit."""


class Busy(UserError):
    """Another command holds the lock; `holder` and `since` name it if known."""

    def __init__(
        self, message: str, *, hint: str = "", holder: str | None = None, since: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.holder = holder
        self.since = since

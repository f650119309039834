"""A server that somebody else runs: any base URL that speaks `/v1/messages`. We only look at it."""

from __future__ import annotations

from collections.abc import Iterator

from claude_local.foundation.errors import EngineFailed, EngineUnavailable, UserError
from claude_local.foundation.snapshot import Snapshot, State
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import Profile
from claude_local.server.llama_http import server_of_clients

NOT_HERE = (404, 405, 501)
UNAUTHORIZED = 401


class ExternalEngine:
    """The server at `CLAUDE_LOCAL_EXTERNAL_URL`."""

    name = "external"
    is_ours = False
    plans_from_file = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http = server_of_clients(settings)

    def describe(self) -> str:
        return f"the server at {self.settings.external_url}, which somebody else runs"

    def why_unavailable(self) -> EngineUnavailable | None:
        return None  # `check` asks that server, and says more

    def why_silent(self) -> str | None:
        return None

    def check(self, profile: Profile) -> None:
        """An empty request is refused by every server that knows the route, and loads no model."""
        status = self.http.status_of("/v1/messages", {})
        if status is None:
            raise EngineFailed(
                f"nothing answers on {self.settings.external_url}",
                hint="start that server, or correct CLAUDE_LOCAL_EXTERNAL_URL",
            )
        if status == UNAUTHORIZED:
            raise EngineFailed(
                f"{self.settings.external_url} does not take our API key",
                hint="put its key into a file and set CLAUDE_LOCAL_EXTERNAL_KEY_FILE to the file's path",
            )
        if status in NOT_HERE:
            raise EngineFailed(
                f"{self.settings.external_url} does not speak /v1/messages (HTTP {status})",
                hint="Claude Code needs the Anthropic Messages API: use a newer server",
            )

    def is_running(self) -> bool:
        return self.http.status_of("/v1/messages", {}) is not None

    def is_busy(self) -> bool:
        return False  # nothing that is done to it here would cut a reply

    def release(self) -> None:
        """Leaves the server alone: it is not ours."""

    def activate(self, profile: Profile) -> None:
        raise UserError(
            f"{self.settings.external_url} is run by somebody else and not switched from here",
            hint="switch it there, or unset CLAUDE_LOCAL_EXTERNAL_URL",
        )

    def stop(self) -> None:
        """Leaves the server alone: it is not ours."""

    def settle(self) -> None:
        """Nothing goes on here without us."""

    def pulse(self) -> Snapshot:
        found: State = "ready" if self.is_running() else "stopped"
        return Snapshot(state=found, engine=self.name, base_url=self.settings.external_url)

    def snapshot(self) -> Snapshot:
        return self.pulse()

    def log_lines(self, *, tail: int, follow: bool) -> Iterator[str]:
        raise UserError("the log of an external server is where that server runs")

"""An external server: any base URL that speaks `/v1/messages`. It is only observed, never started or stopped."""

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
    sees_all_files = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http = server_of_clients(settings)

    def describe(self) -> str:
        return f"the external server at {self.settings.external_url}"

    def why_unavailable(self) -> EngineUnavailable | None:
        return None  # `check` asks that server, and knows more

    def why_silent(self) -> str | None:
        return None

    def check(self, profile: Profile) -> None:
        """Sends an empty request: every server that knows the route refuses it, and no model is loaded."""
        status = self.http.status_of("/v1/messages", {})
        if status is None:
            raise EngineFailed(
                f"nothing answers on {self.settings.external_url}",
                hint="start that server, or correct CLAUDE_LOCAL_EXTERNAL_URL",
            )
        if status == UNAUTHORIZED:
            raise EngineFailed(
                f"{self.settings.external_url} refuses the API key",
                hint="put that server's key into a file and set CLAUDE_LOCAL_EXTERNAL_KEY_FILE to its path",
            )
        if status in NOT_HERE:
            raise EngineFailed(
                f"{self.settings.external_url} does not speak /v1/messages (HTTP {status})",
                hint="Claude Code needs the Anthropic Messages API: use a newer server",
            )

    def is_running(self) -> bool:
        return self.http.status_of("/v1/messages", {}) is not None

    def is_busy(self) -> bool:
        return False  # no command here can cut off its replies

    def release(self) -> None:
        """Does nothing: the server is not ours."""

    def activate(self, profile: Profile) -> None:
        raise UserError(
            f"{self.settings.external_url} is an external server: claude-local cannot switch its model",
            hint="switch the model on that server, or unset CLAUDE_LOCAL_EXTERNAL_URL",
        )

    def stop(self) -> None:
        """Does nothing: the server is not ours."""

    def settle(self) -> None:
        """Does nothing: this engine starts no commands."""

    def pulse(self) -> Snapshot:
        found: State = "ready" if self.is_running() else "stopped"
        return Snapshot(state=found, engine=self.name, base_url=self.settings.external_url)

    def snapshot(self) -> Snapshot:
        return self.pulse()

    def log_lines(self, *, tail: int, follow: bool) -> Iterator[str]:
        raise UserError("an external server keeps its log itself: read it where that server runs")

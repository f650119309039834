"""Where things are on this machine, read once from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from claude_local.foundation.errors import UserError
from claude_local.machine import setting_values

PREFIX = "CLAUDE_LOCAL_"
SANDBOXES = ("jail", "bash", "container")
ENGINES = ("auto", "docker", "embedded", "external")


FALLBACK_USER_ID = 10001
"""The container's unprivileged user where root runs us."""


@dataclass(frozen=True)
class Settings:
    """Places, ports and choices of this machine.

    Every field below `home` can be set by an environment variable: its name in capitals after
    `CLAUDE_LOCAL_`, for instance `CLAUDE_LOCAL_MODELS_DIR`.
    """

    root: Path
    """The checkout."""
    user_id: int
    group_id: int
    home: Path
    """The user's home folder."""
    state_dir: Path
    """API key, lock, journal and logs. `.state/` in the checkout where that folder exists (made by
    `scripts/quickstart`), else `$XDG_STATE_HOME/claude-local`."""
    build_dir: Path
    """What `invoke render` writes. Default: `build/` in the checkout."""
    models_dir: Path
    """GGUF files. Default: `models/` in the checkout."""
    python: Path
    """The Python that runs our tasks. Default: `.venv/bin/python` in the checkout."""
    profiles_dir: Path
    """Model profiles. Default: `profiles/` in the checkout."""
    client_dir: Path
    """Claude Code's config directory for local sessions. Default: `~/.claude-local`, or
    `.state/claude-local` where `.state/` exists."""
    engine: str
    """`auto`, `docker`, `embedded` or `external`."""
    external_url: str
    """Base URL of a server that someone else runs; makes `external` the automatic choice."""
    external_key_file: Path | None
    """File with the API key of that server, if it wants one."""
    sandbox: str
    """How sessions are confined: `jail`, `bash` or `container`. Default: `jail`. `off` is asked for each time."""
    jail_read_only: tuple[Path, ...]
    """Tool chains that the jail shows read-only, for instance `~/.cargo:~/.nvm`. Default: none."""
    jail_switching: bool
    """Whether a session in the jail may list and switch models. Default: `yes`."""
    client_image: str
    """The image with Claude Code for `--sandbox container`. Default: `claude-local/client:latest`."""
    llama_port: int
    """TCP port of llama-server on 127.0.0.1. Default: 8080."""
    management_port: int | None
    """TCP port of the management API on 127.0.0.1; None where it is off. Default: 8081."""
    management_token_file: Path | None
    """File with a secret that everything but looking needs. Default: none."""
    image: str
    """The container image that runs llama-server. Default: `claude-local/llama:latest`."""
    compose_project: str
    """Name of the Compose project. Default: `claude-local`."""
    fit_target: str = ""
    """MiB that llama-server leaves free, one value or one per card in PCI order. Default: by card."""

    def to_environment(self) -> dict[str, str]:
        """The variables that lead `load_settings` to these settings again."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            PREFIX + name.upper(): _text(value)
            for name, value in given.items()
            if name not in ("root", "user_id", "group_id", "home") and value not in (None, "", ())
        } | ({} if self.management_port else {PREFIX + "MANAGEMENT_PORT": "off"})

    @property
    def container_user(self) -> str:
        """`uid:gid` of llama-server in its container; never root."""
        if self.user_id == 0:
            return f"{FALLBACK_USER_ID}:{FALLBACK_USER_ID}"
        return f"{self.user_id}:{self.group_id}"

    @property
    def templates_dir(self) -> Path:
        return self.root / "templates"

    @property
    def runtime_dir(self) -> Path:
        """What the llama-server container reads: presets and key. Mounted read-only."""
        return self.state_dir / "llama"

    @property
    def api_key_file(self) -> Path:
        """What llama-server asks for and clients send; mode 0600."""
        return self.runtime_dir / "api_key"

    @property
    def is_external(self) -> bool:
        """Whether somebody else runs the server."""
        return bool(self.external_url) and self.engine in ("auto", "external")

    @property
    def client_key_file(self) -> Path | None:
        """The key that clients send; None where the server of somebody else wants none."""
        return self.external_key_file if self.is_external else self.api_key_file

    @property
    def base_url(self) -> str:
        """Where clients reach the model, without a trailing slash."""
        return self.external_url if self.is_external else f"http://127.0.0.1:{self.llama_port}"


def load_settings(environment: Mapping[str, str], root: Path, *, user_id: int, group_id: int) -> Settings:
    """The settings of this machine. Raises WrongSetting for a value that cannot be meant."""
    private = root / ".state"
    home = Path(environment.get("HOME") or "/")
    xdg_state = Path(environment.get("XDG_STATE_HOME") or ".")
    if not xdg_state.is_absolute():  # its specification says: ignore it then
        xdg_state = home / ".local" / "state"

    def given(name: str, default: str | Path = "") -> tuple[str, str]:
        return PREFIX + name, environment.get(PREFIX + name) or str(default)

    settings = Settings(
        root=root,
        user_id=user_id,
        group_id=group_id,
        home=home,
        state_dir=setting_values.path(
            *given("STATE_DIR", private if private.is_dir() else xdg_state / "claude-local")
        ),
        build_dir=setting_values.path(*given("BUILD_DIR", root / "build")),
        models_dir=setting_values.path(*given("MODELS_DIR", root / "models")),
        python=setting_values.path(*given("PYTHON", root / ".venv" / "bin" / "python")),
        profiles_dir=setting_values.path(*given("PROFILES_DIR", root / "profiles")),
        client_dir=setting_values.path(
            *given("CLIENT_DIR", private / "claude-local" if private.is_dir() else home / ".claude-local")
        ),
        engine=setting_values.choice(*given("ENGINE", "auto"), ENGINES),
        external_url=setting_values.url(*given("EXTERNAL_URL")),
        external_key_file=setting_values.optional_path(*given("EXTERNAL_KEY_FILE")),
        sandbox=setting_values.choice(*given("SANDBOX", "jail"), SANDBOXES),
        jail_read_only=setting_values.paths(*given("JAIL_READ_ONLY"), home),
        jail_switching=setting_values.choice(*given("JAIL_SWITCHING", "yes"), ("yes", "no")) == "yes",
        client_image=setting_values.word(*given("CLIENT_IMAGE", "claude-local/client:latest")),
        llama_port=setting_values.port(*given("LLAMA_PORT", "8080")),
        management_port=setting_values.port_or_off(*given("MANAGEMENT_PORT", "8081")),
        management_token_file=setting_values.optional_path(*given("MANAGEMENT_TOKEN_FILE")),
        image=setting_values.word(*given("IMAGE", "claude-local/llama:latest")),
        compose_project=setting_values.word(*given("COMPOSE_PROJECT", "claude-local")),
        fit_target=setting_values.megabytes(*given("FIT_TARGET")),
    )
    if settings.engine == "external" and not settings.external_url:
        raise UserError(
            "the external engine needs the address of a server",
            hint=f"for instance: {PREFIX}EXTERNAL_URL={setting_values.URL_EXAMPLE}",
        )
    return settings


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ":".join(map(str, value)) if isinstance(value, tuple) else str(value)

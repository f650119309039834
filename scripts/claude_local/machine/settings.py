"""The settings of this machine, as one table. Loading, settings.yaml and docs/settings.md are derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from claude_local.foundation.errors import UserError
from claude_local.machine import state_folder
from claude_local.machine.setting_descriptor import Places, Setting, declared_in, setting
from claude_local.machine.setting_readers import (
    URL_EXAMPLE,
    choice,
    megabytes,
    optional_path,
    path,
    paths,
    port,
    port_or_off,
    url,
    word,
    yes_or_no,
)

SANDBOXES = ("jail", "bash", "container")
ENGINES = ("auto", "docker", "embedded", "external")

FALLBACK_USER_ID = 10001
"""The container's unprivileged user if root runs this program."""


@dataclass(frozen=True)
class Settings:
    """Folders, ports and choices of this machine.

    The fields below `home` are set by environment variables: `CLAUDE_LOCAL_` and the name in capitals, for
    instance `CLAUDE_LOCAL_MODELS_DIR`. An empty variable means the default. Backticks in a default or meaning
    appear in docs/settings.md.
    """

    root: Path
    """The checkout."""
    user_id: int
    group_id: int
    home: Path
    """The user's home folder."""
    state_dir: Path = setting(
        path,
        lambda at: at.private or at.state_home / "claude-local",
        "API key, lock, logs",
        shown="`.state/` if quickstart made it, else `~/.local/state/claude-local`",
    )
    build_dir: Path = setting(
        path, lambda at: at.root / "build", "what `invoke render` writes", shown="`build/` in the checkout"
    )
    models_dir: Path = setting(
        path, lambda at: at.root / "models", "GGUF files", shown="`models/` in the checkout"
    )
    python: Path = setting(
        path,
        lambda at: at.root / ".venv" / "bin" / "python",
        "Python for `claude-local --model`, `--start` and `status`",
        shown="the Python that runs `invoke`",
    )
    profiles_dir: Path = setting(
        path, lambda at: at.root / "profiles", "model profiles", shown="`profiles/` in the checkout"
    )
    client_dir: Path = setting(
        path,
        lambda at: state_folder.PRIVATE_CLIENT.below(at.private) if at.private else at.home / ".claude-local",
        "Claude Code's folder for local sessions",
        shown="`.state/claude-local` or `~/.claude-local`",
    )
    engine: str = setting(choice(*ENGINES), "auto", "`docker`, `embedded`, `external`")
    external_url: str = setting(url, "", "base URL of an external server, without a password in it")
    external_key_file: Path | None = setting(optional_path, "", "file with that server's API key")
    sandbox: str = setting(
        choice(*SANDBOXES),
        "jail",
        "how sessions are confined: `jail`, `container`, `bash`",
        words={False: "off"},  # refused, with the word that was meant
    )
    jail_read_only: tuple[Path, ...] = setting(
        paths, "", "tool chains that the jail shows read-only, such as `~/.cargo:~/.nvm`", separator=":"
    )
    jail_switching: bool = setting(
        yes_or_no,
        "yes",
        "whether `/switch-model` works in the jail",
        words={True: "yes", False: "no"},
    )
    llama_port: int = setting(port, "8080", "port on 127.0.0.1")
    management_port: int | None = setting(
        port_or_off,
        "8081",
        "port of the management API on 127.0.0.1; `off` disables it",
        words={False: "off"},
    )
    management_token_file: Path | None = setting(
        optional_path, "", "file with a secret, required for POST, `/logs` and `/events`"
    )
    client_image: str = setting(
        word, "claude-local/client:latest", "image with Claude Code for `--sandbox container`"
    )
    image: str = setting(word, "claude-local/llama:latest", "container image")
    compose_project: str = setting(word, "claude-local", "name of the Compose project")
    fit_target: str = setting(
        megabytes,
        "",
        "MiB that stay free, one number per card (`768,2048`); default 768, or 2048 on a card that drives a display",
        shown="by card",
        separator=",",
    )

    def to_environment(self) -> dict[str, str]:
        """The environment from which `load_settings` makes the same settings."""
        texts = {one.variable: one.text(getattr(self, one.name)) for one in TABLE.values()}
        return {variable: text for variable, text in texts.items() if text}

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
        """The folder that the llama-server container reads: presets and key. Mounted read-only."""
        return state_folder.LLAMA.below(self.state_dir)

    @property
    def api_key_file(self) -> Path:
        """The key that llama-server requires and clients send; mode 0600."""
        return self.runtime_dir / "api_key"

    @property
    def insists_on_docker(self) -> bool:
        """Whether Docker was chosen explicitly, so that no other engine replaces it."""
        return self.engine == "docker"

    @property
    def is_external(self) -> bool:
        """Whether the server is not run by us."""
        return bool(self.external_url) and self.engine in ("auto", "external")

    @property
    def client_key_file(self) -> Path | None:
        """The key that clients send; None if an external server needs no key."""
        return self.external_key_file if self.is_external else self.api_key_file

    @property
    def base_url(self) -> str:
        """The address of the model for clients, without a trailing slash."""
        return self.external_url if self.is_external else f"http://127.0.0.1:{self.llama_port}"


TABLE: dict[str, Setting] = {one.name: one for one in declared_in(Settings)}
"""Every setting by its name, in the order of docs/settings.md."""


def load_settings(environment: Mapping[str, str], root: Path, *, user_id: int, group_id: int) -> Settings:
    """The settings of this machine. Raises WrongSetting for an invalid value."""
    places = _places(environment, root)
    values = {name: one.value(environment, places) for name, one in TABLE.items()}
    settings = Settings(root=root, user_id=user_id, group_id=group_id, home=places.home, **values)
    if settings.engine == "external" and not settings.external_url:
        raise UserError(
            "the external engine needs the address of a server",
            hint=f"for instance: {TABLE['external_url'].variable}={URL_EXAMPLE}",
        )
    return settings


def _places(environment: Mapping[str, str], root: Path) -> Places:
    home = Path(environment.get("HOME") or "/")
    state_home = Path(environment.get("XDG_STATE_HOME") or ".")
    if not state_home.is_absolute():  # its specification says to ignore a relative path
        state_home = home / ".local" / "state"
    private = root / ".state"
    return Places(root, home, state_home, private if private.is_dir() else None)

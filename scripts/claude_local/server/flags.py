"""Turns a profile into llama-server's flags and a section of its presets file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from claude_local.foundation.errors import UserError
from claude_local.profiles.extra_args import is_flag_token
from claude_local.profiles.model_source import HubFile
from claude_local.profiles.profile import ACTIVE_ALIAS, Profile

Option = tuple[str, str | bool]
"""A long flag without its dashes, and its value; True and False are `--flag` and `--no-flag`."""

CONTAINER_MODELS_DIR = "/models"
CONTAINER_RUNTIME_DIR = "/config"
CONTAINER_PORT = 8080

HUGE_PAGES = "glibc.malloc.hugetlb=1"
"""GLIBC_TUNABLES: anonymous memory of a model uses pages of 2 MB if Linux lets programs request them.

With 3.3 GB of weights (load_mode none) and 2.1 GB of context on two CPU cores a load takes 0.8 s instead of 2.3 s and
an unload 0.09 s instead of 0.39 s; tokens per second do not change.
"""

STOP_TIMEOUT_SECONDS = 3
"""How long the router waits for a model to end before it kills it: enough to free some tens of GB. A model that was
asked to end generates no more tokens, and with a request to answer it would not end within the router's default of
ten seconds either (seen on build 11669)."""

# Prefix of lines in the presets file that apply only to the active profile (see `activate`).
WHEN_ACTIVE = "; when active: "


def router_argv() -> list[str]:
    """Arguments of the one llama-server that loads and unloads models by name (router mode).

    The models that it starts inherit these. With `--sse-ping-interval` it ends a stream whose reader is
    gone; without, `docker stop` waits 10 s and kills it.
    """
    return [
        *("--host", "0.0.0.0"),  # noqa: S104  inside the container; published on 127.0.0.1 only
        *("--port", str(CONTAINER_PORT)),
        *("--models-preset", f"{CONTAINER_RUNTIME_DIR}/presets.ini"),
        *("--models-max", "1"),
        *("--api-key-file", f"{CONTAINER_RUNTIME_DIR}/api_key"),
        *("--cors-origins", "localhost"),
        *("--sse-ping-interval", "2"),
        "--metrics",
        "--no-ui",
    ]


def options(profile: Profile, models_dir: str, runtime_dir: str = CONTAINER_RUNTIME_DIR) -> list[Option]:
    """The flags of a profile, in the order of its fields, without unset fields."""
    values = profile.server.model_dump(exclude={"extra_args"}, exclude_none=True)
    chosen = [(name.replace("_", "-"), _text(value)) for name, value in values.items()]
    return [
        ("model", f"{models_dir}/{profile.model.file}"),
        *((flag, f"{models_dir}/{part.file}") for flag, part in _companions(profile) if part),
        *chosen,
        *_template_option(profile, runtime_dir),
        *_extra_options(profile.server.extra_args),
    ]


def server_argv(profile: Profile, models_dir: str) -> list[str]:
    """The same flags as arguments for a llama-server with only this model."""
    return [token for option in options(profile, models_dir) for token in _tokens(option)]


def preset_lines(profile: Profile) -> list[str]:
    """The section of a profile in the presets file.

    Raises UserError for a value that the format cannot express.
    """
    aliases = list(profile.aliases)
    return [
        f"[{profile.name}]",
        *(
            f"{flag} = {_preset_value(profile, flag, value)}"
            for flag, value in options(profile, CONTAINER_MODELS_DIR)
        ),
        f"stop-timeout = {STOP_TIMEOUT_SECONDS}",
        *([f"alias = {','.join(aliases)}"] if aliases else []),
        f"{WHEN_ACTIVE}alias = {','.join([*aliases, ACTIVE_ALIAS])}",
        f"{WHEN_ACTIVE}load-on-startup = true",
    ]


def activate(presets: str, name: str, *, alone: bool = False) -> str:
    """The presets with `local-llama` in section `name`; `alone` leaves the other sections out.

    A later line of a section wins over an earlier one (seen on build 11669).
    """
    section = None
    lines = []
    for line in presets.removesuffix("\n").split("\n"):
        if line.startswith("["):
            section = line.strip("[]")
        if not alone or section in (None, name):
            lines.append(line.removeprefix(WHEN_ACTIVE) if section == name else line)
    return "\n".join(lines) + "\n"


def chat_template_file(profile: Profile, runtime_dir: str) -> str:
    """The file of a profile's tolerant chat template."""
    return f"{runtime_dir}/chat_templates/{profile.name}.jinja"


def _companions(profile: Profile) -> list[tuple[str, HubFile | None]]:
    return [("mmproj", profile.model.mmproj), ("spec-draft-model", profile.model.draft)]


def _template_option(profile: Profile, runtime_dir: str) -> list[Option]:
    if profile.chat_template == "own":
        return []
    return [("chat-template-file", chat_template_file(profile, runtime_dir))]


def _preset_value(profile: Profile, flag: str, value: str | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if "#" in value or ";" in value:
        # Both end a value in this format, which has no escape (seen on build 11669); JSON has one.
        if flag != "chat-template-kwargs":
            raise UserError(
                f"profile `{profile.name}`: `{flag}` has a `#` or `;`, which llama-server's presets "
                f"file cannot carry: {value}",
                hint="rename the file or change the value; the embedded engine takes it as it is",
            )
        value = value.replace("#", "\\u0023").replace(";", "\\u003b")
    return value


def _text(value: object) -> str | bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def _tokens(option: Option) -> list[str]:
    flag, value = option
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", value]


def _extra_options(tokens: Iterable[str]) -> Iterator[Option]:
    flag = None
    for token in tokens:
        is_flag = is_flag_token(token)
        if flag and is_flag:
            yield flag, True
        if is_flag:
            flag = token.removeprefix("--")
        elif flag:
            yield flag, token
            flag = None
    if flag:
        yield flag, True

"""Turns a profile into what llama-server understands: flags, and sections of its presets file."""

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
"""GLIBC_TUNABLES: memory of a model that is in no file comes in pages of 2 MB where Linux lets programs ask for them.

With 3.3 GB of weights (load_mode none) and 2.1 GB of context on two CPU cores a load takes 0.8 s instead of 2.3 s and
an unload 0.09 s instead of 0.39 s; tokens a second stay what they were.
"""

STOP_TIMEOUT_SECONDS = 3
"""How long the router lets a model end by itself before it kills it. That is enough to give some tens of GB back. One
that is told to end writes no token any more, and with a request to answer it would not end in the ten seconds of the
router's own (seen on build 11669)."""

# Lines of the presets file that count only for the active profile (see `activate`).
WHEN_ACTIVE = "; when active: "


def router_argv() -> list[str]:
    """Arguments of the one llama-server that loads and unloads models by name (router mode).

    The models it starts inherit these. `--sse-ping-interval` lets it end a stream whose reader is
    gone; without it `docker stop` takes 10 s and a kill.
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
    """The flags of a profile in the order of its fields; unset fields give none."""
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
    """The same as tokens for a llama-server that runs this one model."""
    return [token for option in options(profile, models_dir) for token in _tokens(option)]


def preset_lines(profile: Profile) -> list[str]:
    """The section of a profile in the presets file.

    Raises UserError for a value that the format cannot carry.
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
    """The presets with `local-llama` on the section called `name`; `alone` leaves the others out.

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
    """Where the tolerant chat template of a profile lies."""
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
        # The format ends a value there and has no escape (seen on build 11669); JSON has one.
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

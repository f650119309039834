"""settings: places and choices from the environment, and clear messages for invalid values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest

from claude_local.foundation.errors import UserError
from claude_local.machine.setting_descriptor import PREFIX
from claude_local.machine.settings import ENGINES, Settings, load_settings

NO_PLACE = "should name a host, and a port from 1 to 65535 or none"
PLACELESS = (
    *(
        "http://127.0.0.1:99999",
        "http://gpu:0",
        "http://gpu:http",
        "http://[::1",
        "http://[::g]:80",
        "http://:80",
    ),
    *("https://gpu'$(id):80", "http://g|pu"),
)
NOT_FROM_THE_ENVIRONMENT = {"root", "user_id", "group_id", "home"}


def load(environment: Mapping[str, str], root: Path = Path("/checkout")) -> Settings:
    return load_settings({"HOME": "/home/me", **environment}, root, user_id=1000, group_id=1001)


def test_without_variables_every_setting_has_its_default() -> None:
    settings = load({})

    assert settings == Settings(
        root=Path("/checkout"),
        user_id=1000,
        group_id=1001,
        home=Path("/home/me"),
        state_dir=Path("/home/me/.local/state/claude-local"),
        build_dir=Path("/checkout/build"),
        python=Path("/checkout/.venv/bin/python"),
        models_dir=Path("/checkout/models"),
        profiles_dir=Path("/checkout/profiles"),
        client_dir=Path("/home/me/.claude-local"),
        engine="auto",
        external_url="",
        external_key_file=None,
        sandbox="jail",
        jail_read_only=(),
        jail_switching=True,
        client_image="claude-local/client:latest",
        llama_port=8080,
        management_port=8081,
        management_token_file=None,
        image="claude-local/llama:latest",
        compose_project="claude-local",
    )


def test_a_private_state_folder_in_the_checkout_keeps_everything_there(tmp_path: Path) -> None:
    (tmp_path / ".state").mkdir()

    settings = load({"XDG_STATE_HOME": "/xdg"}, tmp_path)

    assert settings.state_dir == tmp_path / ".state"
    assert settings.client_dir == tmp_path / ".state" / "claude-local"


def test_xdg_state_home_holds_the_state() -> None:
    assert load({"XDG_STATE_HOME": "/xdg"}).state_dir == Path("/xdg/claude-local")


def test_a_relative_xdg_state_home_is_ignored_as_its_specification_says() -> None:
    assert load({"XDG_STATE_HOME": "state"}) == load({})


def test_an_empty_environment_gives_settings_too() -> None:
    settings = load_settings({}, Path("/checkout"), user_id=0, group_id=0)

    assert settings.state_dir == Path("/.local/state/claude-local")
    assert settings.client_dir == Path("/.claude-local")


def test_every_field_can_be_set_by_its_name_in_capitals() -> None:
    values: dict[str, object] = {
        "state_dir": Path("/s"),
        "build_dir": Path("/b"),
        "python": Path("/usr/bin/python3"),
        "models_dir": Path("/m with space"),
        "profiles_dir": Path("/p"),
        "client_dir": Path("/c"),
        "engine": "docker",
        "external_url": "http://gpu:8000",
        "external_key_file": Path("/k"),
        "sandbox": "bash",
        "jail_read_only": (Path("/home/me/.cargo"), Path("/opt/go")),
        "jail_switching": False,
        "client_image": "mine/client@sha256:1",
        "llama_port": 65535,
        "management_port": 65534,
        "management_token_file": Path("/t"),
        "image": "registry:5000/llama@sha256:0",
        "compose_project": "mine",
        "fit_target": "768,2048",
    }

    special = {"jail_read_only": "~/.cargo:/opt/go", "jail_switching": "no"}
    settings = load({PREFIX + name.upper(): special.get(name, str(value)) for name, value in values.items()})

    assert {field.name for field in fields(Settings)} == values.keys() | NOT_FROM_THE_ENVIRONMENT
    assert {name: getattr(settings, name) for name in values} == values


def test_an_empty_variable_is_the_default() -> None:
    names = {field.name for field in fields(Settings)} - NOT_FROM_THE_ENVIRONMENT

    settings = load({PREFIX + name.upper(): "" for name in names})

    assert settings == load({})


@pytest.mark.parametrize("engine", ["auto", "docker", "embedded"])
def test_an_engine_can_be_chosen(engine: str) -> None:
    assert engine in ENGINES
    assert load({"CLAUDE_LOCAL_ENGINE": engine}).engine == engine


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("STATE_DIR", "state", "CLAUDE_LOCAL_STATE_DIR should be an absolute path, not `state`"),
        ("MODELS_DIR", "~/models", "CLAUDE_LOCAL_MODELS_DIR should be an absolute path, not `~/models`"),
        (
            "PROFILES_DIR",
            "/a\nb",
            "CLAUDE_LOCAL_PROFILES_DIR should not contain line breaks or control characters",
        ),
        (
            "CLIENT_DIR",
            "/a\x1b[31m",
            "CLAUDE_LOCAL_CLIENT_DIR should not contain line breaks or control characters",
        ),
        (
            "ENGINE",
            "podman",
            "CLAUDE_LOCAL_ENGINE should be one of auto, docker, embedded, external, not `podman`",
        ),
        (
            "FIT_TARGET",
            "1 GB",
            "CLAUDE_LOCAL_FIT_TARGET should be MiB such as `768` or `768,2048`, not `1 GB`",
        ),
        (
            "FIT_TARGET",
            "768,",
            "CLAUDE_LOCAL_FIT_TARGET should be MiB such as `768` or `768,2048`, not `768,`",
        ),
        (
            "EXTERNAL_URL",
            "gpu:8000",
            "CLAUDE_LOCAL_EXTERNAL_URL should start with http:// or https://, not `gpu:8000`",
        ),
        (
            "EXTERNAL_URL",
            "http://a b",
            "CLAUDE_LOCAL_EXTERNAL_URL should start with http:// or https://, not `http://a b`",
        ),
        *(("EXTERNAL_URL", url, f"CLAUDE_LOCAL_EXTERNAL_URL {NO_PLACE}, not `{url}`") for url in PLACELESS),
        (
            "EXTERNAL_URL",
            "https://gpu/v1?key=1",
            "CLAUDE_LOCAL_EXTERNAL_URL should end before `?` and `#`, not `https://gpu/v1?key=1`",
        ),
        (
            "EXTERNAL_URL",
            "http://me:secret@[gpu",
            "CLAUDE_LOCAL_EXTERNAL_URL should not contain a user name or password: put the key into a file, "
            "CLAUDE_LOCAL_EXTERNAL_KEY_FILE",
        ),
        (
            "MANAGEMENT_PORT",
            "none",
            "CLAUDE_LOCAL_MANAGEMENT_PORT should be a port from 1 to 65535, or `off`, not `none`",
        ),
        ("LLAMA_PORT", "0", "CLAUDE_LOCAL_LLAMA_PORT should be a port from 1 to 65535, not `0`"),
        ("LLAMA_PORT", "65536", "CLAUDE_LOCAL_LLAMA_PORT should be a port from 1 to 65535, not `65536`"),
        ("LLAMA_PORT", "-1", "CLAUDE_LOCAL_LLAMA_PORT should be a port from 1 to 65535, not `-1`"),
        ("LLAMA_PORT", "http", "CLAUDE_LOCAL_LLAMA_PORT should be a port from 1 to 65535, not `http`"),
        ("LLAMA_PORT", "٨٠", "CLAUDE_LOCAL_LLAMA_PORT should be a port from 1 to 65535, not `٨٠`"),
        ("IMAGE", "a b", "CLAUDE_LOCAL_IMAGE should be one printable word, not `a b`"),
        ("COMPOSE_PROJECT", "a b", "CLAUDE_LOCAL_COMPOSE_PROJECT should be one printable word, not `a b`"),
    ],
)
def test_an_invalid_value_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load({PREFIX + name: value})

    assert caught.value.message == message


def test_a_port_of_5000_digits_is_refused_like_any_other() -> None:
    with pytest.raises(UserError) as caught:
        load({"CLAUDE_LOCAL_LLAMA_PORT": "9" * 5000})

    assert caught.value.message.startswith("CLAUDE_LOCAL_LLAMA_PORT should be a port from 1 to 65535")


def test_the_external_engine_without_an_address_is_refused_with_an_example() -> None:
    with pytest.raises(UserError) as caught:
        load({"CLAUDE_LOCAL_ENGINE": "external"})

    assert caught.value.message == "the external engine needs the address of a server"
    assert caught.value.hint == "for instance: CLAUDE_LOCAL_EXTERNAL_URL=http://127.0.0.1:11434"


def test_the_folders_below_root_and_state_are_derived_from_them() -> None:
    settings = load({"CLAUDE_LOCAL_STATE_DIR": "/state"})

    assert settings.build_dir == Path("/checkout/build")
    assert settings.templates_dir == Path("/checkout/templates")
    assert settings.runtime_dir == Path("/state/llama")
    assert settings.api_key_file == Path("/state/llama/api_key")


def test_clients_reach_our_own_server_on_the_loopback_address() -> None:
    settings = load({"CLAUDE_LOCAL_LLAMA_PORT": "8090"})

    assert not settings.is_external
    assert settings.base_url == "http://127.0.0.1:8090"


def test_clients_reach_an_external_server_without_a_trailing_slash() -> None:
    settings = load({"CLAUDE_LOCAL_EXTERNAL_URL": "https://gpu:8000/llama//"})

    assert settings.is_external
    assert settings.base_url == "https://gpu:8000/llama"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:11434", "https://gpu", "http://[::1]:8000/llama", "https://a-b.example:443/v"]
)
def test_every_form_of_address_is_accepted(url: str) -> None:
    assert load({"CLAUDE_LOCAL_EXTERNAL_URL": url}).base_url == url


@pytest.mark.parametrize(
    ("engine", "is_external"),
    [("auto", True), ("external", True), ("docker", False), ("embedded", False)],
)
def test_an_engine_chosen_by_name_wins_over_an_external_address(engine: str, is_external: bool) -> None:
    settings = replace(load({"CLAUDE_LOCAL_EXTERNAL_URL": "http://gpu"}), engine=engine)

    assert settings.is_external is is_external


def test_a_management_api_that_is_off_survives_a_round_trip() -> None:
    settings = load({"CLAUDE_LOCAL_MANAGEMENT_PORT": "off"})

    assert settings.management_port is None
    assert load(settings.to_environment()) == settings


def test_every_setting_survives_a_round_trip() -> None:
    environment = {
        "CLAUDE_LOCAL_JAIL_READ_ONLY": "/opt/a:/opt/b",
        "CLAUDE_LOCAL_JAIL_SWITCHING": "no",
        "CLAUDE_LOCAL_EXTERNAL_URL": "http://gpu",
        "CLAUDE_LOCAL_EXTERNAL_KEY_FILE": "/k",
        "CLAUDE_LOCAL_MANAGEMENT_TOKEN_FILE": "/t",
        "CLAUDE_LOCAL_FIT_TARGET": "768,2048",
    }

    settings = load(environment)

    assert environment.items() <= settings.to_environment().items()
    assert load(settings.to_environment()) == settings


def test_settings_made_by_hand_have_the_defaults_of_the_table() -> None:
    loaded = load({})

    by_hand = Settings(
        root=loaded.root,
        user_id=loaded.user_id,
        group_id=loaded.group_id,
        home=loaded.home,
        state_dir=loaded.state_dir,
        build_dir=loaded.build_dir,
        models_dir=loaded.models_dir,
        python=loaded.python,
        profiles_dir=loaded.profiles_dir,
        client_dir=loaded.client_dir,
    )

    assert by_hand == loaded

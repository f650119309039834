"""claude_code: Claude Code knows only the local server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claude_local.client import claude_code
from claude_local.machine.settings import Settings, load_settings

SETTINGS = load_settings({"HOME": "/home/me"}, Path("/checkout"), user_id=1000, group_id=1000)


def local(**variables: str) -> Settings:
    return load_settings(
        {"HOME": "/home/me", **{f"CLAUDE_LOCAL_{name}": value for name, value in variables.items()}},
        Path("/checkout"),
        user_id=1000,
        group_id=1000,
    )


def test_every_model_that_claude_code_may_request_is_the_active_one() -> None:
    models = {name: value for name, value in claude_code.environment(local()).items() if "MODEL" in name}
    for switch in ("CLAUDE_CODE_MODEL_CAPABILITIES", "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"):
        models.pop(switch)

    assert models == dict.fromkeys(
        [
            "ANTHROPIC_MODEL",
            "ANTHROPIC_DEFAULT_OPUS_MODEL",
            "ANTHROPIC_DEFAULT_SONNET_MODEL",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL",
            "ANTHROPIC_SMALL_FAST_MODEL",
            "CLAUDE_CODE_SUBAGENT_MODEL",
        ],
        "local-llama",
    )


def test_claude_code_talks_to_the_port_of_our_server() -> None:
    environment = claude_code.environment(local(LLAMA_PORT="8090"))

    assert environment["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8090"


def test_claude_code_talks_to_the_external_server_where_there_is_one() -> None:
    environment = claude_code.environment(local(EXTERNAL_URL="http://gpu:8000/"))

    assert environment["ANTHROPIC_BASE_URL"] == "http://gpu:8000"


def test_claude_code_keeps_local_sessions_in_their_own_folder() -> None:
    environment = claude_code.environment(local(CLIENT_DIR="/client dir"))

    assert environment["CLAUDE_CONFIG_DIR"] == "/client dir"


def test_the_environment_in_build_contains_no_key() -> None:
    environment = claude_code.environment(local())

    assert environment["ANTHROPIC_API_KEY"] == ""
    assert "ANTHROPIC_AUTH_TOKEN" not in environment


def test_no_fixed_variable_is_also_passed_from_the_user() -> None:
    passed = claude_code.PASSED_VARIABLES

    assert len(set(passed)) == len(passed)
    assert set(passed).isdisjoint(claude_code.environment(local()))


def test_variables_that_could_redirect_requests_are_empty_in_process_and_settings() -> None:
    layers = (claude_code.environment(SETTINGS), settings_for("off")["env"])

    for layer in layers:
        assert {name: layer.get(name) for name in claude_code.NOWHERE_ELSE} == claude_code.NOWHERE_ELSE
        assert layer["CLAUDE_CODE_ENVIRONMENT_KIND"] == "byoc"  # otherwise settings override the process


def test_secrets_and_proxies_of_the_user_are_not_passed() -> None:
    telling = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PROXY", "ANTHROPIC", "AWS", "GOOGLE", "NODE_")

    assert [name for name in claude_code.PASSED_VARIABLES if any(word in name for word in telling)] == []


def settings_for(mode: str, *, full: bool = False) -> dict[str, Any]:
    return claude_code.client_settings(SETTINGS, ["demo"], mode=mode, full=full)


def test_the_settings_are_json_and_deny_each_cloud_tool_once() -> None:
    settings = settings_for("jail")

    assert settings == json.loads(json.dumps(settings))
    assert settings["permissions"] == {
        "defaultMode": "default",  # it always asks
        "deny": list(dict.fromkeys(claude_code.DENIED_TOOLS)),
    }
    assert settings["availableModels"] == ["local-llama", "demo"]
    assert {"WebSearch", "WebFetch"} <= set(claude_code.DENIED_TOOLS)


@pytest.mark.parametrize("mode", ["jail", "bash", "off"])
@pytest.mark.parametrize("full", [False, True])
def test_questions_can_be_skipped_only_in_the_jail(mode: str, full: bool) -> None:
    permissions = settings_for(mode, full=full)["permissions"]

    assert permissions["defaultMode"] == "default"
    assert permissions.get("disableBypassPermissionsMode") == (None if mode == "jail" else "disable")


def test_claude_codes_own_sandbox_is_on_only_in_the_mode_bash() -> None:
    confined = settings_for("bash")

    assert confined["sandbox"] | {"filesystem": {}} == {
        "enabled": True,
        "failIfUnavailable": True,
        "autoAllowBashIfSandboxed": False,
        "allowUnsandboxedCommands": False,
        "filesystem": {},
    }
    assert confined["permissions"]["ask"] == ["Bash"]
    assert "sandbox" not in settings_for("jail")
    assert "sandbox" not in settings_for("off")


def test_only_the_jail_uses_the_door() -> None:
    sockets = {mode: settings_for(mode)["env"]["ANTHROPIC_UNIX_SOCKET"] for mode in ("jail", "bash", "off")}

    assert sockets == {"jail": claude_code.DOOR_SOCKET, "bash": "", "off": ""}


def test_the_beginning_of_the_prompt_is_the_same_in_every_folder() -> None:
    assert claude_code.ARGUMENTS == ("--exclude-dynamic-system-prompt-sections",)

"""extra_args: the flags that a profile may pass to llama-server unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claude_local.profiles.load import load_profiles
from claude_local.profiles.profile import ServerOptions
from support.profile_folder import MINIMAL, mistakes_in, write


def extra_args_in(folder: Path, tokens: list[str]) -> str:
    write(folder, {"a.yaml": MINIMAL + f"server: {{extra_args: {json.dumps(tokens)}}}\n"})
    messages, _ = mistakes_in(folder)
    assert len(messages) == 1
    return messages[0]


@pytest.mark.parametrize(
    "tokens",
    [
        ["--keep", "64"],
        ["--keep", "-1"],
        ["--ignore-eos"],
        ["--no-kv-offload", "--check-tensors", "--numa", "isolate"],
        ["--override-kv", "a.b=str:x y", "--logit-bias", "15043-1"],
        ["--rope-scaling", "yarn", "--yarn-orig-ctx", "32768"],
        ["--reasoning-budget-message", "that's enough; $HOME `id` # no comment"],
        ["--spec-draft-p-min", "0.5", "--spec-ngram-mod-n-min", "2"],
    ],
)
def test_flags_that_affect_only_the_computation_are_passed_unchanged(folder: Path, tokens: list[str]) -> None:
    write(folder, {"a.yaml": MINIMAL + f"server: {{extra_args: {json.dumps(tokens)}}}\n"})

    assert load_profiles(folder)["a"].server.extra_args == tuple(tokens)


@pytest.mark.parametrize(
    "flag",
    [
        "--agent",
        "--alias",
        "--api-key",
        "--api-key-file",
        "--api-prefix",
        "--chat-template-file",
        "--control-vector",
        "--cors-origins",
        "--docker-repo",
        "--grammar-file",
        "--hf-repo",
        "--hf-token",
        "--host",
        "--log-file",
        "--log-prompts-dir",
        "--lora",
        "--lora-scaled",
        "--mcp-servers-config",
        "--mcp-servers-json",
        "--media-path",
        "--mmproj",
        "--model",
        "--model-url",
        "--models-autoload",
        "--models-dir",
        "--models-preset",
        "--path",
        "--port",
        "--props",
        "--reuse-port",
        "--rpc",
        "--slot-save-path",
        "--spec-draft-hf",
        "--spec-draft-model",
        "--ssl-key-file",
        "--tools",
        "--tools-runtime",
        "--ui-mcp-proxy",
        "--video-ffmpeg-dir",
        "-c",
        "-",
        "--",
        "---keep",
        "--KEEP",
        "--keep=1",
        "--keep ",
        "--keep=1 --host",
        "--keep --host",
        "--prio=1",
        "--prio --host",
        "--prio = 1 --host",
        "--rope-freq-base]",
        "--dry-base # comment",
        "--mirostat; x",
    ],
)
def test_any_other_flag_is_refused_in_every_position(folder: Path, flag: str) -> None:
    tokens = ["--keep", "64", flag, "x"]

    message = extra_args_in(folder, tokens)

    problem = f"should not hold `{flag}`, which is not on the list of allowed flags"
    assert message == f"profiles/a.yaml:4: server/extra_args: {problem}, not {shortened(tokens)}"


def shortened(tokens: list[str]) -> str:
    shown = repr(tokens)
    return shown if len(shown) <= 60 else shown[:57] + "..."


@pytest.mark.parametrize(
    "token", ["--poll\u2028host = 0.0.0.0", "1\u2028host = 0.0.0.0", "1\x85host = 0.0.0.0"]
)
def test_an_extra_token_with_a_line_break_is_refused(folder: Path, token: str) -> None:
    message = extra_args_in(folder, ["--keep", token])

    assert message.startswith("profiles/a.yaml:4: server/extra_args")


@pytest.mark.parametrize("tokens", [["64"], ["-c", "1"], ["-1"], ["keep", "1"]])
def test_extra_args_begin_with_a_long_flag(folder: Path, tokens: list[str]) -> None:
    message = extra_args_in(folder, tokens)

    problem = "should start with a long flag such as `--keep`"
    assert message == f"profiles/a.yaml:4: server/extra_args: {problem}, not {tokens}"


def test_a_refused_flag_as_the_value_of_an_allowed_one_is_refused(folder: Path) -> None:
    message = extra_args_in(folder, ["--rope-scale", "--rpc"])

    problem = "should not hold `--rpc`, which is not on the list of allowed flags"
    assert message == f"profiles/a.yaml:4: server/extra_args: {problem}, not ['--rope-scale', '--rpc']"


@pytest.mark.parametrize("field", [name for name in ServerOptions.model_fields if name != "extra_args"])
def test_a_flag_with_its_own_field_is_refused(folder: Path, field: str) -> None:
    flag = "--" + field.replace("_", "-")

    message = extra_args_in(folder, [flag, "1"])

    problem = f"should not repeat `{flag}`, which has its own field"
    assert message == f"profiles/a.yaml:4: server/extra_args: {problem}, not {[flag, '1']}"


def test_a_second_value_of_one_flag_is_refused_not_dropped(folder: Path) -> None:
    message = extra_args_in(folder, ["--keep", "64", "stray"])

    assert message.startswith("profiles/a.yaml:4: server/extra_args")

"""engines/router: which model is active, and which is in memory."""

from __future__ import annotations

from typing import Any

import pytest

from claude_local.server.router import active_model, loaded_model, running_model, speed

OLD = {"id": "old", "aliases": ["o"]}
NEW = {"id": "new", "aliases": ["n", "local-llama"]}


@pytest.mark.parametrize(
    ("models", "active"),
    [
        ([], {}),
        ([OLD], {}),
        ([OLD, NEW], NEW),
        ([NEW, OLD], NEW),
        ([{"id": "local-llama-2", "aliases": ["local-llama-3"]}], {}),
    ],
)
def test_the_active_model_is_the_one_with_the_alias(
    models: list[dict[str, Any]], active: dict[str, Any]
) -> None:
    assert active_model(models) == active


def test_only_a_model_that_is_not_unloaded_is_in_memory() -> None:
    models = [{"id": "a", "status": {"value": "unloaded"}}, {"id": "b", "status": {"value": "loading"}}]

    assert (running_model(models), running_model(models[:1])) == ("b", None)


def test_only_a_model_that_is_loaded_can_answer_somebody() -> None:
    states = ["unloaded", "loading", "sleeping", "loaded"]
    models = [{"id": state, "status": {"value": state}} for state in states]

    assert (loaded_model(models), loaded_model(models[:-1])) == ("loaded", None)


@pytest.mark.parametrize(
    ("tokens", "seconds", "expected"),
    [
        ("", "", None),
        ("0", "0", None),
        ("3", "3e-06", None),  # three probes of one token
        ("41", "0.5", 82.0),
        ("3001", "12.5", 240.08),
    ],
)
def test_answers_of_one_token_say_nothing_about_the_speed(
    tokens: str, seconds: str, expected: float | None
) -> None:
    metrics = f"llamacpp:tokens_predicted_total {tokens}\nllamacpp:tokens_predicted_seconds_total {seconds}\n"

    assert speed(metrics, "tokens_predicted_total", "tokens_predicted_seconds_total") == expected


@pytest.mark.parametrize(("tokens", "expected"), [("1", None), ("31", None), ("32", 64.0)])
def test_prompts_of_a_few_tokens_say_nothing_about_the_speed(tokens: str, expected: float | None) -> None:
    metrics = f"llamacpp:prompt_tokens_total {tokens}\nllamacpp:prompt_seconds_total 0.5\n"

    assert speed(metrics, "prompt_tokens_total", "prompt_seconds_total", from_tokens=32) == expected

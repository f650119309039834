"""model_facts: which counters of a server are meaningful for its speed."""

from __future__ import annotations

import pytest

from claude_local.server.model_facts import speed


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
def test_answers_of_one_token_do_not_count_for_the_speed(
    tokens: str, seconds: str, expected: float | None
) -> None:
    metrics = f"llamacpp:tokens_predicted_total {tokens}\nllamacpp:tokens_predicted_seconds_total {seconds}\n"

    assert speed(metrics, "tokens_predicted_total", "tokens_predicted_seconds_total") == expected


@pytest.mark.parametrize(("tokens", "expected"), [("1", None), ("31", None), ("32", 64.0)])
def test_short_prompts_do_not_count_for_the_speed(tokens: str, expected: float | None) -> None:
    metrics = f"llamacpp:prompt_tokens_total {tokens}\nllamacpp:prompt_seconds_total 0.5\n"

    assert speed(metrics, "prompt_tokens_total", "prompt_seconds_total", from_tokens=32) == expected

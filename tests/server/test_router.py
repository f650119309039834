"""router: which model is active, and which is in memory."""

from __future__ import annotations

from typing import Any

import pytest

from claude_local.server.router import active_model, loaded_model, running_model

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


def test_only_a_loaded_model_can_answer() -> None:
    states = ["unloaded", "loading", "sleeping", "loaded"]
    models = [{"id": state, "status": {"value": state}} for state in states]

    assert (loaded_model(models), loaded_model(models[:-1])) == ("loaded", None)

"""engines/router: which model is active, and the one line that tells why a model failed."""

from __future__ import annotations

from typing import Any

import pytest

from claude_local.engines.router import active_model, loaded_model, reason_in

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


def test_the_reason_is_the_first_error_of_the_model_that_failed() -> None:
    lines = [
        "0.00.010.000 I srv  main: starting",
        "[40001] 0.00.100.000 I llama_model_load: loading model",
        "[40001] 0.00.200.000 E llama_model_load: error loading model: bad magic",
        "[40001] 0.00.300.000 E srv    load_model: failed to load model",
        "0.00.400.000 E srv  router: instance exited",
    ]

    assert reason_in(lines) == "error loading model: bad magic"


def test_the_reason_is_of_the_last_model_and_not_of_one_before() -> None:
    lines = [
        "[40001] 0.00.200.000 E llama_model_load: the first reason",
        "[40002] 0.00.200.000 I llama_model_load: loading model",
        "[40002] 0.00.300.000 E llama_model_load: the second reason",
        "[40002] 0.00.400.000 I srv: exiting",
    ]

    assert reason_in(lines) == "the second reason"


def test_what_the_router_says_of_missing_files_is_no_reason() -> None:
    lines = [
        "0.00.010.000 E srv  presets: error: file /models/other.gguf does not exist",
        "[40001] 0.00.100.000 I llama_model_load: loading model",
        "[40001] 0.00.200.000 I srv: out of memory",
        "[40001] 0.00.300.000 I srv: bye",
    ]

    assert reason_in(lines) == "out of memory / bye"


def test_a_line_with_the_word_error_counts_whatever_its_case() -> None:
    lines = ["[40001] ggml_cuda_init: CUDA ERROR: out of memory", "[40001] done"]

    assert reason_in(lines) == "ggml_cuda_init: CUDA ERROR: out of memory"


def test_without_any_model_the_router_itself_is_asked() -> None:
    lines = ["0.00.010.000 I srv: starting", "0.00.020.000 E srv  main: cannot read the key file"]

    assert reason_in(lines) == "main: cannot read the key file"


def test_without_any_error_the_last_two_lines_are_the_reason() -> None:
    assert reason_in(["one", "two", "three"]) == "two / three"


def test_an_empty_log_has_no_reason() -> None:
    assert reason_in([]) == ""


def test_only_a_model_that_is_not_unloaded_is_in_memory() -> None:
    models = [{"id": "a", "status": {"value": "unloaded"}}, {"id": "b", "status": {"value": "loading"}}]

    assert (loaded_model(models), loaded_model(models[:1])) == ("b", None)

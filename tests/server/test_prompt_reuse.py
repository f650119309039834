"""The last requests, from the log of a real llama-server (build 11669) with random weights."""

from __future__ import annotations

from pathlib import Path

from claude_local.foundation.snapshot import Turn
from claude_local.server.prompt_reuse import TurnReader

LOG = (Path(__file__).parents[1] / "data" / "turns.log").read_text().splitlines()


def turns_in(lines: list[str]) -> tuple[Turn, ...]:
    reader = TurnReader()
    for line in lines:
        reader.feed(line)
    return reader.turns


def test_the_turns_match_the_answers_of_the_server() -> None:
    # The log of two scripts and two Claude Code sessions.
    # The answers to the scripts: cached 7, 1412, 4, 754 and read 1411, 13, 921, 13.
    assert [(turn.cached_tokens, turn.prompt_tokens, turn.answer_tokens) for turn in turns_in(LOG)] == [
        (0, 81, 1),
        (7, 1418, 30),
        (1412, 1425, 30),
        (4, 925, 30),
        (754, 767, 30),
        (4, 8651, 8),
        (8644, 8651, 27),
    ]


def test_only_a_long_prompt_that_was_mostly_read_again_has_a_reason() -> None:
    assert [turn.reason for turn in turns_in(LOG)] == [
        None,  # of 81 tokens, like our own test request after loading: too short for a reason
        "first request of this slot",  # that test request was no conversation
        None,
        "another conversation took the slot",
        None,
        "another conversation took the slot",
        None,
    ]


def test_speeds_are_those_of_the_request() -> None:
    last = turns_in(LOG)[-1]

    assert (last.prompt_tokens_per_second, last.generation_tokens_per_second) == (432.74, 456.2)


def test_a_prompt_that_changed_in_the_middle_has_the_place_in_its_reason() -> None:
    slot, task = "0.01.0 I slot function: id  0 | task -1 | ", "0.01.0 I slot function: id  0 | task 9 | "
    lines = [
        slot + "selected slot by LCP similarity, f_sim_best = 0.412 (> 0.100 thold), f_keep = 0.4",
        task + "prompt eval time =     100.00 ms /   588 tokens (0 ms per token, 5880.00 tokens per second)",
        task + "       eval time =     100.00 ms /    11 tokens (0 ms per token, 110.00 tokens per second)",
        task + "stop processing: n_tokens = 1010, truncated = 0",
    ]

    assert turns_in(lines) == (
        Turn(
            slot=0,
            prompt_tokens=1000,
            cached_tokens=412,
            answer_tokens=11,
            prompt_tokens_per_second=5880.0,
            generation_tokens_per_second=110.0,
            reason="the prompt changed after 41%",
        ),
    )


def test_a_model_that_cannot_rewind_has_that_reason() -> None:
    lines = [
        LOG[0].replace("LRU, n_tokens = 0, t_last = -1", "LCP similarity, f_sim_best = 0.900"),
        LOG[1].replace("processing task", "forcing full prompt re-processing due to lack of cache data"),
        *(line.replace("  81 tokens", " 810 tokens").replace("= 81,", "= 810,") for line in LOG[2:8]),
    ]

    assert [turn.reason for turn in turns_in(lines)] == [
        "the model cannot rewind its memory to where the prompts differ"
    ]


def test_cancelled_requests_and_noise_give_no_turn() -> None:
    assert turns_in(["", "slot", " slot \x1b[31m", *LOG[:2], LOG[7]]) == ()


def test_the_first_request_keeps_its_reason_when_the_memory_cannot_be_rewound() -> None:
    lines = [
        SLOT + "selected slot by LRU, n_tokens = 21, t_last = 892610725",
        TASK + "forcing full prompt re-processing due to lack of cache data",
        *turn_lines(read=900, total=910),
        SLOT + "selected slot by LCP similarity, f_sim_best = 0.412 (> 0.100 thold), f_keep = 0.4",
        TASK + "forcing full prompt re-processing due to lack of cache data",
        *turn_lines(read=900, total=910),
        SLOT + "selected slot by LRU, n_tokens = 910, t_last = 892610730",
        *turn_lines(read=700, total=710),
    ]

    assert [turn.reason for turn in turns_in(lines)] == [
        "first request of this slot",
        "the model cannot rewind its memory to where the prompts differ",
        "another conversation took the slot",
    ]


SLOT, TASK = "0.01.0 I slot function: id  0 | task -1 | ", "0.01.0 I slot function: id  0 | task 9 | "


def turn_lines(*, read: int, total: int) -> list[str]:
    return [
        TASK
        + f"prompt eval time =   100.00 ms /   {read} tokens (0 ms per token, 5880.00 tokens per second)",
        TASK + "       eval time =   100.00 ms /    11 tokens (0 ms per token, 110.00 tokens per second)",
        TASK + f"stop processing: n_tokens = {total}, truncated = 0",
    ]

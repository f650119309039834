"""build_progress: what a user sees during a build, from recorded output of BuildKit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_local.build.image.build_progress import BuildProgress, advance, duration

LOGS = Path(__file__).parents[2] / "data" / "build-logs"


def after(*lines: str) -> BuildProgress:
    now = BuildProgress()
    for line in lines:
        now = advance(now, line)
    return now


def seen(log: str) -> list[str]:
    """Everything shown during a recorded build, without repetitions and estimates."""
    now, shown = BuildProgress(), ["preparing"]
    for line in (LOGS / log).read_text().splitlines():
        now = advance(now, line)
        words = now.describe().partition(" about")[0].rstrip(",")
        if words != shown[-1]:
            shown.append(words)
    return shown


def test_a_recorded_build_goes_through_its_stages_in_order() -> None:
    assert seen("good.txt") == [
        "preparing",
        "installing the compiler",
        "copying the local checkout",
        "compiling",
        "compiling 12% (1/8)",
        "compiling 25% (2/8)",
        "compiling 38% (3/8)",
        "compiling 50% (4/8)",
        "compiling 62% (5/8)",
        "compiling 75% (6/8)",
        "compiling 88% (7/8)",
        "compiling 100% (8/8)",
        "installing the result",
        "finishing the image",
    ]


def test_the_estimate_assumes_the_speed_so_far() -> None:
    now = after(
        "#11 [build 1/1] RUN cmake",
        "#11 10.0 [20/200] Building CXX object a",
        "#11 70.0 [50/200] Building CUDA object b",
    )

    assert now.remaining_seconds == pytest.approx(60 / 30 * 150)
    assert now.describe() == "compiling 25% (50/200), about 5 min left"


def test_there_is_no_estimate_from_a_single_line() -> None:
    now = after("#11 [build 1/1] RUN cmake", "#11 10.0 [1/200] Building CXX object a")

    assert now.remaining_seconds is None
    assert now.describe() == "compiling 0% (1/200)"


def test_the_packages_of_the_result_are_not_shown_while_the_compiler_runs() -> None:
    now = after(
        "#11 [build 1/1] RUN cmake",
        "#11 10.0 [1/2] Building CXX object a",
        "#8 [compiled 2/3] RUN apt-get update",
    )

    assert now.stage == "build"


def test_other_lines_that_resemble_progress_are_ignored() -> None:
    now = after("#7 [internal] load build definition", "#7 1.0 [x/y] Building", "[3/4] no step", "", "#")

    assert now == BuildProgress()


@given(st.lists(st.text() | st.from_regex(r"#\d+ (\d+\.\d+ )?\[\w+ \d+/\d+\] ?.*"), max_size=20))
def test_no_output_breaks_it(lines: list[str]) -> None:
    now = after(*lines)

    assert now.describe()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (36000, "10 h 00 min"),
    ],
)
def test_durations_are_written_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words

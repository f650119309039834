"""console: what people read about a server that runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from claude_local.checks.verify import verify
from claude_local.checks.verify.session import Result
from claude_local.cli import loading
from claude_local.cli.loading import watch_loading
from claude_local.cli.profile_list import show_profiles
from claude_local.cli.show_status import show_snapshot
from claude_local.foundation.errors import UserError
from claude_local.foundation.snapshot import STOPPED, LastSwitch, Outcome, Snapshot, State
from claude_local.machine import hints, terminal
from claude_local.machine.settings import Settings, load_settings
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.profile import Profile

READY = replace(STOPPED, state="ready", base_url="http://127.0.0.1:8080")


@pytest.fixture
def settings() -> Settings:
    return load_settings({"HOME": "/h"}, Path("/c"), user_id=1, group_id=1)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.data, "width", 300)


def rows(capsys: pytest.CaptureFixture[str], now: Snapshot, settings: Settings) -> dict[str, str]:
    """The lines of `invoke status` by their first word or two."""
    show_snapshot(now, settings)
    lines = capsys.readouterr().out.splitlines()
    return {line[:14].strip(): line[14:].strip() for line in lines}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "http://127.0.0.1:8080 with the key in /h/.local/state/claude-local/llama/api_key"),
        ({"external_url": "https://gpu"}, "https://gpu, no key"),
        ({"external_url": "https://gpu", "external_key_file": Path("/k")}, "https://gpu with the key in /k"),
    ],
)
def test_other_clients_see_where_the_key_of_their_server_is(
    capsys: pytest.CaptureFixture[str], settings: Settings, change: dict[str, object], expected: str
) -> None:
    own = replace(settings, **change)  # type: ignore[arg-type]

    shown = rows(capsys, replace(READY, base_url=own.base_url), own)

    assert shown["other clients"] == expected


@pytest.mark.usefixtures("wide")
def test_a_status_is_in_words_for_one_slot_and_a_first_start(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    first = LastSwitch(None, "demo", 2.34, "switched", ended_at=0.0)
    now = replace(
        READY, engine="embedded", build="b0-unknown", slots=1, slots_busy=0, context_tokens_per_slot=65536
    )

    one = rows(capsys, replace(now, last_switch=first), settings)
    four = rows(
        capsys,
        replace(now, build="b11669", slots=4, last_switch=replace(first, from_profile="small")),
        settings,
    )

    assert (one["engine"], four["engine"]) == ("embedded", "embedded b11669")
    assert one["context"] == "65,536 tokens in one slot, 0 busy"
    assert four["context"] == "65,536 tokens in each of 4 slots, 0 busy"
    assert one["last switch"] == "demo: started in 2.3 s"
    assert four["last switch"] == "small to demo: switched in 2.3 s"


ENDED: list[tuple[Outcome, str | None, str]] = [
    ("went back", "out of memory", "a to b: failed after 12.3 s (out of memory); a was started again"),
    ("nothing changed", "interrupted", "a to b: ended after 12.3 s (interrupted); nothing changed"),
    ("failed", None, "a to b: failed after 12.3 s; no model is running"),
]


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("outcome", "reason", "expected"), ENDED)
def test_a_switch_that_failed_says_what_runs_now(
    capsys: pytest.CaptureFixture[str],
    settings: Settings,
    outcome: Outcome,
    reason: str | None,
    expected: str,
) -> None:
    last = LastSwitch("a", "b", 12.34, outcome, ended_at=0.0, reason=reason)

    assert rows(capsys, replace(READY, last_switch=last), settings)["last switch"] == expected


@pytest.mark.parametrize(("state", "step"), [("ready", "switching to b"), ("loading", "loading b")])
def test_a_wait_for_the_old_model_is_not_called_loading(
    monkeypatch: pytest.MonkeyPatch, state: State, step: str
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(loading, "talk", Console(file=screen, force_terminal=True, width=100))

    with loading.watch_loading("b") as seen:
        seen.progress(replace(STOPPED, state=state), "the last line")

    assert f"{step} " in screen.getvalue().split("the last line")[0].rpartition("\r")[2]


def test_a_narrow_list_of_profiles_keeps_its_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(terminal.data, "width", 60)
    profile = Profile(
        name="a-name",
        title="T",
        description="some words " * 10,
        model=ModelSource(file="a.gguf", about_gb=15),
    )

    show_profiles(settings, {"a-name": profile})

    first, *rest = capsys.readouterr().out.splitlines()
    assert first.split()[:4] == ["a-name", "15.0", "GB", "auto"]
    assert len(rest) > 2
    assert {line[:21] for line in rest} == {" " * 21}


@pytest.mark.parametrize(("begins", "expected"), [(True, ["loaded demo in "]), (False, [])])
def test_loaded_is_said_of_what_was_loaded(
    capsys: pytest.CaptureFixture[str], begins: bool, expected: list[str]
) -> None:
    with watch_loading("demo") as loading:
        if begins:
            loading.begin()

    assert [line[: len("loaded demo in ")] for line in capsys.readouterr().err.splitlines()] == expected


def test_a_narrow_table_of_what_was_tried_cuts_no_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.data, "width", 40)
    name = "CLAUDE_CODE_" + "A_VERY_LONG_NAME_" * 3

    verify.show([Result("a", name, "it did not run", kinds=("one prompt",))])

    shown = capsys.readouterr().out
    assert "…" not in shown
    first_column = "".join(line[:25].split(" ")[0] for line in shown.splitlines()[1:-2])
    assert name in first_column


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(("state", "next_line"), [("stopped", "up"), ("failed", "logs; invoke down")])
def test_the_next_command_is_told_as_it_works_here(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    tmp_path: Path,
    state: State,
    next_line: str,
) -> None:
    checkout = tmp_path / "our checkout"
    (checkout / "profiles").mkdir(parents=True)
    expected = []
    for folder in (checkout / "profiles", tmp_path):
        monkeypatch.chdir(folder)
        show_snapshot(replace(STOPPED, state=state), replace(settings, root=checkout))
        expected.append(capsys.readouterr().out.rstrip().splitlines()[-1].split(maxsplit=1))

    assert expected == [["next", f"invoke {next_line}"], ["next", f"cd '{checkout}' && invoke {next_line}"]]


@pytest.mark.parametrize(
    ("hint", "more"),
    [("see: invoke profiles", "\n  hint: run `invoke` in the checkout: cd /c"), ("install it", ""), ("", "")],
)
def test_a_hint_says_where_invoke_works(hint: str, more: str) -> None:
    error = UserError("it failed", hint=hint)

    assert hints.failure(error, Path("/c")) == error.describe() + more
    assert hints.failure(error, Path.cwd()) == error.describe()


def test_a_folder_that_is_gone_is_not_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert hints.invoke_from_here(gone) == f"cd {gone} && invoke"

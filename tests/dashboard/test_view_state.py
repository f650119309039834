"""What keys change in the view, and which requests to the server they cause."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_local.dashboard.keys import NAMES, KeyDecoder
from claude_local.dashboard.log_view import LogView, visible
from claude_local.dashboard.scene import LogTail, Scene
from claude_local.dashboard.view_state import Action, Leave, Stop, Switch, View, choices, reduce
from claude_local.foundation.snapshot import STOPPED, Work
from support.dashboard_screens import SCENE

ROWS = 10
IDLE = replace(SCENE, now=replace(SCENE.now, slots_busy=0))
NUMBERED = replace(SCENE, log=LogTail(500, tuple(f"line {number}" for number in range(500, 600))))


def press(*keys: str, view: View | None = None, scene: Scene = SCENE) -> tuple[View, Action]:
    """The view after some keys, and the last action."""
    action: Action = None
    view = view or View()
    for key in keys:
        view, action = reduce(view, key, scene, ROWS)
    return view, action


def log_after(*keys: str, view: View | None = None) -> list[str]:
    """The log on the screen after some keys."""
    after, _ = press(*keys, view=view, scene=NUMBERED)
    return [line for _, line in visible(NUMBERED.log, after.log, ROWS)]


def lines(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last + 1)]


@pytest.mark.parametrize(
    ("keys", "action"),
    [
        (("m", "enter"), Switch("demo")),
        (("m", "down", "down", "enter"), Switch("gpt-oss-120b")),
        (("m", "down", "up", "up", "enter"), Switch("demo")),
        (("m", "end", "enter"), Switch("qwen3.8-27b")),
        (("m", *"glm", "enter"), Switch("glm-4.7-flash-q4")),
        (("m", *"good tools", "enter"), Switch("glm-4.7-flash-q4")),
        (("m", *"xx", "backspace", "backspace", "enter"), Switch("demo")),
        (("m", "escape"), None),
        (("m", *"nothing", "enter"), None),
        (("q", "k"), Leave(stop_model=False)),
        (("q", "q"), Leave(stop_model=False)),
        (("q", "enter"), Leave(stop_model=False)),
        (("q", "s"), Leave(stop_model=True)),
        (("q", "escape"), None),
        (("q", "x"), None),
        (("ctrl-c",), Leave(stop_model=False)),
        (("m", "ctrl-c"), Leave(stop_model=False)),
        (("r",), None),
        (("r", "y"), Stop()),
        (("r", "n"), None),
        (("?", "q"), None),
        (("/", "q", "r"), None),
    ],
)
def test_keys_become_an_action(keys: tuple[str, ...], action: Action) -> None:
    assert press(*keys)[1] == action


def test_r_stops_immediately_without_a_running_reply_and_opens_the_picker() -> None:
    view, action = press("r", scene=IDLE)

    assert (view, action) == (View(dialog="picker"), Stop())


@pytest.mark.parametrize("scene", [replace(SCENE, now=STOPPED), replace(SCENE, trouble="away")])
def test_q_does_not_ask_if_there_is_nothing_to_stop(scene: Scene) -> None:
    assert press("q", scene=scene)[1] == Leave(stop_model=False)


def test_quitting_does_not_stop_a_running_switch() -> None:
    work = Work("switch glm", "verifying", since=0.0, process_id=1)

    view, action = press("q", "s", scene=replace(SCENE, now=replace(SCENE.now, work=work)))

    assert (view, action) == (View(message="`switch glm` is running: stop the model after it"), None)


@pytest.mark.parametrize(
    ("scene", "message"),
    [(SCENE, "no model matches"), (replace(SCENE, models=()), "the list of models is still loading")],
)
def test_enter_without_a_hit_says_why(scene: Scene, message: str) -> None:
    view, action = press("m", *"nothing", "enter", scene=scene)

    assert (view.dialog, view.message, action) == ("picker", message, None)


def test_the_picker_narrows_by_name_alias_and_description() -> None:
    assert [
        [model.name for model in choices(View(typed=typed), SCENE)] for typed in ("QWEN", "gpt-oss", "random")
    ] == [["qwen3-next-80b", "qwen3.8-27b"], ["gpt-oss-120b"], ["demo"]]


def test_keys_for_layout_log_and_help_change_only_the_view() -> None:
    assert [press(key)[0] for key in "l?v"] == [
        View(only_log=True),
        View(dialog="help"),
        View(layout="compact", message="layout: compact"),
    ]
    assert press("v", "v", "v", "?", "x", "l", "l")[0] == View()


def test_the_next_key_clears_a_message() -> None:
    assert press("n")[0].message == "no search yet: press /"
    assert press("n", "l")[0].message == ""


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ((), lines(590, 599)),
        (("up",), lines(589, 598)),
        (("page up", "page up"), lines(570, 579)),
        (("page up", "page down"), lines(590, 599)),
        (("home",), lines(500, 509)),
        (("home", "page up"), lines(500, 509)),
        (("home", "down"), lines(501, 510)),
        (("home", "end"), lines(590, 599)),
        (("f", *"9", "enter"), [f"line {n}" for n in (589, *range(590, 600))][1:]),
        (("f", *"5", "enter", "home"), lines(500, 509)),
        (("f", *"LINE 51", "enter"), lines(510, 519)),
        (("f", *"59", "escape"), lines(590, 599)),
        (("f", *"51", "enter", "escape"), lines(590, 599)),
        (("/", *"line 55", "enter"), lines(550, 559)),
        (("/", *"line 55", "enter", "n"), lines(549, 558)),
        (("/", *"line 55", "enter", "n", "n", "N"), lines(549, 558)),
    ],
)
def test_the_log_scrolls_filters_and_searches(keys: tuple[str, ...], shown: list[str]) -> None:
    assert log_after(*keys) == shown


def test_old_lines_stay_on_the_screen_while_new_ones_arrive() -> None:
    view, _ = press("page up", scene=NUMBERED)
    later = LogTail(550, tuple(f"line {number}" for number in range(550, 800)))

    assert [line for _, line in visible(later, view.log, ROWS)] == lines(580, 589)


def test_a_scrolled_log_survives_the_loss_of_its_lines() -> None:
    view, _ = press("home", scene=NUMBERED)
    later = LogTail(5000, tuple(f"line {number}" for number in range(5000, 5100)))

    assert [line for _, line in visible(later, view.log, ROWS)] == lines(5000, 5009)


def test_a_search_without_a_hit_shows_a_message_and_does_not_scroll() -> None:
    view, _ = press("page up", "/", *"nowhere", "enter", scene=NUMBERED)

    assert view.message == "no older line contains `nowhere`"
    assert view.log.bottom == 589


KEY = st.sampled_from(sorted({*NAMES.values(), *"mlqrv?fnN/ykas 9", "ü"}))


@given(st.lists(KEY, max_size=40))
@settings(deadline=None)
def test_no_sequence_of_keys_breaks_the_view(keys: list[str]) -> None:
    view, _ = press(*keys)

    assert isinstance(view.log, LogView)
    assert visible(SCENE.log, view.log, ROWS) is not None


@pytest.mark.parametrize(
    ("received", "keys"),
    [
        (b"m", ["m"]),
        (b"\x1b[A\x1b[B\x1bOC\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["page up", "page down", "home", "end"]),
        (b"\r\n\t\x7f\x08\x03", ["enter", "enter", "tab", "backspace", "backspace", "ctrl-c"]),
        ("ü漢".encode(), ["ü", "漢"]),
        (b"\x1b[1;5Aq", ["q"]),  # Ctrl-Up has no function
        (b"\x1b[200~", []),
        (b"\x00\x01q", ["q"]),
        (b"\xff\xfeq", ["q"]),
        (b"\x1bx", []),  # Alt-x
    ],
)
def test_bytes_become_keys(received: bytes, keys: list[str]) -> None:
    assert KeyDecoder().feed(received) == keys


@pytest.mark.parametrize("whole", [b"\x1b[A", b"\x1b[5~", "ü".encode(), b"\x1bOF"])
def test_a_key_that_arrives_in_pieces_is_one_key(whole: bytes) -> None:
    decoder = KeyDecoder()

    keys = [key for byte in whole for key in decoder.feed(bytes([byte]))]

    assert keys == KeyDecoder().feed(whole)


def test_escape_alone_is_a_key_when_nothing_follows() -> None:
    decoder = KeyDecoder()

    assert (decoder.feed(b"\x1b"), decoder.is_waiting, decoder.flush(), decoder.is_waiting) == (
        [],
        True,
        ["escape"],
        False,
    )


def test_escape_twice_is_one_escape_and_the_start_of_another_key() -> None:
    decoder = KeyDecoder()

    assert [*decoder.feed(b"\x1b\x1b"), *decoder.flush()] == ["escape", "escape"]


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_break_the_decoder(received: bytes) -> None:
    decoder = KeyDecoder()

    keys = [*decoder.feed(received), *decoder.flush()]

    assert all(key in NAMES.values() or (len(key) == 1 and key.isprintable()) for key in keys)

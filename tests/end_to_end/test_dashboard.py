"""The dashboard in a real terminal (tmux), in front of the real management API and a real llama-server."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.machine import Machine, error_of
from support.management_server import end_management, end_server, wait_for_api
from support.terminal import WAIT_SECONDS, Terminal

INVOKE = [sys.executable, "-m", "invoke"]
SCREENS = Path(__file__).parents[1] / "screens" / "real"
SIZES = ((60, 20), (80, 24), (120, 40), (200, 60))
FRAME_TEXT = "? help"
# Records the terminal's modes before and after. Not bash, which restores the terminal automatically.
BETWEEN = [
    "dash",
    "-c",
    'trap : INT; stty -a >"$0"; "$@"; echo "exit code $?" >"${0%before}after"; stty -a >>"${0%before}after"',
]


@pytest.fixture
def serving(machine: Machine) -> Machine:
    """A machine on which the embedded engine serves one demo model; a second one is available."""
    machine.invoke_ok("demo-model")
    machine.add_demo("other", seed=2)
    machine.invoke_ok("up", "--detach", "--model", "demo", "--engine", "embedded")
    return machine


@pytest.fixture
def api_alone(machine: Machine) -> Iterator[Machine]:
    """A machine on which only the management API runs."""
    server = machine.start("serve")
    wait_for_api(machine)
    yield machine
    end_server(machine, server)


def dashboard(terminal: Terminal, machine: Machine, *options: str, **environment: str) -> None:
    """Opens the dashboard in the terminal and waits for its first picture."""
    env = {**machine.environment, **environment}
    terminal.run([*INVOKE, "dashboard", *options], env=env, cwd=machine.checkout)
    terminal.wait_for(FRAME_TEXT)


def pick(terminal: Terminal, name: str) -> None:
    """Chooses a model in the picker and waits until it is ready."""
    terminal.wait_for("Which model?")
    terminal.keys("-l", name)
    terminal.wait_for(f"Which model? {name}")
    terminal.wait_for(" fits")  # the list has arrived
    terminal.keys("Enter")
    terminal.wait_for(f"● ready  {name}")


def leave(terminal: Terminal, answer: str) -> None:
    """Quits the dashboard: `k` keeps the model running, `s` stops it."""
    terminal.keys("q")
    terminal.wait_for("keep the model running")
    terminal.keys(answer)
    terminal.wait_for("exit code: 0")


def process_of(machine: Machine) -> psutil.Process:
    """The dashboard's process."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        argv = process.info["cmdline"] or []
        if argv[:3] == INVOKE and "dashboard" in argv and process.info["cwd"] == str(machine.checkout):
            return process
    raise AssertionError("no dashboard is running")


def masked(screen: str) -> str:
    """The rows above the log with everything masked that differs between runs or machines.

    The right half of a large screen shows only the machine and is left out.
    """
    rows = [row.split("│")[0].rstrip() for row in screen[: screen.index("── log")].splitlines()]
    kept = [row for row in rows if row and not OF_THIS_MACHINE.match(row)]
    text = "\n".join(kept) + "\n"
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return text


# Rows about cards, a row that appears only during generation, and the rest of a wrapped reason.
OF_THIS_MACHINE = re.compile(r"GPU: |\d+ .*°|  VRAM|  use |tokens/s | {10}[^!]")
MASKS = (
    (r"http://127.0.0.1:\d+", "URL"),
    (r"[█▉▊▋▌▍▎▏░]+", "BAR"),
    (r"─+", "──"),
    (r"[\d.]+ (h|min|s)\b( \d+ (min|s)\b)?", "TIME"),
    (r"(–|\d([\d,.]*\d)?)%?", "N"),
    (r"no swap|swap N/N GiB", "SWAP"),
    (r"reused( N!?)+", "reused SHARES"),
    (r"! N of N: .*", "! N of N: REASON"),
    (r" +", " "),
)


@pytest.mark.docker
@pytest.mark.real_cli
@pytest.mark.tools
def test_screens_of_a_real_session_match_the_recording(machine: Machine, tmp_path: Path) -> None:
    """The screens are kept in pytest's folder of this test: copy them if the change was intended."""
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--detach", "--model", "demo", "--engine", "docker")
    for text in ("hello", "hello again"):
        assert machine.claude_local("-p", text).returncode == 0

    seen = {}
    for columns, rows in SIZES:
        with Terminal(columns=columns, rows=rows) as terminal:
            dashboard(terminal, machine)
            terminal.wait_for("reused")
            terminal.wait_for("stop processing" if columns >= 80 else "slot")
            seen[f"{columns}x{rows}.txt"] = masked(terminal.wait_for("of a core"))

    for name, text in seen.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    recorded = {file.name: file.read_text(encoding="utf-8") for file in SCREENS.glob("*.txt")}
    assert seen == recorded


@pytest.mark.embedded
@pytest.mark.tools
def test_another_model_is_picked_and_the_switch_is_shown(serving: Machine) -> None:
    with Terminal(columns=120, rows=40) as terminal:
        dashboard(terminal, serving)
        terminal.wait_for("● ready  demo")
        terminal.keys("m")
        pick(terminal, "other")
        screen = terminal.wait_for("demo → other")
        leave(terminal, "k")

    assert ": switched" in screen
    assert serving.status()["profile"] == "other"


@pytest.mark.embedded
@pytest.mark.tools
def test_r_stops_and_the_picker_starts_again(serving: Machine) -> None:
    with Terminal(columns=80, rows=24) as terminal:
        dashboard(terminal, serving)
        terminal.wait_for("● ready  demo")
        terminal.keys("r")
        terminal.wait_for("● stopped")
        pick(terminal, "other")
        terminal.wait_until_gone("▸ verifying")
        leave(terminal, "s")

    assert serving.our_processes() == []


@pytest.mark.embedded
@pytest.mark.tools
def test_the_log_can_be_read_filtered_and_searched(serving: Machine) -> None:
    with Terminal(columns=100, rows=12) as terminal:
        dashboard(terminal, serving)
        terminal.wait_for("release")
        terminal.keys("l")
        terminal.wait_until_gone("── log")
        terminal.keys("Home")
        top = terminal.wait_for("load_model: loading model")
        terminal.keys("End", "f")
        terminal.keys("-l", "stop processing")
        filtered = terminal.wait_until_gone("print_timing")
        terminal.keys("Escape")
        terminal.wait_for("print_timing")
        terminal.keys("/")
        terminal.keys("-l", "nowhere")
        terminal.keys("Enter")
        terminal.wait_for("no older line contains `nowhere`")
        terminal.keys("?")
        terminal.wait_for("press any key to go back")

    assert "stop processing" not in top
    assert "filter: stop processing" in filtered


@pytest.mark.embedded
@pytest.mark.tools
def test_up_opens_the_dashboard_at_a_terminal(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    with Terminal(columns=80, rows=24) as terminal:
        up = [*INVOKE, "up", "--model", "demo", "--engine", "embedded"]
        terminal.run(up, env=machine.environment, cwd=machine.checkout)
        terminal.wait_for(FRAME_TEXT)
        terminal.wait_for("● ready  demo")
        terminal.wait_until_gone("▸ verifying")
        terminal.keys("q", "s")
        terminal.wait_for("exit code: 0")

    assert machine.status()["state"] == "stopped"


@pytest.mark.embedded
@pytest.mark.tools
def test_it_reconnects_after_the_server_was_away(serving: Machine) -> None:
    with Terminal(columns=120, rows=30) as terminal:
        dashboard(terminal, serving)
        terminal.wait_for("● ready  demo")
        end_management(serving)
        terminal.wait_for("trying again")
        server = serving.start("serve")
        terminal.wait_until_gone("trying again")
        terminal.wait_for("● ready  demo")
        terminal.keys("C-c")
        terminal.wait_for("exit code: 0")
    end_server(serving, server)


@pytest.mark.tools
@pytest.mark.parametrize(
    ("ending", "code"),
    [("q", 0), ("Ctrl-C", 0), ("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 0)],
)
def test_every_exit_restores_the_terminal(api_alone: Machine, ending: str, code: int) -> None:
    before, after = api_alone.home / "before", api_alone.home / "after"
    argv = [*BETWEEN, str(before), *INVOKE, "dashboard"]
    with Terminal(columns=80, rows=24) as terminal:
        terminal.run(argv, env=api_alone.environment, cwd=api_alone.checkout)
        terminal.wait_for(FRAME_TEXT)
        assert terminal.modes() == "1 0 0"
        if ending == "q":
            terminal.keys("q")
        elif ending == "Ctrl-C":
            terminal.keys("C-c")
        else:
            process_of(api_alone).send_signal(getattr(signal, ending))
        terminal.wait_until_gone(FRAME_TEXT)
        terminal.wait_for("$ ")
        modes = terminal.modes()

    exit_line, modes_after = after.read_text().split("\n", 1)
    assert (modes_after, exit_line, modes) == (before.read_text(), f"exit code {code}", "0 1 1")


@pytest.mark.tools
def test_a_bug_restores_the_terminal_and_its_traceback_can_be_read(machine: Machine) -> None:
    before, after = machine.home / "before", machine.home / "after"
    program = (
        "import sys; sys.path.insert(0, 'scripts')\n"
        "from claude_local.dashboard.terminal import Screen\n"
        "with Screen() as screen:\n"
        "    screen.show(['in the dashboard'])\n"
        "    screen.wait(None)\n"
        "    raise RuntimeError('a bug')\n"
    )
    argv = [*BETWEEN, str(before), sys.executable, "-c", program]
    with Terminal(columns=80, rows=24) as terminal:
        terminal.run(argv, env=machine.environment, cwd=machine.checkout)
        terminal.wait_for("in the dashboard")
        terminal.keys("x")
        screen = terminal.wait_for("exit code: 0")
        modes = terminal.modes()

    assert after.read_text() == "exit code 1\n" + before.read_text()
    assert (modes, "RuntimeError: a bug" in screen) == ("0 1 1", True), screen


@pytest.mark.tools
def test_waking_a_closed_screen_writes_to_no_other_file(machine: Machine) -> None:
    others = machine.home / "others"
    program = (
        "import sys; sys.path.insert(0, 'scripts')\n"
        "from claude_local.dashboard.terminal import Screen\n"
        "with Screen() as screen:\n"
        "    screen.show(['in the dashboard'])\n"
        f"files = [open({str(others)!r}, 'ab', 0) for _ in range(20)]\n"  # they reuse the freed descriptor numbers
        "screen.wake()\n"
    )
    with Terminal(columns=80, rows=24) as terminal:
        terminal.run([sys.executable, "-c", program], env=machine.environment, cwd=machine.checkout)
        terminal.wait_for("exit code: 0")

    assert others.read_bytes() == b""


@pytest.mark.tools
def test_ctrl_z_restores_the_terminal_until_fg(api_alone: Machine) -> None:
    with Terminal(columns=80, rows=24) as terminal:
        dashboard(terminal, api_alone)
        terminal.keys("C-z")
        terminal.wait_for("Stopped")
        assert terminal.modes() == "0 1 1"
        terminal.keys("-l", "fg")
        terminal.keys("Enter")
        terminal.wait_for(FRAME_TEXT)
        assert terminal.modes() == "1 0 0"
        terminal.keys("q")
        terminal.wait_until_gone(FRAME_TEXT)
        assert terminal.modes() == "0 1 1"


@pytest.mark.embedded
@pytest.mark.tools
def test_a_lost_connection_ends_the_dashboard_but_not_the_model(serving: Machine) -> None:
    with Terminal(columns=80, rows=24) as terminal:
        dashboard(terminal, serving)
        process = process_of(serving)
        terminal.close()
        psutil.wait_procs([process], timeout=WAIT_SECONDS)

    assert not process.is_running()
    assert serving.status()["state"] == "ready"


@pytest.mark.tools
def test_a_resized_terminal_is_redrawn(api_alone: Machine) -> None:
    with Terminal(columns=120, rows=40) as terminal:
        dashboard(terminal, api_alone)
        assert "── model" in terminal.screen()
        terminal.resize(columns=60, rows=20)
        terminal.wait_until_gone("── model")
        assert len(terminal.wait_for(FRAME_TEXT).rstrip("\n").splitlines()) == 20


@pytest.mark.tools
def test_without_utf8_only_ascii_is_drawn_and_no_color_is_respected(api_alone: Machine) -> None:
    with Terminal(columns=80, rows=24) as terminal:
        dashboard(terminal, api_alone, LANG="C", NO_COLOR="1")
        assert terminal.wait_for("* stopped").isascii()
        assert not re.search(r"\x1b\[[0-9;]*[349][0-7]m", terminal.screen(styles=True))


@pytest.mark.tools
def test_a_dumb_terminal_is_refused(api_alone: Machine) -> None:
    with Terminal(columns=80, rows=24) as terminal:
        env = {**api_alone.environment, "TERM": "dumb"}
        terminal.run([*INVOKE, "dashboard"], env=env, cwd=api_alone.checkout)
        screen = terminal.wait_for("exit code: 1")

    assert "error: the dashboard needs a terminal" in screen
    assert "hint: for scripts: --once or --json" in screen


@pytest.mark.tools
def test_scripts_get_text_or_json(api_alone: Machine) -> None:
    picture = api_alone.invoke_ok("dashboard", "--once")
    status = api_alone.invoke_ok("dashboard", "--json")

    assert picture.splitlines()[:2] == [
        "claude-local ● stopped",
        "no model is running. Press m to choose one.",
    ]
    assert '"state": "stopped"' in status


def test_a_wrong_layout_and_a_missing_api_are_explained(machine: Machine) -> None:
    message, hints = error_of(machine.invoke("dashboard", "--layout", "huge"))
    assert (message, hints) == ("unknown layout `huge`", ["one of: auto, compact, full"])

    message, hints = error_of(machine.invoke("dashboard", "--once"))
    assert message == f"the management API on 127.0.0.1:{machine.management_port} does not answer"
    assert hints == ["start it: invoke up"]


def test_with_the_api_switched_off_the_error_names_the_setting(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"

    message, hints = error_of(machine.invoke("dashboard"))

    assert message == "the dashboard needs the management API, which is switched off"
    assert hints == ["remove CLAUDE_LOCAL_MANAGEMENT_PORT=off, then: invoke up"]


@pytest.mark.tools
def test_quitting_without_a_model_does_not_claim_that_one_is_running(api_alone: Machine) -> None:
    with Terminal() as terminal:
        dashboard(terminal, api_alone)
        terminal.keys("q")
        screen = terminal.wait_for("exit code: 0")

    assert "no model is running. Start one: invoke up; dashboard: invoke dashboard" in screen
    assert "keeps running" not in screen

"""pseudo_terminal: the program runs on a terminal, and its output can be read."""

from __future__ import annotations

from claude_local.checks.verify.pseudo_terminal import PseudoTerminal


def shell(script: str) -> PseudoTerminal:
    return PseudoTerminal(["/bin/sh", "-c", script])


def read_to_the_end(terminal: PseudoTerminal) -> None:
    while not terminal.has_ended:
        terminal.read(1)


def test_the_program_runs_on_a_terminal_with_120_columns_and_40_rows() -> None:
    with shell("test -t 0 && test -t 2 && stty size </dev/tty; exit 3") as terminal:
        read_to_the_end(terminal)
        code = terminal.exit_code()

    assert (terminal.text, code) == ("40120", 3)


def test_keys_reach_the_program() -> None:
    with shell("read -r line; echo got: $line") as terminal:
        terminal.press("some words\r")
        read_to_the_end(terminal)

    assert terminal.text.endswith("got:somewords")


def test_text_has_no_escape_sequences_and_no_spaces() -> None:
    with shell(r"printf '\033[1;31mred\033[0m \033]0;a title\007and\033[2C\033(Bblue\033=\n'") as terminal:
        read_to_the_end(terminal)

    assert terminal.text == "redandblue"


def test_keys_after_the_end_do_nothing() -> None:
    with shell("exit 0") as terminal:
        read_to_the_end(terminal)
        terminal.press("\r")

    assert terminal.exit_code() == 0


def test_leaving_the_block_hangs_up_the_terminal() -> None:
    with shell("echo ready; exec sleep 100") as terminal:
        while "ready" not in terminal.text:
            terminal.read(1)

    assert terminal.exit_code() < 0  # ended by a signal

"""The last requests, read from llama-server's log: how much of each prompt was reused, and why not all. Pure.

The log is the only place that tells it per request. Lines as of build 11669; a line that another build
words differently only leaves a turn out.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from claude_local.foundation.snapshot import Turn

TURNS_KEPT = 8
BROKEN_BELOW_FRACTION = 0.9
"""A turn that reuses less of its prompt than this gets a reason. A new message alone costs little."""
TOLD_FROM_TOKENS = 500
"""A shorter prompt, such as our own question after loading, costs nothing to read again. Those of Claude
Code are longer by far."""

LINE = re.compile(
    r"(?:\[(?P<port>\d+)\] )?\S+ [IWE] slot\s+\S+: id\s+(?P<slot>\d+) \| task -?\d+ \| +(?P<text>.*)"
)
SIMILAR = re.compile(r"selected slot by LCP similarity, f_sim_best = ([\d.]+)")
OLDEST = re.compile(r"selected slot by LRU,.* t_last = (-?\d+)")
TIMING = r"eval time = +[\d.]+ ms / +(\d+) tokens .*, +([\d.]+) tokens per second"
PROMPT, ANSWER = re.compile("prompt " + TIMING), re.compile(TIMING)
END = re.compile(r"stop processing: n_tokens = (\d+)")
LOST = "forcing full prompt re-processing"


@dataclass
class _Open:
    """A turn whose end is still to come."""

    choice: str = ""
    prompt: tuple[int, float] = (0, 0.0)
    """Tokens that were read, and how many a second."""
    answer: tuple[int, float] = (0, 0.0)


class TurnReader:
    """Collects turns from log lines. Feed it every line once, in order."""

    def __init__(self) -> None:
        self._open: dict[tuple[str | None, str], _Open] = {}
        self._turns: deque[Turn] = deque(maxlen=TURNS_KEPT)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The last turns, oldest first."""
        return tuple(self._turns)

    def feed(self, line: str) -> None:
        """Takes one line of the server's log."""
        if " slot " not in line or not (match := LINE.match(line)):
            return
        key, text = (match["port"], match["slot"]), match["text"]
        if ended := END.match(text):
            turn = _finished(self._open.pop(key, _Open()), int(match["slot"]), int(ended[1]))
            self._turns.extend([turn] if turn else [])
            return
        turn_so_far = self._open.setdefault(key, _Open())
        if choice := _choice(text):
            turn_so_far.choice = choice
        elif prompt := PROMPT.match(text):
            turn_so_far.prompt = (int(prompt[1]), float(prompt[2]))
        elif answer := ANSWER.match(text):
            turn_so_far.answer = (int(answer[1]), float(answer[2]))


def _choice(text: str) -> str:
    """Why a prompt may have to be read again, as far as this line tells; "" if it tells nothing."""
    if text.startswith(LOST):
        return "the model cannot go back in its memory to where the prompts differ"
    if oldest := OLDEST.match(text):
        return "first request of this slot" if oldest[1] == "-1" else "another conversation took the slot"
    if similar := SIMILAR.match(text):
        return f"the prompt changed after {float(similar[1]):.0%} of it"
    return ""


def _finished(turn: _Open, slot: int, tokens_in_slot: int) -> Turn | None:
    """The turn, or None for one that was not timed, such as a cancelled one."""
    (read, prompt_speed), (answered, answer_speed) = turn.prompt, turn.answer
    if not read:
        return None
    # The last token of an answer is never read back into the slot.
    cached = max(0, tokens_in_slot - read - max(0, answered - 1))
    share = cached / (cached + read)
    is_told = share < BROKEN_BELOW_FRACTION and cached + read >= TOLD_FROM_TOKENS
    return Turn(
        slot=slot,
        prompt_tokens=cached + read,
        cached_tokens=cached,
        answer_tokens=answered,
        prompt_tokens_per_second=prompt_speed or None,
        generation_tokens_per_second=answer_speed or None,
        reason=turn.choice or None if is_told else None,
    )

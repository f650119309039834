"""The last requests, from llama-server's log: how much of each prompt was reused, and why not more. Pure.

Only the log has this per request. Lines as of build 11669; if another build words a line differently, the
turn is left out.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from claude_local.foundation.snapshot import Turn

TURNS_KEPT = 8
BROKEN_BELOW_FRACTION = 0.9
"""A turn that reuses a smaller share of its prompt gets a reason. A new message alone costs little."""
REASON_FROM_TOKENS = 500
"""A shorter prompt, such as our own test request after loading, costs nothing to read again. Those of Claude
Code are much longer."""

LINE = re.compile(
    r"(?:\[(?P<port>\d+)\] )?\S+ [IWE] slot\s+\S+: id\s+(?P<slot>\d+) \| task -?\d+ \| +(?P<text>.*)"
)
SIMILAR = re.compile(r"selected slot by LCP similarity, f_sim_best = ([\d.]+)")
OLDEST = re.compile(r"selected slot by LRU, n_tokens = (?P<tokens>\d+), t_last = (?P<last>-?\d+)")
TIMING = r"eval time = +[\d.]+ ms / +(\d+) tokens .*, +([\d.]+) tokens per second"
PROMPT, ANSWER = re.compile("prompt " + TIMING), re.compile(TIMING)
END = re.compile(r"stop processing: n_tokens = (\d+)")
FIRST = "first request of this slot"
LOST = "forcing full prompt re-processing"


@dataclass
class _Open:
    """A turn that has not ended yet."""

    choice: str = ""
    prompt: tuple[int, float] = (0, 0.0)
    """Tokens read, and tokens per second."""
    answer: tuple[int, float] = (0, 0.0)


class TurnReader:
    """Collects turns from log lines. Feed it every line once, in order."""

    def __init__(self) -> None:
        self._open: dict[tuple[str | None, str], _Open] = {}
        self._taken: set[tuple[str | None, str]] = set()
        """Slots that have had a long prompt. Our own test request after loading is a short one."""
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
            self._taken |= {key} if int(ended[1]) >= REASON_FROM_TOKENS else set()
            return
        turn_so_far = self._open.setdefault(key, _Open())
        if choice := _choice(text, is_taken=key in self._taken):
            turn_so_far.choice = turn_so_far.choice if turn_so_far.choice == FIRST else choice
        elif prompt := PROMPT.match(text):
            turn_so_far.prompt = (int(prompt[1]), float(prompt[2]))
        elif answer := ANSWER.match(text):
            turn_so_far.answer = (int(answer[1]), float(answer[2]))


def _choice(text: str, *, is_taken: bool) -> str:
    """Why a prompt may have to be read again, according to this line; "" if the line has no reason."""
    if text.startswith(LOST):
        return "the model cannot rewind its memory to where the prompts differ"
    if oldest := OLDEST.match(text):
        is_first = oldest["last"] == "-1" or not (is_taken or int(oldest["tokens"]) >= REASON_FROM_TOKENS)
        return FIRST if is_first else "another conversation took the slot"
    if similar := SIMILAR.match(text):
        return f"the prompt changed after {float(similar[1]):.0%}"
    return ""


def _finished(turn: _Open, slot: int, tokens_in_slot: int) -> Turn | None:
    """The turn, or None without timing, such as for a cancelled request."""
    (read, prompt_speed), (answered, answer_speed) = turn.prompt, turn.answer
    if not read:
        return None
    # The last token of an answer is never added to the slot.
    cached = max(0, tokens_in_slot - read - max(0, answered - 1))
    share = cached / (cached + read)
    has_reason = share < BROKEN_BELOW_FRACTION and cached + read >= REASON_FROM_TOKENS
    return Turn(
        slot=slot,
        prompt_tokens=cached + read,
        cached_tokens=cached,
        answer_tokens=answered,
        prompt_tokens_per_second=prompt_speed or None,
        generation_tokens_per_second=answer_speed or None,
        reason=turn.choice or None if has_reason else None,
    )

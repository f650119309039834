"""Names of pressed keys, from the bytes that a terminal sends. Pure."""

from __future__ import annotations

import codecs
import re

ESCAPE = "\x1b"
SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^\x1b\[O])")
BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?")
NAMES = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1bOH": "home",
    "\x1bOF": "end",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1b[7~": "home",
    "\x1b[8~": "end",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x03": "ctrl-c",
    "\x0c": "ctrl-l",
    "\x15": "ctrl-u",
    ESCAPE: "escape",
}


class KeyDecoder:
    """Turns bytes into key names; a key may arrive in pieces, as over a slow connection.

    A printable character is its own name. Unknown sequences are dropped.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="ignore").decode
        self._rest = ""

    @property
    def is_waiting(self) -> bool:
        """Whether a key is incomplete: Escape, or the start of an arrow key."""
        return bool(self._rest)

    def feed(self, received: bytes) -> list[str]:
        """The keys that are complete now."""
        text, self._rest = self._rest + self._decode(received), ""
        keys = []
        while text:
            if BEGUN.fullmatch(text):
                self._rest = text
                break
            sequence = SEQUENCE.match(text)
            token = sequence.group() if sequence else text[0]
            text = text[len(token) :]
            keys.append(NAMES.get(token, token))
        return [key for key in keys if key in NAMES.values() or (len(key) == 1 and key.isprintable())]

    def flush(self) -> list[str]:
        """The incomplete key once the time is over: Escape was pressed alone."""
        begun, self._rest = self._rest, ""
        return ["escape"] if begun else []

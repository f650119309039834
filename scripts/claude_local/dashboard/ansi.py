"""Styled lines as terminal output: with or without colours, in Unicode or ASCII. Pure."""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.text import Text

ASCII = str.maketrans(
    {
        **dict.fromkeys("█▉▊▋▌", "#"),
        **dict.fromkeys("▍▎▏░", "."),
        **dict(zip("▁▂▃▄▅▆▇", "_.-=+*#", strict=True)),
        **dict(zip("─│▸→←↑↓●○–·…°", "-|>><^v*o-..'", strict=True)),
    }
)


class AnsiWriter:
    """Turns rows into strings for one terminal."""

    def __init__(self, *, colors: bool, ascii_only: bool) -> None:
        self._colors = colors
        self._ascii_only = ascii_only
        self._console = Console(file=io.StringIO())  # only for its table of style names

    def rows(self, lines: list[Text]) -> list[str]:
        """Each line with its styles as escape sequences."""
        return ["".join(self._written(segment) for segment in self._segments(line)) for line in lines]

    def plain(self, lines: list[Text]) -> list[str]:
        """Each line without any style."""
        return [self._text(line.plain).rstrip() for line in lines]

    def _segments(self, line: Text) -> list[Segment]:
        segments = line.render(self._console)
        return list(segments if self._colors else Segment.remove_color(segments))

    def _written(self, segment: Segment) -> str:
        text = self._text(segment.text)
        # Sixteen colours: the terminal's own theme decides how they look, on dark and on light.
        return segment.style.render(text, color_system=ColorSystem.STANDARD) if segment.style else text

    def _text(self, text: str) -> str:
        if not self._ascii_only or text.isascii():
            return text
        return "".join(one if one.isascii() else "?" * cell_len(one) for one in text.translate(ASCII))

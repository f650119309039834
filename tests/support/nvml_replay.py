"""Stands in for pynvml: answers each call from a file in tests/data/nvml/, errors included.

The values are those of NVML for such cards, in its units (mW, MiB-aligned bytes). A value
`{"error": NAME}` is raised as the real library raises it.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml

RECORDINGS = Path(__file__).parents[1] / "data" / "nvml"


class NvmlReplay:
    """One recorded machine. A test may change `cards` between readings."""

    def __init__(self, name: str) -> None:
        recorded: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text())
        self.cards: list[dict[str, Any]] = recorded.pop("cards")
        self.answers = recorded
        self.opened = 0

    def __getattr__(self, name: str) -> Any:
        """Constants and errors are pynvml's own; functions are replayed."""
        if not name.startswith("nvml"):
            return getattr(pynvml, name)
        if name.startswith("nvmlDevice"):
            return lambda card, *arguments: _answer(card, name, *arguments)
        return lambda: _answer(self.answers, name)

    def nvmlInit(self) -> None:  # noqa: N802  NVML's name
        _answer({"nvmlInit": None, **self.answers}, "nvmlInit")
        self.opened += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.opened -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> dict[str, Any]:  # noqa: N802
        card = self.cards[index]
        if "nvmlDeviceGetHandleByIndex" in card:
            _answer(card, "nvmlDeviceGetHandleByIndex")
        return card

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card: dict[str, Any], index: int) -> dict[str, Any]:  # noqa: N802
        if index >= len(card["mig"]):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        instance: dict[str, Any] = card["mig"][index]
        return instance


def _answer(recorded: dict[str, Any], name: str, *arguments: Any) -> Any:
    value = recorded[name]
    if not isinstance(value, dict):
        return tuple(value) if isinstance(value, list) else value
    if "error" in value:
        raise pynvml.NVMLError(getattr(pynvml, value["error"]))
    if name == "nvmlDeviceGetClockInfo":
        return next(value[clock] for clock in value if getattr(pynvml, clock) == arguments[0])
    return SimpleNamespace(**value)

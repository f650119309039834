"""What a profile says about where its model goes: cards, layers, tensors, cache."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from claude_local.models.fit.verdicts import CPU
from claude_local.profiles.profile import Profile
from claude_local.server import flags

MAX_LAYERS = 1000
ALL_LAYERS = 2**31
EXPERTS = r"ffn_(up|down|gate_up|gate)_(ch|)exps"
DENSE = r"ffn_(up|down|gate)\."

Override = tuple[re.Pattern[str], str]
"""A pattern in tensor names, and the device of these tensors."""


@dataclass(frozen=True)
class Placing:
    """The placement that a profile asks for; everything unset is llama-server's choice."""

    devices: tuple[str, ...] | None = None
    """Names of cards in the order of use; empty: none."""
    split_mode: str = "layer"
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    gpu_layers: int | None = None
    """Layers on cards, counted from the last; llama.cpp counts the output as one."""
    overrides: tuple[Override, ...] = ()
    """The first that matches wins."""
    cache_in_ram: bool = False
    locks_mapped_file: bool = False
    """`mmap+mlock`: RAM holds the file up to the last tensor that stays there."""

    def listed(self, cards: Mapping[str, int]) -> tuple[str, ...]:
        """The cards that the profile admits. The projector is on the first."""
        return tuple(cards) if self.devices is None else tuple(n for n in self.devices if n in cards)

    def used(self, cards: Mapping[str, int]) -> tuple[str, ...]:
        """The cards that get parts of the model."""
        names = self.listed(cards)
        if self.split_mode != "none":
            return names
        return names[self.main_gpu : self.main_gpu + 1]

    def unknown(self, cards: Mapping[str, int]) -> tuple[str, ...]:
        """Names in the profile that no card has."""
        names = tuple(name for name in self.devices or () if name not in cards)
        beyond = self.split_mode == "none" and self.main_gpu and not self.used(cards) and self.listed(cards)
        return (*names, f"main_gpu {self.main_gpu}") if beyond and not names else names

    def may_be_fitted(self, cards: Mapping[str, int]) -> bool:
        """Whether llama-server may move parts of it: it never changes what a profile sets (build 11669)."""
        several = len(self.used(cards)) > 1
        return not (
            self.gpu_layers is not None
            or self.overrides
            or self.split_mode in ("row", "tensor")
            or (several and any(self.tensor_split))
        )


def placing_of(profile: Profile) -> Placing:
    """The placement of the model."""
    given: dict[str, Any] = dict(flags.options(profile, ""))
    return Placing(
        devices=_names(given.get("device")),
        split_mode=given.get("split-mode", "layer"),
        main_gpu=int(given.get("main-gpu", 0)),
        tensor_split=_split(given.get("tensor-split")),
        gpu_layers=_layers(given.get("n-gpu-layers")),
        overrides=(*_experts(given, ""), *_dense(given), *_own(given.get("override-tensor"))),
        cache_in_ram="no-kv-offload" in given,
        locks_mapped_file=given.get("load-mode") == "mmap+mlock",
    )


def draft_placing_of(profile: Profile) -> Placing:
    """The placement of the draft model: on the cards of the model, unless it has its own flags (build 11669)."""
    given: dict[str, Any] = dict(flags.options(profile, ""))
    own = _names(given.get("spec-draft-device"))
    return Placing(
        devices=_names(given.get("device")) if own is None else own,
        split_mode=given.get("split-mode", "layer"),
        main_gpu=int(given.get("main-gpu", 0)),
        tensor_split=_split(given.get("tensor-split")),
        gpu_layers=_layers(given.get("spec-draft-ngl")),
        overrides=tuple(_experts(given, "spec-draft-")),
        cache_in_ram="no-kv-offload" in given,
    )


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    return () if names == ("none",) else names


def _layers(text: str | None) -> int | None:
    """A number of layers; None where llama-server chooses it."""
    if text == "all":
        return ALL_LAYERS
    return int(text) if text is not None and text.isdigit() else None


def _split(text: str | None) -> tuple[float, ...]:
    """The proportions; what is no number counts as nothing, as in llama.cpp."""
    parts = re.split(r"[,/]+", text or "")
    return tuple(float(part) if re.fullmatch(r"\s*\d+\.?\d*\s*", part) else 0.0 for part in parts)


def _experts(given: Mapping[str, Any], prefix: str) -> tuple[Override, ...]:
    if f"{prefix}cpu-moe" in given:
        return ((re.compile(rf"\.{EXPERTS}"), CPU),)
    return _first_layers(given.get(f"{prefix}n-cpu-moe"), EXPERTS)


def _dense(given: Mapping[str, Any]) -> tuple[Override, ...]:
    return _first_layers(given.get("n-cpu-ffn"), DENSE)


def _first_layers(text: Any, tensors: str) -> tuple[Override, ...]:
    count = min(_layers(str(text)) or 0, MAX_LAYERS)
    layers = "|".join(map(str, range(count)))
    return ((re.compile(rf"blk\.({layers})\.{tensors}"), CPU),) if count else ()


def _own(text: str | None) -> tuple[Override, ...]:
    """`PATTERN=DEVICE,...`; a pattern that is no regular expression matches nothing."""
    found = []
    for part in (text or "").split(","):
        pattern, _, device = part.rpartition("=")
        try:
            found.append((re.compile(pattern), device.strip()))
        except re.error:
            continue
    return tuple(pair for pair in found if pair[0].pattern)

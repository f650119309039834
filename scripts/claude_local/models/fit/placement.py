"""Where llama.cpp puts the weights and the KV cache of a model: its own rules, layer by layer.

Compared with llama-fit-params on two devices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from claude_local.foundation.gguf_header import GgufHeader, TensorInfo
from claude_local.models.fit import estimate
from claude_local.models.fit.estimate import Estimate
from claude_local.models.fit.kv_cache import Load, bytes_by_layer
from claude_local.models.fit.placing import Placing
from claude_local.models.fit.verdicts import CPU

LAYER = re.compile(r"blk\.(\d+)\.")
INPUTS = ("token_embd.", "per_layer_token_embd.", "token_types.", "position_embd.")
"""Tensors that llama.cpp keeps in RAM, wherever the layers are."""
EMBEDDING = "token_embd.weight"
OUTPUT = "output.weight"


@dataclass(frozen=True)
class Placement:
    """A model on its devices: weights and cache of each, without compute buffers."""

    shares: Mapping[str, Estimate]
    """By device: the used cards in order, then the CPU."""
    layers_in_ram: int
    expert_layers_in_ram: int
    is_pipelined: bool
    """Whether several cards compute in turn, which takes copies of their inputs."""


@dataclass(frozen=True)
class Placer:
    """A model on cards with these free bytes; what fits is not considered."""

    header: GgufHeader
    placing: Placing
    cards: Mapping[str, int]

    def at(self, load: Load) -> Placement:
        """The placement with these load parameters, which affect only the cache."""
        weights, expert_layers = self._weights
        homes, placing = self._homes, self.placing
        cache = dict.fromkeys((*homes.used, CPU), 0.0)
        for layer, size in enumerate(bytes_by_layer(self.header, load)):
            for name, share in homes.of_cache(layer).items():
                cache[name] += size * share
        shares = {name: Estimate(int(weights[name]), int(cache[name]), 0) for name in cache}
        in_ram = homes.first if homes.used else homes.layers
        pipelined = len(homes.used) > 1 and not homes.first and placing.split_mode == "layer"
        pipelined = pipelined and not placing.overrides and not placing.cache_in_ram and homes.has_output
        return Placement(shares, in_ram, len(expert_layers), pipelined)

    @cached_property
    def _homes(self) -> _Homes:
        used = self.placing.used(self.cards)
        proportions = _proportions(self.placing, used, self.cards)
        return _Homes(self.header.n_layers or 0, self.placing, used, proportions)

    @cached_property
    def _weights(self) -> tuple[dict[str, float], set[int]]:
        return _weights(self.header, self.placing, self._homes)


def with_compute(
    found: Placement, header: GgufHeader, load: Load, placing: Placing, *, copies: bool = True
) -> dict[str, Estimate]:
    """The shares with their compute buffers; without `copies` as if the cards did not compute in turn."""
    pipelined = found.is_pipelined and copies
    compute = estimate.card_compute_bytes(header, load, is_pipelined=pipelined)
    if placing.cache_in_ram:  # a card gets a copy of the layer that it computes
        compute += int(max(bytes_by_layer(header, load), default=0))
    inputs = estimate.host_compute_bytes(header, load, is_pipelined=pipelined)
    in_ram = estimate.compute_bytes(header, load) if found.layers_in_ram or placing.overrides else inputs
    return {
        name: share + Estimate(0, 0, in_ram if name == CPU else compute if share.total_bytes else 0)
        for name, share in found.shares.items()
    }


@dataclass(frozen=True)
class _Homes:
    """The device of each layer."""

    layers: int
    placing: Placing
    used: tuple[str, ...]
    proportions: tuple[float, ...]

    @cached_property
    def on_cards(self) -> int:
        """Layers on cards; the output counts as one."""
        if not self.used:
            return 0
        wanted = self.placing.gpu_layers
        return self.layers + 1 if wanted is None else min(wanted, self.layers + 1)

    @cached_property
    def first(self) -> int:
        """The first layer on a card."""
        return max(0, self.layers + 1 - self.on_cards)

    @property
    def has_output(self) -> bool:
        return self.on_cards > 0

    def of_layer(self, layer: int) -> dict[str, float]:
        """The shares of a layer's weights by device; the output is the layer after the last."""
        if layer < self.first or not self.on_cards:
            return {CPU: 1.0}
        if self.placing.split_mode in ("row", "tensor"):
            return dict(zip(self.used, self.proportions, strict=True))
        return {self._card(layer): 1.0}

    def of_cache(self, layer: int) -> dict[str, float]:
        """The same for its cache."""
        if self.placing.cache_in_ram or layer < self.first or not self.on_cards:
            return {CPU: 1.0}
        return self.of_layer(layer) if self.placing.split_mode == "tensor" else {self._card(layer): 1.0}

    def _card(self, layer: int) -> str:
        position = (layer - self.first) / self.on_cards
        ends = accumulate(self.proportions)
        return next(
            (name for name, end in zip(self.used, ends, strict=True) if position < end), self.used[-1]
        )


def _weights(header: GgufHeader, placing: Placing, homes: _Homes) -> tuple[dict[str, float], set[int]]:
    """Bytes of weights by device, and the layers whose experts an override keeps in RAM."""
    found = dict.fromkeys((*homes.used, CPU), 0.0)
    expert_layers: set[int] = set()
    up_to_last = so_far = 0
    for tensor in header.tensors:
        so_far += tensor.size_bytes
        match = LAYER.match(tensor.name)
        layer = int(match[1]) if match else homes.layers
        forced = next((home for pattern, home in placing.overrides if pattern.search(tensor.name)), None)
        if forced is not None:
            shares = {forced if forced in homes.used else CPU: 1.0}
            if CPU in shares and layer >= homes.first and "_exps." in tensor.name and homes.used:
                expert_layers.add(layer)
        else:
            shares = {CPU: 1.0} if tensor.name.startswith(INPUTS) else homes.of_layer(layer)
        for name, share in shares.items():
            found[name] += tensor.size_bytes * share
        up_to_last = so_far if CPU in shares else up_to_last
    for name, share in _copied_output(header.tensors, homes).items():
        found[name] += share
    if placing.locks_mapped_file:
        found[CPU] = up_to_last
    return found, expert_layers


def _copied_output(tensors: Sequence[TensorInfo], homes: _Homes) -> dict[str, float]:
    """A model without an output tensor uses its embedding twice: in RAM, and as a copy on the last card."""
    sizes = {tensor.name: tensor.size_bytes for tensor in tensors if tensor.name in (EMBEDDING, OUTPUT)}
    if OUTPUT in sizes or not homes.has_output:
        return {}
    return {name: sizes.get(EMBEDDING, 0) * share for name, share in homes.of_layer(homes.layers).items()}


def _proportions(placing: Placing, used: Sequence[str], cards: Mapping[str, int]) -> tuple[float, ...]:
    """The share of each card: as the profile says, else by free memory."""
    given = (*placing.tensor_split, *(0.0 for _ in used))[: len(used)]
    parts = given if any(given) else tuple(float(max(0, cards[name])) for name in used)
    total = sum(parts)
    return tuple(part / total if total else 1 / len(used) for part in parts)

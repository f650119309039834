"""Where the parts of a model go on this machine, as devices with their shares: as placed, or spread by fitting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.foundation.samples import GpuReading
from claude_local.models.fit import companions, estimate, loads, placement
from claude_local.models.fit.companions import Companions
from claude_local.models.fit.estimate import Estimate
from claude_local.models.fit.placing import Placing, placing_of
from claude_local.models.fit.verdicts import CPU, CPU_MARGIN_MIB, MIB, Device, Hardware
from claude_local.profiles.profile import Profile
from claude_local.server.fit_target import margins


def room_bytes(hardware: Hardware, profile: Profile, fit_target: str = "") -> int:
    """Bytes available to a model on the cards that the profile admits, or in RAM without cards."""
    rooms = _rooms(hardware, profile, fit_target)
    used = used_cards(profile, rooms)
    return sum(rooms[name] for name in used) if used else hardware.ram_available_bytes - CPU_MARGIN_MIB * MIB


def used_cards(profile: Profile, cards: Mapping[str, int]) -> tuple[str, ...]:
    """The cards that the profile puts layers on."""
    placing = placing_of(profile)
    return () if placing.gpu_layers == 0 else placing.used(cards)


@dataclass(frozen=True)
class Layout:
    """The devices with their shares, and the layers that the CPU computes."""

    devices: tuple[Device, ...]
    layers_on_cpu: int = 0
    expert_layers_on_cpu: int = 0

    @property
    def is_short(self) -> bool:
        return any((device.margin_bytes or 0) < 0 for device in self.devices)


@dataclass(frozen=True)
class Job:
    """One model on this machine."""

    profile: Profile
    header: GgufHeader
    hardware: Hardware
    beside: Companions
    fit_target: str

    @cached_property
    def cards(self) -> dict[str, int]:
        """Free bytes of each card."""
        return self.hardware.cards_by_name

    @cached_property
    def rooms(self) -> dict[str, int]:
        """The same without what stays free, and of RAM."""
        of_ram = self.hardware.ram_available_bytes - CPU_MARGIN_MIB * MIB
        return {**_rooms(self.hardware, self.profile, self.fit_target), CPU: of_ram}

    @cached_property
    def placing(self) -> Placing:
        return placing_of(self.profile)

    @cached_property
    def placer(self) -> placement.Placer:
        return placement.Placer(self.header, self.placing, self.cards)

    @cached_property
    def is_movable(self) -> bool:
        """Whether llama-server may move layers or experts to the CPU."""
        return (
            loads.is_fitted(self.profile)
            and bool(self.placing.used(self.cards))
            and self.placing.may_be_fitted(self.cards)
        )

    def context(self) -> int:
        """The context: as the profile says, else what llama-server chooses."""
        wanted = self.profile.server.ctx_size
        if wanted:
            return wanted
        own = loads.own_context(self.profile, self.header)
        server = self
        if not self.placing.used(self.cards):  # llama-server counts all RAM as free
            hardware = replace(self.hardware, ram_available_bytes=self.hardware.ram_total_bytes)
            server = replace(self, hardware=hardware)
        if not loads.is_fitted(self.profile) or server.fits(own):
            return own
        least = loads.smallest_context(self.profile, self.header)
        return max(least, estimate.largest_context(own, server.fits) or 0)

    def fits(self, tokens: int) -> bool:
        """Whether it fits in full, with what should stay free."""
        devices = self.placed(tokens).devices
        used = self.placing.used(self.cards)
        if not used:
            return sum(device.used_bytes for device in devices) <= self.rooms[CPU]
        if self.is_movable:
            needed = sum(device.used_bytes for device in devices if device.name in used)
            return needed <= sum(self.rooms[name] for name in used)
        return all(device.used_bytes <= self.rooms[device.name] for device in devices)

    def layout(self, tokens: int) -> Layout:
        """Where everything goes, and what the CPU computes."""
        exact = self.placed(tokens)
        if self.is_movable and not all(
            device.used_bytes <= self.rooms[device.name] for device in exact.devices if device.name != CPU
        ):
            return self.spread(tokens)
        # llama-server tries again without copies if there is no room for them.
        return self.placed(tokens, copies=False) if exact.is_short else exact

    def placed(self, tokens: int, *, copies: bool = True) -> Layout:
        """The placement by the profile and llama.cpp's defaults, whether it fits or not."""
        load = loads.load_of(self.profile, tokens)
        found = self.placer.at(load)
        needs = placement.with_compute(found, self.header, load, self.placing, copies=copies)
        return Layout(self._devices(needs, tokens), found.layers_in_ram, found.expert_layers_in_ram)

    def spread(self, tokens: int) -> Layout:
        """The placement by fitting: experts go to RAM first, then whole layers with their cache."""
        load = loads.load_of(self.profile, tokens)
        needed = estimate.estimate(self.header, load)
        compute = estimate.card_compute_bytes(self.header, load, is_pipelined=False)
        rooms = self._rooms_beside(tokens, compute)
        embedding, experts = estimate.embedding_bytes(self.header), estimate.expert_bytes(self.header)
        others = needed.weights_bytes - embedding - experts
        cache = 0 if self.placing.cache_in_ram else needed.cache_bytes
        overflow = max(0, experts + others + cache - sum(rooms.values()))
        moved_experts = min(overflow, experts)
        moved = min(1.0, (overflow - moved_experts) / (others + cache)) if others + cache else 0.0
        weights = experts - moved_experts + int(others * (1 - moved))
        kept_cache = int(cache * (1 - moved))
        needs = {
            name: Estimate(int(weights * share), int(kept_cache * share), compute)
            for name, share in _shares(rooms).items()
        }
        on_cpu = needed.weights_bytes - weights
        needs[CPU] = Estimate(on_cpu, needed.cache_bytes - kept_cache, needed.compute_bytes)
        layers = self.header.n_layers or 0
        of_experts = -(-moved_experts * layers // experts) if experts else 0
        return Layout(self._devices(needs, tokens), math.ceil(moved * layers), min(of_experts, layers))

    def _rooms_beside(self, tokens: int, compute_bytes: int) -> dict[str, int]:
        """The bytes that each used card has for layers."""
        extra = companions.needs(self.profile, self.header, self.beside, tokens, self.cards)
        taken = {name: need.total_bytes + compute_bytes for name, need in extra.items()}
        used = self.placing.used(self.cards)
        return {name: max(0, self.rooms[name] - taken.get(name, compute_bytes)) for name in used}

    def _devices(self, needs: Mapping[str, Estimate], tokens: int) -> tuple[Device, ...]:
        extra = companions.needs(self.profile, self.header, self.beside, tokens, self.cards)
        return with_companions(
            tuple(Device(name, n.weights_bytes, n.cache_bytes, n.compute_bytes) for name, n in needs.items()),
            extra,
            {**self.cards, CPU: self.hardware.ram_available_bytes},
        )


def with_companions(
    devices: tuple[Device, ...], needs: Mapping[str, Estimate], free: Mapping[str, int]
) -> tuple[Device, ...]:
    """The devices with the memory of the companions added; a card of theirs alone comes before the CPU."""
    names = [device.name for device in devices]
    alone = tuple(Device(name, 0, 0, 0) for name in needs if name not in names)
    return tuple(
        _plus(device, needs.get(device.name, Estimate(0, 0, 0)), free)
        for device in (*devices[:-1], *alone, *devices[-1:])
    )


def _plus(device: Device, need: Estimate, free: Mapping[str, int]) -> Device:
    return replace(
        device,
        weights_bytes=device.weights_bytes + need.weights_bytes,
        cache_bytes=device.cache_bytes + need.cache_bytes,
        compute_bytes=device.compute_bytes + need.compute_bytes,
        free_bytes=free.get(device.name) if device.free_bytes is None else device.free_bytes,
    )


def _rooms(hardware: Hardware, profile: Profile, fit_target: str) -> dict[str, int]:
    """Bytes available on each card without what should stay free."""
    targets = margins(profile.server.fit_target or fit_target, GpuReading(gpus=hardware.cards))
    free = hardware.cards_by_name
    return {name: max(0, free[name] - target * MIB) for name, target in zip(free, targets, strict=True)}


def _shares(rooms: Mapping[str, int]) -> dict[str, float]:
    total = sum(rooms.values())
    return {name: room / total if total else 0.0 for name, room in rooms.items()}

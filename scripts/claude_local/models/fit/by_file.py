"""A verdict from the model file alone: sizes compared with free memory, layers split as finely as needed."""

from __future__ import annotations

from dataclasses import replace

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.foundation.samples import GpuReading
from claude_local.models.fit import estimate
from claude_local.models.fit.estimate import Estimate
from claude_local.models.fit.kv_cache import Load
from claude_local.models.fit.verdicts import (
    CPU,
    CPU_MARGIN_MIB,
    MIB,
    Device,
    FitVerdict,
    Hardware,
    free_bytes,
    judge,
)
from claude_local.profiles.profile import Profile
from claude_local.server.fit_target import fit_targets

SOURCE = "model file"
AUTO_SLOTS = 4
"""llama-server's defaults."""


def verdict(profile: Profile, header: GgufHeader, hardware: Hardware, *notes: str) -> FitVerdict:
    """Whether it fits by its sizes; `notes` say why no better source was available."""
    tokens = profile.server.ctx_size or _context_left_open(profile, header)
    needed = estimate.estimate(header, load_of(profile, tokens))
    devices, layers_on_cpu = _spread(needed, header, hardware)
    outcome, reason, offloaded = judge(devices, estimate.embedding_bytes(header))
    has_experts = estimate.expert_bytes(header) > 0
    return FitVerdict(
        profile.name,
        outcome,
        reason,
        SOURCE,
        notes=(*notes, *needed.notes),
        devices=devices,
        offloaded_bytes=offloaded,
        layers=header.n_layers,
        layers_on_cpu=0 if hardware.cards and has_experts else layers_on_cpu,
        expert_layers_on_cpu=layers_on_cpu if hardware.cards and has_experts else 0,
        context_tokens=tokens,
        largest_context_tokens=estimate.largest_context(
            header, lambda n: load_of(profile, n), room_bytes(hardware)
        ),
    )


def room_bytes(hardware: Hardware) -> int:
    """Bytes available to a model on all cards, or in RAM without cards."""
    if hardware.cards:
        return sum(_rooms(hardware))
    return hardware.ram_available_bytes - CPU_MARGIN_MIB * MIB


def load_of(profile: Profile, tokens: int) -> Load:
    """The load parameters of a profile."""
    server = profile.server
    return Load(
        context_tokens=tokens,
        slots=server.parallel or AUTO_SLOTS,
        batch_tokens=min(server.ubatch_size or 512, server.batch_size or 2048),
        cache_type_k=server.cache_type_k or "f16",
        cache_type_v=server.cache_type_v or "f16",
        flash_attention=server.flash_attn != "off",
        full_window=bool(server.swa_full),
    )


def _context_left_open(profile: Profile, header: GgufHeader) -> int:
    """The smallest context that `fit` may choose, if the profile leaves the context to it."""
    own = header.context_length or 0
    return min(own, profile.server.fit_ctx or own)


def _spread(needed: Estimate, header: GgufHeader, hardware: Hardware) -> tuple[tuple[Device, ...], int]:
    """The devices with their shares, and the number of layers on the CPU."""
    layers = header.n_layers or 0
    if not hardware.cards:
        ram = Device(CPU, needed.weights_bytes, needed.cache_bytes, needed.compute_bytes)
        return (replace(ram, free_bytes=hardware.ram_available_bytes),), layers
    embedding = estimate.embedding_bytes(header)
    wanted = needed.weights_bytes - embedding + needed.cache_bytes
    room = max(0, room_bytes(hardware) - needed.compute_bytes * len(hardware.cards))
    overflow = min(max(0, wanted - room), needed.weights_bytes - embedding)
    on_cards = needed.weights_bytes - embedding - overflow
    cards = [
        Device(
            f"CUDA{gpu.index}",
            int(on_cards * share),
            int(needed.cache_bytes * share),
            needed.compute_bytes,
            free_bytes(gpu),
        )
        for gpu, share in zip(hardware.cards, _shares(hardware), strict=True)
    ]
    ram = Device(CPU, embedding + overflow, 0, needed.compute_bytes, hardware.ram_available_bytes)
    movable = estimate.expert_bytes(header) or needed.weights_bytes - embedding
    return (*cards, ram), -(-overflow * layers // movable) if movable else 0


def _rooms(hardware: Hardware) -> list[int]:
    """Bytes available to a model on each card."""
    targets = fit_targets(GpuReading(gpus=hardware.cards)).split(",")
    return [
        max(0, free_bytes(gpu) - int(target) * MIB)
        for gpu, target in zip(hardware.cards, targets, strict=True)
    ]


def _shares(hardware: Hardware) -> list[float]:
    rooms = _rooms(hardware)
    return [room / (sum(rooms) or 1) for room in rooms]

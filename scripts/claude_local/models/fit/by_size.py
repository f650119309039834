"""An estimate for a model whose file is not downloaded yet, from the size in its profile alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from claude_local.models.fit.layout import room_bytes, used_cards
from claude_local.models.fit.loads import is_fitted
from claude_local.models.fit.verdicts import GB, FitVerdict, Hardware, Likelihood, Outcome
from claude_local.profiles.profile import Profile

SOURCE = "the size in the profile"
CONTEXT_BYTES_PER_TOKEN = (13_000, 48_000, 102_000)
"""Lowest, middle and highest KV cache bytes per token of known architectures with `q8_0`. Small models need
less, so a context is assumed to be no larger than its model."""
USUAL_CONTEXT_TOKENS = 65536
OWN_CONTEXT_TOKENS = 262144
"""Context of a large model of today, if the profile leaves it open and does not let it be fitted."""


def verdict(profile: Profile, hardware: Hardware, *notes: str) -> FitVerdict:
    """Whether it would fit, marked as an estimate; `unknown` if the profile states no size."""
    sizes = [part.stated_bytes for part in profile.model.files]
    weights = sum(size for size in sizes if size)
    if not sizes[0]:
        reason = "the model file is missing, and the profile does not state its size"
        return FitVerdict(profile.name, "unknown", reason)
    hardware = _admitted(hardware, profile)
    is_own = not profile.server.ctx_size and not is_fitted(profile)
    tokens = profile.server.ctx_size or profile.server.fit_ctx or USUAL_CONTEXT_TOKENS
    tokens = OWN_CONTEXT_TOKENS if is_own else tokens
    least, middle, most = (min(tokens * each, weights) for each in CONTEXT_BYTES_PER_TOKEN)
    least = 0 if is_own else least
    outcome, reason, offloaded = _judged(profile, weights, middle, hardware)
    is_sure = weights > hardware.free_bytes and all(part.size_bytes for part in profile.model.files)
    is_close = len({_judged(profile, weights, context, hardware)[0] for context in (least, middle, most)}) > 1
    likelihood: Likelihood = "" if is_sure else "perhaps" if is_close else "probably"
    counted = (
        f"{weights / GB:.1f} GB of weights and {least / GB:.1f} to {most / GB:.1f} GB of context; "
        f"room for {max(0, room_bytes(hardware, profile)) / GB:.1f} GB {'on the cards' if hardware.cards else 'in RAM'}"
    )
    how = f": invoke pull {profile.name}" if profile.model.repo else ""
    later = f"{'an estimate, because ' if likelihood else ''}the model file is not here yet; exact once it is{how}"
    return FitVerdict(
        profile.name,
        outcome,
        reason,
        SOURCE,
        notes=(*notes, counted, *_not_counted(profile, is_own=is_own), later),
        offloaded_bytes=offloaded,
        context_tokens=None if is_own else tokens,
        likelihood=likelihood,
    )


def _not_counted(profile: Profile, *, is_own: bool) -> Iterator[str]:
    if is_own:
        yield "the context is the model's own, which is known once the file is here"
    for name, part in (("projector", profile.model.mmproj), ("draft model", profile.model.draft)):
        if part and not part.stated_bytes:
            yield f"the {name} is not counted: the profile does not state its size"


def _admitted(hardware: Hardware, profile: Profile) -> Hardware:
    """The machine with only the cards that the profile puts the model on."""
    used = used_cards(profile, hardware.cards_by_name)
    gpus = tuple(gpu for gpu in hardware.cards if f"CUDA{gpu.index}" in used)
    return replace(hardware, reading=replace(hardware.reading, gpus=gpus))


def _judged(profile: Profile, weights: int, context: int, hardware: Hardware) -> tuple[Outcome, str, int]:
    """Outcome, reason and the bytes that would not fit on the cards."""
    if weights > hardware.free_bytes:
        return "does not fit", f"{weights / GB:.1f} GB of weights, {hardware.free_bytes / GB:.1f} GB free", 0
    room, needed = max(0, room_bytes(hardware, profile)), weights + context
    overflow = needed - room
    if overflow <= 0:
        return "fits", "", 0
    ram = max(0, hardware.ram_available_bytes) if hardware.cards else 0
    if overflow > ram:
        return "does not fit", f"about {needed / GB:.1f} GB, room for {(room + ram) / GB:.1f} GB", 0
    return "offloads", "", min(overflow, weights)

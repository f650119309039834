"""An estimate for a model whose file is not downloaded yet, from the size in its profile alone."""

from __future__ import annotations

from claude_local.models.fit.by_file import room_bytes
from claude_local.models.fit.verdicts import GB, FitVerdict, Hardware, Likelihood, Outcome
from claude_local.profiles.profile import Profile

SOURCE = "the size in the profile"
CONTEXT_BYTES_PER_TOKEN = (13_000, 48_000, 102_000)
"""Lowest, middle and highest KV cache bytes per token of known architectures with `q8_0`. Small models need
less, so a context is assumed to be no larger than its model."""
USUAL_CONTEXT_TOKENS = 65536


def verdict(profile: Profile, hardware: Hardware, *notes: str) -> FitVerdict:
    """Whether it would fit, marked as an estimate; `unknown` if the profile states no size."""
    sizes = [part.stated_bytes for part in profile.model.files]
    weights = sum(size for size in sizes if size)
    if not sizes[0]:
        reason = "the model file is missing, and the profile does not state its size"
        return FitVerdict(profile.name, "unknown", reason)
    tokens = profile.server.ctx_size or profile.server.fit_ctx or USUAL_CONTEXT_TOKENS
    least, middle, most = (min(tokens * each, weights) for each in CONTEXT_BYTES_PER_TOKEN)
    outcome, reason, offloaded = _judged(weights, middle, hardware)
    is_sure = weights > hardware.free_bytes and profile.model.size_bytes is not None
    is_close = len({_judged(weights, context, hardware)[0] for context in (least, middle, most)}) > 1
    likelihood: Likelihood = "" if is_sure else "perhaps" if is_close else "probably"
    counted = (
        f"{weights / GB:.1f} GB of weights and {least / GB:.1f} to {most / GB:.1f} GB of context; "
        f"room for {max(0, room_bytes(hardware)) / GB:.1f} GB {'on the cards' if hardware.cards else 'in RAM'}"
    )
    how = f": invoke pull {profile.name}" if profile.model.repo else ""
    later = f"{'an estimate, because ' if likelihood else ''}the model file is not here yet; exact once it is{how}"
    return FitVerdict(
        profile.name,
        outcome,
        reason,
        SOURCE,
        notes=(*notes, counted, later),
        offloaded_bytes=offloaded,
        context_tokens=tokens,
        likelihood=likelihood,
    )


def _judged(weights: int, context: int, hardware: Hardware) -> tuple[Outcome, str, int]:
    """Outcome, reason and the bytes that would not fit on the cards."""
    if weights > hardware.free_bytes:
        return "does not fit", f"{weights / GB:.1f} GB of weights, {hardware.free_bytes / GB:.1f} GB free", 0
    room, needed = max(0, room_bytes(hardware)), weights + context
    overflow = needed - room
    if overflow <= 0:
        return "fits", "", 0
    ram = max(0, hardware.ram_available_bytes) if hardware.cards else 0
    if overflow > ram:
        return "does not fit", f"about {needed / GB:.1f} GB, room for {(room + ram) / GB:.1f} GB", 0
    return "offloads", "", min(overflow, weights)

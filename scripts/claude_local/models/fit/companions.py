"""The memory beside the model itself: its draft model or MTP head, and its projector for images or sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.models.fit import estimate
from claude_local.models.fit.estimate import Estimate
from claude_local.models.fit.kv_cache import FLOAT_BYTES, bytes_by_layer, number
from claude_local.models.fit.loads import draft_load_of
from claude_local.models.fit.placement import Placer, with_compute
from claude_local.models.fit.placing import draft_placing_of, placing_of
from claude_local.models.fit.verdicts import CPU, GB
from claude_local.profiles.profile import Profile
from claude_local.server import flags

PROJECTOR_STATES = 4
"""Hidden states of a patch in the projector's compute buffer, besides its inner layer (build 11669)."""
ANY_SIZE_PATCHES = 46 * 46 * 4
"""Patches of the image that llama-server reserves memory for, if a projector takes images of any size."""
SOUND_FRAMES = 1500
"""Frames of 30 seconds of sound."""

Needs = dict[str, Estimate]
"""By device."""


@dataclass(frozen=True)
class Companion:
    """A file that is loaded with the model: its header, or only its size before the download."""

    name: str
    """As a person calls it: `draft model`."""
    header: GgufHeader | None
    stated_bytes: int = 0


@dataclass(frozen=True)
class Companions:
    """The files beside the model; None: the profile has no such file."""

    projector: Companion | None = None
    draft: Companion | None = None
    notes: tuple[str, ...] = ()
    """What is not counted, and why."""


def needs(
    profile: Profile, header: GgufHeader, companions: Companions, tokens: int, cards: Mapping[str, int]
) -> Needs:
    """The memory of all companions by device, with a context of `tokens`."""
    total: Needs = {}
    for part in (
        draft_needs(profile, companions, tokens, cards),
        mtp_needs(profile, header, tokens, cards),
        projector_needs(profile, companions, cards),
    ):
        for name, need in part.items():
            total[name] = total.get(name, Estimate(0, 0, 0)) + need
    return total


def draft_needs(profile: Profile, companions: Companions, tokens: int, cards: Mapping[str, int]) -> Needs:
    """The draft model: it has a cache and a compute buffer of its own and is never split by fitting."""
    draft, placing = companions.draft, draft_placing_of(profile)
    if draft is None:
        return {}
    if draft.header is None:
        return {next(iter(placing.used(cards)), CPU): Estimate(draft.stated_bytes, 0, 0)}
    load = draft_load_of(profile, tokens)
    placed = Placer(draft.header, placing, cards).at(load)
    return with_compute(placed, draft.header, load, placing)


def mtp_needs(profile: Profile, header: GgufHeader, tokens: int, cards: Mapping[str, int]) -> Needs:
    """The second context of a model that drafts with its own MTP head; the head's weights are the model's."""
    layers = number(header, "nextn_predict_layers")
    if profile.model.draft or "draft-mtp" not in (profile.server.spec_type or "") or not layers:
        return {}
    load = draft_load_of(profile, tokens)
    cache = int(max(bytes_by_layer(header, load), default=0)) * layers
    placing = placing_of(profile)
    used = () if placing.gpu_layers == 0 else placing.used(cards)
    if not used:
        return {CPU: Estimate(0, cache, estimate.compute_bytes(header, load))}
    return {used[-1]: Estimate(0, cache, estimate.card_compute_bytes(header, load, is_pipelined=False))}


def projector_needs(profile: Profile, companions: Companions, cards: Mapping[str, int]) -> Needs:
    """The projector: on the first card that the profile lists, wherever the model is (build 11669)."""
    projector = companions.projector
    if projector is None:
        return {}
    header = projector.header
    need = Estimate(projector.stated_bytes, 0, 0)
    if header is not None:
        need = Estimate(header.tensor_bytes, 0, _projector_compute_bytes(header, profile))
    return {next(iter(placing_of(profile).listed(cards)), CPU): need}


def describe(
    profile: Profile, header: GgufHeader, companions: Companions, tokens: int, cards: Mapping[str, int]
) -> Iterator[str]:
    """One note per companion with its size, then what is not counted."""
    parts = (
        (companions.draft, draft_needs(profile, companions, tokens, cards)),
        (Companion("MTP head's context", header), mtp_needs(profile, header, tokens, cards)),
        (companions.projector, projector_needs(profile, companions, cards)),
    )
    for companion, found in parts:
        size = sum(need.total_bytes for need in found.values())
        if companion and size:
            yield f"the {companion.name} is counted: {size / GB:.1f} GB"
    yield from companions.notes


def _projector_compute_bytes(header: GgufHeader, profile: Profile) -> int:
    """The buffer for one image, or for 30 seconds of sound."""
    given = dict(flags.options(profile, ""))
    if given.get("warmup") is False:
        return 0
    flash = profile.server.flash_attn != "off"
    return max(_part_bytes(header, part, flash=flash) for part in ("vision", "audio"))


def _part_bytes(header: GgufHeader, part: str, *, flash: bool) -> int:
    width = number(header, f"{part}.embedding_length")
    inner, heads = (
        number(header, f"{part}.feed_forward_length"),
        number(header, f"{part}.attention.head_count"),
    )
    side, patch = number(header, f"{part}.image_size"), number(header, f"{part}.patch_size") or 1
    patches = (side // patch) ** 2 if part == "vision" else SOUND_FRAMES * bool(width)
    if number(header, f"{part}.spatial_merge_size"):
        patches = max(patches, ANY_SIZE_PATCHES)
    states = patches * (inner + PROJECTOR_STATES * width)
    scores = 0 if flash else heads * patches**2
    return (states + scores + 3 * patches * patch**2) * FLOAT_BYTES

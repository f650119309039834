"""How llama-server loads the model of a profile: its context, slots and cache types."""

from __future__ import annotations

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.models.fit.kv_cache import CACHE_BYTES, Load
from claude_local.profiles.profile import Profile
from claude_local.server import flags

AUTO_SLOTS = 4
DEFAULT_FIT_CONTEXT = 4096
"""llama-server's defaults."""


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
        unified=_is_unified(profile),
    )


def draft_load_of(profile: Profile, tokens: int) -> Load:
    """The same for its draft: the context, slots and batch of the model, and cache types of its own."""
    given = dict(flags.options(profile, ""))
    load = load_of(profile, tokens)
    key, value = (given.get(f"spec-draft-type-{part}", "f16") for part in "kv")
    return Load(
        context_tokens=tokens,
        slots=load.slots,
        batch_tokens=load.batch_tokens,
        cache_type_k=key if isinstance(key, str) and key in CACHE_BYTES else "f16",
        cache_type_v=value if isinstance(value, str) and value in CACHE_BYTES else "f16",
        flash_attention=load.flash_attention,
        full_window=load.full_window,
        unified=load.unified,
    )


def is_fitted(profile: Profile) -> bool:
    """Whether llama-server fits what the profile leaves open to the memory: its default."""
    return profile.server.fit != "off"


def own_context(profile: Profile, header: GgufHeader) -> int:
    """The context of all slots together if the profile leaves it open, with unset or zero `ctx_size`.

    Fitting gives each slot the model's own context, unless they share it; without fitting they divide it (build
    11669).
    """
    shares = 1 if _is_unified(profile) or not is_fitted(profile) else profile.server.parallel or 1
    return (header.context_length or 0) * shares


def smallest_context(profile: Profile, header: GgufHeader) -> int:
    """The smallest context of all slots together that fitting may choose."""
    shares = 1 if _is_unified(profile) else profile.server.parallel or 1
    least = profile.server.fit_ctx or DEFAULT_FIT_CONTEXT
    return min(own_context(profile, header), least * shares)


def _is_unified(profile: Profile) -> bool:
    server = profile.server
    return server.parallel is None if server.kv_unified is None else server.kv_unified

"""The flags of a profile that llama-fit-params knows and that affect memory."""

from __future__ import annotations

from collections.abc import Mapping

from claude_local.profiles.profile import Profile
from claude_local.server import flags

FLAGS = (
    "model", "ctx-size", "parallel", "n-gpu-layers", "fit", "fit-target", "fit-ctx", "split-mode",
    "tensor-split", "main-gpu", "device", "cpu-moe", "n-cpu-moe", "override-tensor", "moe-cache-mib",
    "flash-attn", "cache-type-k", "cache-type-v", "swa-full", "batch-size", "ubatch-size", "load-mode",
    "lazy-mode", "kv-offload", "no-kv-offload", "n-cpu-ffn", "repack", "no-repack", "no-host", "op-offload",
    "no-op-offload", "override-kv",
)  # fmt: skip
"""llama-fit-params rejects most others."""
DRAFT_FLAGS = {
    "spec-draft-ngl": "n-gpu-layers",
    "spec-draft-n-cpu-moe": "n-cpu-moe",
    "spec-draft-cpu-moe": "cpu-moe",
    "spec-draft-device": "device",
    "spec-draft-type-k": "cache-type-k",
    "spec-draft-type-v": "cache-type-v",
}
"""The flags of a draft model, and the same flags of a model."""
TAKEN_OVER = (
    "parallel", "split-mode", "main-gpu", "tensor-split", "device", "flash-attn", "swa-full", "batch-size",
    "ubatch-size", "no-kv-offload", "no-repack", "no-host",
)  # fmt: skip
"""The flags of the model that its draft model takes over."""


def options(profile: Profile, fit_target: str) -> dict[str, str]:
    """The profile's own flags, and our fit target where it has none."""
    return {**({"fit-target": fit_target} if fit_target else {}), **_known(profile)}


def draft_options(profile: Profile) -> dict[str, str]:
    """The flags of the draft model as those of a model: its own, and what it takes over."""
    given = dict(flags.options(profile, flags.CONTAINER_MODELS_DIR))
    own = {DRAFT_FLAGS[name]: value for name, value in given.items() if name in DRAFT_FLAGS}
    known = {name: value for name, value in _known(profile).items() if name in TAKEN_OVER}
    return {
        **known,
        "model": str(given["spec-draft-model"]),
        **{name: value if isinstance(value, str) else "" for name, value in own.items()},
    }


def _known(profile: Profile) -> dict[str, str]:
    own = flags.options(profile, flags.CONTAINER_MODELS_DIR)
    return {name: value if isinstance(value, str) else "" for name, value in own if name in FLAGS}


def merged(given: Mapping[str, str], fitted: Mapping[str, str]) -> dict[str, str]:
    """The profile's flags with those that fitting chose."""
    found = {**given, **fitted}
    if found.get("n-gpu-layers") == "-1":
        found["n-gpu-layers"] = "all"
    return found

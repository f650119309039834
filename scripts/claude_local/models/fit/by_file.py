"""A verdict from the model file alone: sizes compared with free memory, on the cards that the profile names."""

from __future__ import annotations

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.models.fit import companions, estimate, loads
from claude_local.models.fit.companions import Companions
from claude_local.models.fit.layout import Job
from claude_local.models.fit.verdicts import FitVerdict, Hardware, judge
from claude_local.profiles.profile import Profile

SOURCE = "model file"
ALONE = Companions()


def verdict(
    profile: Profile,
    header: GgufHeader,
    hardware: Hardware,
    *notes: str,
    beside: Companions = ALONE,
    fit_target: str = "",
) -> FitVerdict:
    """Whether it fits by its sizes; `notes` say why no better source was available."""
    job = Job(profile, header, hardware, beside, fit_target)
    unknown = job.placing.unknown(job.cards)
    if unknown:
        known = ", ".join(job.cards) or "no cards"
        reason = f"the profile names `{', '.join(unknown)}`, this machine has {known}"
        return FitVerdict(profile.name, "unknown", reason)
    tokens = job.context()
    found = job.layout(tokens)
    outcome, reason, offloaded = judge(found.devices, estimate.embedding_bytes(header))
    return FitVerdict(
        profile.name,
        outcome,
        reason,
        SOURCE,
        notes=(
            *notes,
            *estimate.estimate(header, loads.load_of(profile, tokens)).notes,
            *companions.describe(profile, header, beside, tokens, job.cards),
        ),
        devices=found.devices,
        offloaded_bytes=offloaded,
        layers=header.n_layers,
        layers_on_cpu=found.layers_on_cpu,
        expert_layers_on_cpu=found.expert_layers_on_cpu,
        context_tokens=tokens,
        largest_context_tokens=estimate.largest_context(header.context_length or 0, job.fits),
    )

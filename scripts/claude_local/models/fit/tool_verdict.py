"""A verdict from llama-fit-params, with the memory of the draft model and the projector added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from claude_local.foundation.gguf_header import GgufHeader
from claude_local.foundation.samples import GpuReading
from claude_local.machine.settings import Settings
from claude_local.models.fit import by_file, by_tool, companions, estimate, loads
from claude_local.models.fit.by_tool import FitUnavailable, Layout
from claude_local.models.fit.companions import Companions, Needs
from claude_local.models.fit.estimate import Estimate
from claude_local.models.fit.layout import with_companions
from claude_local.models.fit.placement import Placer
from claude_local.models.fit.placing import placing_of
from claude_local.models.fit.verdicts import CPU, CPU_MARGIN_MIB, MIB, FitVerdict, Hardware, judge
from claude_local.profiles.profile import Profile
from claude_local.server.fit_target import fit_targets, margins

SOURCE = "llama-fit-params"


def verdict(
    settings: Settings, profile: Profile, header: GgufHeader, hardware: Hardware, beside: Companions
) -> FitVerdict:
    """The verdict of llama-fit-params; of the model file, with a note, if the tool cannot run."""
    wanted = profile.server.ctx_size or loads.own_context(profile, header)
    target = profile.server.fit_target or settings.fit_target or fit_targets(hardware.reading)
    in_use = hardware.ram_total_bytes - hardware.ram_available_bytes
    try:
        needs = _needs(settings, profile, header, hardware, beside, wanted)
        layout = by_tool.lay_out(
            settings,
            profile,
            with_cards=bool(hardware.cards),
            fit_target=target_beside(profile, target, needs, hardware),
            open_context=0 if profile.server.ctx_size else wanted,
            least_context=loads.smallest_context(profile, header),
            ram_in_use_mib=(in_use + _of(needs, CPU)) // MIB,
        )
        tokens = layout.context_tokens or wanted
        if tokens != wanted:
            needs = _needs(settings, profile, header, hardware, beside, tokens)
    except FitUnavailable as error:
        return by_file.verdict(
            profile, header, hardware, error.message, beside=beside, fit_target=settings.fit_target or ""
        )
    return _judged(
        profile, header, hardware, _without_surplus(profile, header, layout, tokens), needs, beside
    )


def target_beside(profile: Profile, target: str, needs: Mapping[str, Estimate], hardware: Hardware) -> str:
    """The fit target with the memory of the companions added, as llama-server itself does (build 11669).

    The values are those of the cards that the profile lists, in its order.
    """
    if not needs:
        return target
    listed = placing_of(profile).listed(hardware.cards_by_name)
    if not listed:
        first = target.split(",")[0].strip()
        return str((int(first) if first.isdigit() else CPU_MARGIN_MIB) + -(-_of(needs, CPU) // MIB))
    free = list(margins(target, GpuReading(gpus=hardware.cards)))
    for position, name in enumerate(listed):
        free[position] += -(-_of(needs, name) // MIB)
    return ",".join(map(str, free))


def _needs(
    settings: Settings,
    profile: Profile,
    header: GgufHeader,
    hardware: Hardware,
    beside: Companions,
    tokens: int,
) -> Needs:
    """The companions by device; the draft model as llama-fit-params measures it."""
    cards = hardware.cards_by_name
    if beside.draft is None or beside.draft.header is None:
        return companions.needs(profile, header, beside, tokens, cards)
    found = companions.needs(profile, header, replace(beside, draft=None), tokens, cards)
    surplus = estimate.unused_scores_bytes(beside.draft.header, loads.draft_load_of(profile, tokens))
    for device in by_tool.lay_out_draft(settings, profile, tokens, with_cards=bool(cards)).devices:
        compute = device.compute_bytes if cards else max(0, device.compute_bytes - surplus)
        need = Estimate(device.weights_bytes, device.cache_bytes, compute)
        found[device.name] = found.get(device.name, Estimate(0, 0, 0)) + need
    return found


def _without_surplus(profile: Profile, header: GgufHeader, layout: Layout, tokens: int) -> Layout:
    """On cards the surplus is not subtracted: it is not known which card would have it."""
    *cards, ram = layout.devices
    if cards:
        return layout
    surplus = estimate.unused_scores_bytes(header, loads.load_of(profile, tokens))
    return replace(layout, devices=(replace(ram, compute_bytes=max(0, ram.compute_bytes - surplus)),))


def _judged(
    profile: Profile,
    header: GgufHeader,
    hardware: Hardware,
    layout: Layout,
    needs: Needs,
    beside: Companions,
) -> FitVerdict:
    free = {**hardware.cards_by_name, CPU: hardware.ram_available_bytes}
    tokens = layout.context_tokens or header.context_length or 0
    devices = with_companions(layout.devices, needs, free)
    outcome, reason, offloaded = judge(devices, estimate.embedding_bytes(header))
    if layout.is_refused and outcome != "does not fit":
        outcome, reason = "does not fit", "llama-fit-params finds no way to place it"
    return FitVerdict(
        profile.name,
        outcome,
        reason,
        SOURCE,
        notes=tuple(companions.describe(profile, header, beside, tokens, hardware.cards_by_name)),
        devices=devices,
        offloaded_bytes=offloaded,
        layers=header.n_layers,
        layers_on_cpu=_layers_on_cpu(layout, header.n_layers or 0),
        expert_layers_on_cpu=layout.expert_layers_on_cpu or _experts_by_profile(profile, header, hardware),
        context_tokens=tokens,
        largest_context_tokens=layout.largest_context_tokens,
    )


def _layers_on_cpu(layout: Layout, layers: int) -> int:
    if len(layout.devices) == 1:
        return layers
    if layout.layers_on_cards is None:
        return 0
    return max(0, layers + 1 - layout.layers_on_cards)  # llama.cpp counts the output as a layer


def _experts_by_profile(profile: Profile, header: GgufHeader, hardware: Hardware) -> int:
    """Layers whose experts the profile itself keeps in RAM."""
    load = loads.load_of(profile, 0)
    placed = Placer(header, placing_of(profile), hardware.cards_by_name).at(load)
    return placed.expert_layers_in_ram


def _of(needs: Mapping[str, Estimate], name: str) -> int:
    return needs[name].total_bytes if name in needs else 0

"""`invoke plan`: whether a model fits on this machine, before anything is loaded. `verdict` is the only entry point.

llama-fit-params from the image is the most exact source. If it cannot run, the figures come from the model file,
and before the download from the size in the profile, as an estimate. The verdict names its source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import psutil

from claude_local.foundation.errors import UserError
from claude_local.foundation.gguf_header import read_header, read_model
from claude_local.foundation.gguf_purpose import check_model
from claude_local.machine.gpus import read_gpus
from claude_local.machine.settings import Settings
from claude_local.models import model_check
from claude_local.models.fit import by_file, by_size, speeds, tool_verdict
from claude_local.models.fit.companions import Companion, Companions
from claude_local.models.fit.verdicts import FitVerdict, Hardware
from claude_local.profiles.model_source import HubFile
from claude_local.profiles.profile import Profile
from claude_local.server.engines import registry

LOADED = "a model is loaded and will be unloaded first: its memory counts as free"


def hardware_now() -> Hardware:
    """The memory of this machine now."""
    memory = psutil.virtual_memory()
    return Hardware(memory.total, memory.available, read_gpus())


def verdict(
    settings: Settings,
    profile: Profile,
    *,
    hardware: Hardware | None = None,
    quick: bool = False,
    is_loaded: bool = False,
) -> FitVerdict:
    """Whether the model of `profile` fits. Never raises: if that cannot be determined, the outcome is `unknown`.

    Runs llama-fit-params in Docker, which takes a second or two; with `quick` reads only the model file, in
    milliseconds. `is_loaded`: our engine has a model in memory, which a new one replaces.
    """
    hardware = hardware or hardware_now()
    if settings.is_external:
        return FitVerdict(profile.name, "unknown", "the server is external")
    file = settings.models_dir / profile.model.file
    if not file.is_file():
        if is_loaded:
            return by_size.verdict(profile, _emptied(hardware), LOADED)
        return by_size.verdict(profile, hardware)
    try:
        model_check.check_reachable(settings, profile)
        header = read_model(file)
        check_model(header, str(file))
    except UserError as error:
        return FitVerdict(profile.name, "unknown", error.message)
    beside = _companions(settings, profile)
    target = settings.fit_target or ""
    if is_loaded:
        found = by_file.verdict(profile, header, _emptied(hardware), LOADED, beside=beside, fit_target=target)
    elif quick or _plans_from_file(settings):
        found = by_file.verdict(profile, header, hardware, beside=beside, fit_target=target)
    else:
        found = tool_verdict.verdict(settings, profile, header, hardware, beside)
    return replace(found, tokens_per_second=speeds.load(settings).get(profile.name))


def verdicts(
    settings: Settings, profiles: Iterable[Profile], *, context_tokens: int | None, is_loaded: bool
) -> list[FitVerdict]:
    """The verdicts on several profiles from one reading of the machine, optionally with another context."""
    hardware = hardware_now()
    wanted = [with_context(profile, context_tokens) for profile in profiles]
    return [verdict(settings, profile, hardware=hardware, is_loaded=is_loaded) for profile in wanted]


def tokens_of(text: str | None) -> int | None:
    """Parses a number of tokens. Raises UserError for anything else."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise UserError(
            f"the context should be a number of tokens, not `{text}`", hint="for instance: --ctx 65536"
        )
    return int(text)


def with_context(profile: Profile, tokens: int | None) -> Profile:
    """The profile with another context."""
    if tokens is None:
        return profile
    return profile.model_copy(update={"server": profile.server.model_copy(update={"ctx_size": tokens})})


def check(found: FitVerdict) -> None:
    """Raises UserError if the model certainly does not fit. Unknown and estimated verdicts pass."""
    if found.outcome == "does not fit" and not found.likelihood:
        context = found.largest_context_tokens
        smaller = f"it fits with `ctx_size: {context}` in its profile; " if context else ""
        raise UserError(
            f"`{found.profile}` {found.text}",
            hint=f"{smaller}details: invoke plan --model {found.profile}; "
            'start it anyway: --force (API: `"force": true`)',
        )


def _plans_from_file(settings: Settings) -> bool:
    engine = registry.named(settings, settings.engine)
    return engine is not None and engine.plans_from_file


def _emptied(hardware: Hardware) -> Hardware:
    """The memory as if nothing else ran: the loaded model's share of the used memory is unknown."""
    gpus = tuple(replace(gpu, memory_used_bytes=0) for gpu in hardware.reading.gpus)
    reading = replace(hardware.reading, gpus=gpus)
    return replace(hardware, ram_available_bytes=hardware.ram_total_bytes, reading=reading)


def _companions(settings: Settings, profile: Profile) -> Companions:
    """The headers of the projector and the draft model, and what is not known of them."""
    notes: list[str] = []
    projector = _companion(settings, "projector", profile.model.mmproj, notes)
    draft = _companion(settings, "draft model", profile.model.draft, notes)
    return Companions(projector, draft, tuple(notes))


def _companion(settings: Settings, name: str, part: HubFile | None, notes: list[str]) -> Companion | None:
    if part is None:
        return None
    file = settings.models_dir / part.file
    if file.is_file():
        try:
            return Companion(name, read_header(file) if name == "projector" else read_model(file))
        except UserError as error:
            notes.append(f"the {name} is not counted: {error.message}")
            return None
    if part.stated_bytes:
        return Companion(name, None, part.stated_bytes)
    notes.append(
        f"the {name} is not counted: {part.file} is missing, and the profile does not state its size"
    )
    return None

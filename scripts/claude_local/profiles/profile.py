"""Model profiles: one YAML file is one model. This is the list of everything a profile can say.

A field below `server` is a llama-server flag: `cache_type_k` is `--cache-type-k`. There is no table
between the two; a test compares the names with `llama-server --help`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from claude_local.foundation.errors import ProfileError, UnknownProfile
from claude_local.foundation.strict_yaml import Mistake, YamlSource, read_yaml
from claude_local.profiles import extra_args
from claude_local.profiles.mistakes import describe, mistakes_of
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.parts import Count, Name, Part, Text, json_text

ACTIVE_ALIAS = "local-llama"
"""The name that means whatever profile is active."""

DEFAULTS_FILE = "_defaults.yaml"

OnOff = Literal["on", "off"]
OnOffAuto = Literal["on", "off", "auto"]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]


class ServerOptions(Part):
    """llama-server flags. Unset fields are left to llama-server."""

    ctx_size: Count | None = None
    """Context of all slots together in tokens; 0 takes the model's own."""
    parallel: Annotated[int, Field(ge=1)] | None = None
    """Slots: requests answered at the same time, each with its share of the context."""
    n_gpu_layers: Count | Literal["auto", "all"] | None = None
    fit: OnOff | None = None
    """Whether unset sizes are chosen to fit into the memory of the cards."""
    fit_target: Text | None = None
    """MiB to leave free, one value or one per card: `1024` or `512,2048`."""
    fit_ctx: Count | None = None
    """Smallest context that fitting may choose, in tokens."""
    split_mode: Literal["none", "layer", "row", "tensor"] | None = None
    tensor_split: Text | None = None
    main_gpu: Count | None = None
    device: Text | None = None
    cpu_moe: Literal[True] | None = None
    n_cpu_moe: Count | None = None
    override_tensor: Text | None = None
    moe_cache_mib: Count | None = None
    flash_attn: OnOffAuto | None = None
    cache_type_k: CacheType | None = None
    cache_type_v: CacheType | None = None
    kv_unified: bool | None = None
    cache_ram: Annotated[int, Field(ge=-1)] | None = None
    """MiB of RAM for prompts that left their slot; -1 is no limit, 0 is off."""
    ctx_checkpoints: Count | None = None
    swa_full: Literal[True] | None = None
    batch_size: Count | None = None
    ubatch_size: Count | None = None
    threads: int | None = None
    threads_batch: int | None = None
    load_mode: Literal["auto", "none", "mmap", "mlock", "mmap+mlock", "dio"] | None = None
    lazy_mode: OnOffAuto | None = None
    jinja: bool | None = None
    chat_template_kwargs: Annotated[dict[Text, Any], AfterValidator(json_text)] | None = None
    """Values for the chat template, for instance `{enable_thinking: false}`."""
    reasoning: OnOffAuto | None = None
    reasoning_effort: Text | None = None
    reasoning_budget: Annotated[int, Field(ge=-1)] | None = None
    reasoning_format: Literal["none", "deepseek", "deepseek-legacy", "auto"] | None = None
    temp: Annotated[float, Field(ge=0)] | None = None
    top_k: Count | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Field(ge=0)] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    spec_type: Text | None = None
    spec_draft_n_max: Count | None = None
    warmup: bool | None = None
    extra_args: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """Flags that have no field, as tokens: `[--keep, "64"]`."""

    @field_validator("extra_args")
    @classmethod
    def _extra_args_are_known_to_be_harmless(cls, tokens: tuple[str, ...]) -> tuple[str, ...]:
        extra_args.check(tokens, {name.replace("_", "-") for name in cls.model_fields})
        return tokens


class Profile(Part):
    """One model and how llama-server runs it."""

    name: Name
    """The file name without `.yaml`."""
    title: Text
    description: Text
    aliases: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    """Other names that `--model` understands."""
    tested_on: Text | None = None
    """Machine on which somebody ran this profile; unset: nobody has run it yet."""
    chat_template: Literal["own", "tolerant"] = "own"
    """`tolerant` wraps the model's own template so that a system message may stand anywhere, as
    Claude Code's do. For models whose template raises an error then."""
    claude_tools: Literal["lean", "full"] = "lean"
    """Which of Claude Code's tools the model is told of. `full` costs three times the tokens."""
    model: ModelSource
    server: ServerOptions = ServerOptions()


def load_profiles(directory: Path) -> dict[str, Profile]:
    """All profiles of a folder by name, each merged over `_defaults.yaml`.

    Raises ProfileError with every mistake of every file.
    """
    defaults = _read(directory / DEFAULTS_FILE)
    profiles: dict[str, Profile] = {}
    mistakes = list(defaults.mistakes)
    for file in profile_files(directory):
        source = _read(file)
        profile, found = _validate(source, defaults)
        mistakes += found
        if profile:
            mistakes += _shared_names(profile, profiles, source)
            profiles[profile.name] = profile
    if mistakes:
        raise _profile_error(mistakes, directory)
    return profiles


def profile_files(directory: Path) -> list[Path]:
    """Profile files in name order. Files whose name starts with `_` are none, nor with `.`: editors' own."""
    return sorted(file for file in directory.glob("*.yaml") if not file.name.startswith(("_", ".")))


def find_profile(profiles: Mapping[str, Profile], name: str) -> Profile:
    """The profile called `name`: by name, by alias, or by an unambiguous beginning of either."""
    names = {profile.name: profile for profile in profiles.values()}
    names |= {alias: profile for profile in profiles.values() for alias in profile.aliases}
    if name in names:
        return names[name]
    candidates = sorted({p.name for known, p in names.items() if name and known.startswith(name)})
    if len(candidates) == 1:
        return profiles[candidates[0]]
    if candidates:
        raise UnknownProfile(
            f"`{name}` could be several profiles", hint=f"choose one of: {', '.join(candidates)}"
        )
    raise UnknownProfile(f"no profile named `{name}`", hint=f"known profiles: {', '.join(sorted(profiles))}")


def _read(file: Path) -> YamlSource:
    try:
        return read_yaml(file)
    except OSError as error:
        raise ProfileError(f"cannot read {file}: {error.strerror}") from None


def _validate(source: YamlSource, defaults: YamlSource) -> tuple[Profile | None, list[Mistake]]:
    if source.mistakes:
        return None, source.mistakes
    if "name" in source.data:
        return None, mistakes_of(source, ("name",), "is no known key")
    data = _merge(defaults.data, source.data) | {"name": source.file.stem}
    return describe(Profile, data, source, defaults)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` on `base`, section by section. A key that is null in `over` is unset again."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict) and key == "server":
            section = _merge(base[key], value)
            merged[key] = {name: given for name, given in section.items() if given is not None}
        else:
            merged[key] = value
    return merged


def _shared_names(profile: Profile, others: dict[str, Profile], source: YamlSource) -> list[Mistake]:
    taken = {name: other for other in others.values() for name in (other.name, *other.aliases)}
    own = [(("aliases", i), alias) for i, alias in enumerate(profile.aliases)]
    mistakes = []
    seen: set[str] = set()
    for path, name in [((), profile.name), *own]:
        if name == ACTIVE_ALIAS:
            problem = f"should not be `{ACTIVE_ALIAS}`, which means the active profile"
        elif name in taken:
            problem = f"`{name}` is already a name of profile `{taken[name].name}`"
        elif name in seen:
            problem = f"`{name}` is already a name of this profile"
        else:
            seen.add(name)
            continue
        mistakes += mistakes_of(source, path, problem)
    return mistakes


def _profile_error(mistakes: list[Mistake], directory: Path) -> ProfileError:
    mistakes = sorted(dict.fromkeys(mistakes), key=lambda mistake: (mistake.file.name, mistake.line))

    def line(mistake: Mistake) -> str:
        place = f"{directory.name}/{mistake.file.name}:{mistake.line}: "
        where = f"{mistake.where}: " if mistake.where else ""
        return place + where + mistake.message

    hints = list(dict.fromkeys(mistake.hint for mistake in mistakes if mistake.hint))
    return ProfileError("\n".join(line(m) for m in mistakes), hint="\n".join(hints))

"""The schema of a profile: every key that it may have.

A field below `server` is a llama-server flag: `cache_type_k` is `--cache-type-k`. There is no mapping
table; a test compares the names with `llama-server --help`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from claude_local.profiles import extra_args
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.parts import Count, Name, ProfilePart, Text, json_text

ACTIVE_ALIAS = "local-llama"
"""The name that always means the active profile."""

OnOff = Literal["on", "off"]
OnOffAuto = Literal["on", "off", "auto"]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]


class ServerOptions(ProfilePart):
    """llama-server flags. For an unset field llama-server's default applies."""

    ctx_size: Count | None = None
    """Context of all slots together in tokens; 0 means the model's own."""
    parallel: Annotated[int, Field(ge=1)] | None = None
    """Slots: requests answered in parallel, each with its share of the context."""
    n_gpu_layers: Count | Literal["auto", "all"] | None = None
    fit: OnOff | None = None
    """Whether unset sizes are chosen to fit the memory of the cards."""
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
    """MiB of RAM for prompts evicted from their slot; -1 is no limit, 0 is off."""
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
    """Flags without a field, as tokens: `[--keep, "64"]`."""

    @field_validator("extra_args")
    @classmethod
    def _extra_args_are_known_to_be_harmless(cls, tokens: tuple[str, ...]) -> tuple[str, ...]:
        extra_args.check(tokens, {name.replace("_", "-") for name in cls.model_fields})
        return tokens


class Profile(ProfilePart):
    """One model and how llama-server runs it."""

    name: Name
    """The file name without `.yaml`."""
    title: Text
    description: Text
    aliases: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    """Other names for `--model`."""
    tested_on: Text | None = None
    """Machine on which this profile was tested; unset: not tested yet."""
    chat_template: Literal["own", "tolerant"] = "own"
    """`tolerant` wraps the model's own template so that system messages may appear anywhere, as
    Claude Code sends them. For models whose template raises an error for such a message."""
    claude_tools: Literal["lean", "full"] = "lean"
    """The set of Claude Code's tools for the model. `full` costs three times the tokens."""
    model: ModelSource
    server: ServerOptions = ServerOptions()

"""`extra_args`: llama-server flags without a field of their own, as tokens."""

from __future__ import annotations

import re
from collections.abc import Set

# The flags allowed in `extra_args`: they affect only the computation. Flags that expose or move the server,
# load other files or write are excluded.
ALLOWED_EXTRA_FLAGS = re.compile(
    r"--(keep|predict|n-predict|threads-http|cache-reuse|cache-idle-slots|checkpoint-min-step|"
    r"slot-prompt-similarity|kv-offload|no-kv-offload|kv-unified-per-slot|repack|no-repack|no-host|"
    r"op-offload|no-op-offload|n-cpu-ffn|override-kv|numa|prio[a-z-]*|poll[a-z-]*|cpu-(mask|range|strict)[a-z-]*|"
    r"rope-[a-z-]*|yarn-[a-z-]*|samplers|sampler-seq|ignore-eos|top-n-sigma|xtc-[a-z-]*|typical|repeat-last-n|dry-[a-z-]*|"
    r"adaptive-[a-z-]*|dynatemp-[a-z-]*|mirostat[a-z-]*|logit-bias|backend-sampling|check-tensors|no-escape|"
    r"reasoning-(preserve|budget-message)|sleep-idle-seconds|spec-(draft-(n-min|p-min|p-split|sampling|"
    r"ngl|n-cpu-moe|cpu-moe|device|type-[kv]|threads|threads-batch)|ngram-(mod|simple|map-k|map-k4v)-[a-z-]*))"
)


def is_flag_token(token: str) -> bool:
    """Whether a token of `extra_args` is a flag; a negative number is a value."""
    return token.startswith("-") and not re.fullmatch(r"-[\d.]+", token)


def check(tokens: tuple[str, ...], own_fields: Set[str]) -> None:
    """Raises ValueError unless the tokens are allowed flags, each with at most one value.

    `own_fields` are the flags, without dashes, that have a field in the schema.
    """
    if tokens and not tokens[0].startswith("--"):
        raise ValueError("should start with a long flag such as `--keep`")
    for before, token in zip(("", *tokens), tokens, strict=False):
        if is_flag_token(token):
            _check_flag(token, own_fields)
        elif not is_flag_token(before):
            raise ValueError(f"should give `{before}` one value, not `{token}` too")


def _check_flag(flag: str, own_fields: Set[str]) -> None:
    if flag.removeprefix("--") in own_fields:
        raise ValueError(f"should not repeat `{flag}`, which has its own field")
    if not ALLOWED_EXTRA_FLAGS.fullmatch(flag):
        raise ValueError(f"should not hold `{flag}`, which is not on the list of allowed flags")

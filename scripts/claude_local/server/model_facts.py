"""Facts that a llama-server reports about its loaded model: context, slots, speeds, cache use."""

from __future__ import annotations

from typing import Any

from claude_local.foundation.snapshot import SlotUse
from claude_local.server.llama_http import LlamaHttp, metric

MEANINGLESS_SECONDS = 0.001
PROMPT_TOKENS = 32
"""Shorter prompts, such as a probe's, are read token by token: their speed means nothing for real ones."""


def server_facts(http: LlamaHttp, query: str = "") -> dict[str, Any]:
    """The facts about a loaded model, under their names in a Snapshot."""
    found = http.get(f"/slots{query}")
    slots = _slot_uses(found) if isinstance(found, list) else []
    metrics = http.get_text(f"/metrics{query}")
    waiting = metric(metrics, "requests_deferred")
    return {
        "build": http.get_object(f"/props{query}").get("build_info"),
        "slots": len(slots) or None,
        "slots_busy": sum(slot.busy for slot in slots),
        "slot_uses": tuple(slots),
        "context_tokens_per_slot": slots[0].context_tokens if slots else None,
        "requests_waiting": None if waiting is None else int(waiting),
        "cache_hit_fraction": _cache_hit_fraction(metrics),
        "prompt_tokens_per_second": speed(
            metrics, "prompt_tokens_total", "prompt_seconds_total", from_tokens=PROMPT_TOKENS
        ),
        "generation_tokens_per_second": speed(
            metrics, "tokens_predicted_total", "tokens_predicted_seconds_total"
        ),
    }


def speed(metrics: str, tokens: str, seconds: str, *, from_tokens: int = 0) -> float | None:
    """Tokens per second since the model was loaded; None without meaningful counts.

    The server resets its own averages whenever its metrics are read. The first token of an answer is made with
    its prompt and counts as a microsecond, so answers of one token, such as a probe's, do not count.
    """
    counted, taken = metric(metrics, tokens) or 0.0, metric(metrics, seconds) or 0.0
    return round(counted / taken, 2) if taken > MEANINGLESS_SECONDS and counted >= from_tokens else None


def any_busy(found: list[Any]) -> bool:
    """Whether any slot in llama-server's list is answering a request."""
    return any(slot.busy for slot in _slot_uses(found))


def _slot_uses(found: list[Any]) -> list[SlotUse]:
    return [_slot_use(slot) for slot in found if _is_slot(slot)]


def _is_slot(entry: Any) -> bool:
    return isinstance(entry, dict) and {"n_ctx", "is_processing"} <= entry.keys()


def _slot_use(slot: dict[str, Any]) -> SlotUse:
    # Despite its name, it also counts the answer (seen on build 11669).
    return SlotUse(int(slot["n_ctx"]), int(slot.get("n_prompt_tokens", 0)), bool(slot["is_processing"]))


def _cache_hit_fraction(metrics: str) -> float | None:
    # Prompt tokens that were read and that were reused, each counted since the model was loaded.
    read, cached = metric(metrics, "prompt_tokens_total"), metric(metrics, "prompt_tokens_cached_total")
    if read is None or cached is None or not read + cached:
        return None
    return round(cached / (read + cached), 4)

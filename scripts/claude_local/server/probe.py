"""Checks a newly loaded model with the kinds of requests that Claude Code sends."""

from __future__ import annotations

from typing import Any

from claude_local.foundation.errors import EngineFailed
from claude_local.profiles.profile import ACTIVE_ALIAS
from claude_local.server.llama_http import LlamaHttp
from claude_local.server.message_shapes import ALL_TURNS, few_for_all, recorded_shapes

UNAUTHORIZED = 401

COUNT = "/v1/messages/count_tokens"
"""llama-server converts and renders a request as for an answer, but reads no prompt."""

QUESTION = {"model": ACTIVE_ALIAS, "messages": [{"role": "user", "content": "Say ok."}]}
# As Claude Code sends it: a system message after the user's, and a tool.
REQUEST = {
    "model": ACTIVE_ALIAS,
    "max_tokens": 1,
    "system": "You are a test.",
    "messages": [
        {"role": "user", "content": "Say ok."},
        {"role": "system", "content": "Be brief."},
    ],
    "tools": [{"name": "Read", "description": "Reads a file", "input_schema": {"type": "object"}}],
}

NAMED_AT_MOST = 3
"""So many situations are named in one warning."""

ANSWER_TIMEOUT_SECONDS = 300  # the first token of a large model on the CPU


def check_locked(base_url: str) -> None:
    """Raises EngineFailed unless the server refuses a request without our key."""
    status = LlamaHttp(base_url, "").status_of("/models")
    if status != UNAUTHORIZED:
        raise EngineFailed(
            f"llama-server should refuse a request without a key (401), but answers {status or 'nothing'}",
            hint="check that the key file is not empty and that no other server uses this port",
        )


def check_answers(http: LlamaHttp, model: str) -> None:
    """Lets the model generate one token. Raises EngineFailed if it does not, or another model answers.

    The chat template is tested with a question that is only counted, not read. The token is requested with a
    prompt of one token: on the CPU, reading the whole question would take longer than the rest of a switch.
    """
    question = {"model": model, "messages": [{"role": "user", "content": "Say ok."}]}
    counted = http.post(COUNT, question, timeout_seconds=ANSWER_TIMEOUT_SECONDS)
    if not counted.get("input_tokens"):
        raise EngineFailed(f"the chat template of `{model}` turns a question into an empty prompt")
    prompt = {"model": model, "prompt": "a", "n_predict": 1}
    answer = http.post("/completion", prompt, timeout_seconds=ANSWER_TIMEOUT_SECONDS)
    if answer.get("model") != model:
        raise EngineFailed(f"`{answer.get('model')}` answers in place of `{model}`")
    if not answer.get("tokens_predicted"):
        raise EngineFailed(f"`{model}` is loaded but generates no token")


def warnings_of(http: LlamaHttp, profile_name: str, *, is_tolerant: bool = False) -> list[str]:
    """The features of Claude Code that fail with the active model, each with the profile line that helps."""
    refused = _refused(http)
    if not refused:
        return []
    if is_tolerant:
        situation, reason = next(iter(refused.items()))
        return [f"the model refuses what Claude Code sends ({situation}): {reason}"]
    if any("system" in reason.lower() for reason in refused.values()):
        what = "the system messages that Claude Code sends"
    elif set(refused) == {ONE_REQUEST}:
        return [f"the model refuses a request like Claude Code's: {refused[ONE_REQUEST]}"]
    else:
        more = f" and {len(refused) - NAMED_AT_MOST} more" if len(refused) > NAMED_AT_MOST else ""
        what = f"what Claude Code sends in these situations: {', '.join([*refused][:NAMED_AT_MOST])}{more}"
    return [
        f"this model's chat template refuses {what}; "
        f"set `chat_template: tolerant` in profiles/{profile_name}.yaml and start it again"
    ]


ONE_REQUEST = "a request with tools"


def _refused(http: LlamaHttp) -> dict[str, str]:
    """The situations whose conversations the model refuses, each with the server's reason."""
    if _refusal(http, COUNT, QUESTION):  # an external server without this route
        reason = _refusal(http, "/v1/messages", REQUEST)
        return {ONE_REQUEST: reason} if reason else {}
    can_see = _can_see(http)
    shapes = [shape for shape in recorded_shapes() if can_see or not shape.has_picture]
    for tried in (few_for_all(shapes), shapes):
        refused: dict[str, str] = {}
        for shape in tried:
            if reason := _refusal(http, COUNT, {"model": ACTIVE_ALIAS, **shape.request()}):
                refused.setdefault(shape.situation, reason)
        if set(refused) != {ALL_TURNS}:
            refused.pop(ALL_TURNS, None)
            return refused
    return {}


def _can_see(http: LlamaHttp) -> bool:
    props = http.get_object(f"/props?model={ACTIVE_ALIAS}&autoload=false")
    modalities = props.get("modalities")
    return isinstance(modalities, dict) and bool(modalities.get("vision"))


def _refusal(http: LlamaHttp, path: str, body: dict[str, Any]) -> str:
    """The server's reason, or "" if it accepts."""
    try:
        http.post(path, body)
    except EngineFailed as error:
        return error.message
    return ""

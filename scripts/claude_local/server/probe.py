"""Checks a newly loaded model with the kinds of requests that Claude Code sends."""

from __future__ import annotations

from claude_local.foundation.errors import EngineFailed
from claude_local.profiles.profile import ACTIVE_ALIAS
from claude_local.server.llama_http import LlamaHttp

UNAUTHORIZED = 401

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
    counted = http.post("/v1/messages/count_tokens", question, timeout_seconds=ANSWER_TIMEOUT_SECONDS)
    if not counted.get("input_tokens"):
        raise EngineFailed(f"the chat template of `{model}` turns a question into an empty prompt")
    prompt = {"model": model, "prompt": "a", "n_predict": 1}
    answer = http.post("/completion", prompt, timeout_seconds=ANSWER_TIMEOUT_SECONDS)
    if answer.get("model") != model:
        raise EngineFailed(f"`{answer.get('model')}` answers in place of `{model}`")
    if not answer.get("tokens_predicted"):
        raise EngineFailed(f"`{model}` is loaded but generates no token")


def warnings_of(http: LlamaHttp, profile_name: str) -> list[str]:
    """The features of Claude Code that fail with the active model, each with the profile line that helps."""
    try:
        http.post("/v1/messages", REQUEST)
    except EngineFailed as error:
        if "system" in error.message.lower():
            return [
                "this model's chat template refuses the system messages that Claude Code sends; "
                f"set `chat_template: tolerant` in profiles/{profile_name}.yaml and start it again"
            ]
        return [f"the model refuses a request like Claude Code's: {error.message}"]
    return []

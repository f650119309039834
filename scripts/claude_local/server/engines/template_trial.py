"""Lets llama-server itself render a conversation with a chat template, in a process of its own.

Run as `python -m claude_local.server.engines.template_trial FOLDER`. FOLDER has `model.gguf`, any small model, and
`trial.json`: the templates, and the conversations that each has to render. Prints the prompts as JSON, or the error of
llama-server as `{"error": …}`.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import xllamacpp

CONTEXT_TOKENS = 512
TIMEOUT_SECONDS = 20
TOOLS = [{"type": "function", "function": {"name": "Read", "parameters": {"type": "object"}}}]


def render(model: Path, template: str, conversations: list[list[dict[str, Any]]]) -> list[dict[str, str]]:
    """For each conversation `{"prompt": …}` or `{"error": …}`; the server is left to the end of the process."""
    params = xllamacpp.CommonParams()
    params.model.path, params.chat_template = str(model), template
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel = CONTEXT_TOKENS, 1
    params.warmup = params.fit_params = False
    params.verbosity = 0
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:
        return [{"error": "llama-server cannot read it"} for _ in conversations]
    _kept.append(server)
    return [_prompt(server.listening_address, messages) for messages in conversations]


_kept: list[Any] = []
"""Closing a server waits for its threads."""


def _prompt(address: str, messages: list[dict[str, Any]]) -> dict[str, str]:
    body = json.dumps({"messages": messages, "tools": TOOLS}).encode()
    request = urllib.request.Request(  # noqa: S310  our own server
        f"{address}/apply-template", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return {"prompt": str(json.load(answer)["prompt"])}
    except urllib.error.HTTPError as error:
        return {"error": _message(error.read())}
    except (OSError, ValueError, KeyError) as error:
        return {"error": str(error)}


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")


def main(folder: Path) -> None:
    """Prints a list of answers for each template."""
    trial = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
    answers = [
        render(folder / "model.gguf", template, trial["conversations"]) for template in trial["templates"]
    ]
    sys.stdout.write(json.dumps(answers))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The process of the embedded engine: reads a specification and runs llama-server until SIGTERM.

Run as `python -m claude_local.server.engines.embedded_server SPECIFICATION.json`; its output is the log.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import xllamacpp

# llama-server flag → field of xllamacpp's CommonParams, if the name cannot be derived from the flag.
PLACES = {
    "ctx-size": "n_ctx",
    "parallel": "n_parallel",
    "batch-size": "n_batch",
    "ubatch-size": "n_ubatch",
    "kv-unified": "kv_unified",
    "cache-ram": "cache_ram_mib",
    "ctx-checkpoints": "n_ctx_checkpoints",
    "swa-full": "swa_full",
    "main-gpu": "main_gpu",
    "threads": "cpuparams.n_threads",
    "threads-batch": "cpuparams_batch.n_threads",
    "override-tensor": "tensor_buft_overrides",
    "jinja": "use_jinja",
    "warmup": "warmup",
    "temp": "sampling.temp",
    "top-k": "sampling.top_k",
    "top-p": "sampling.top_p",
    "min-p": "sampling.min_p",
    "repeat-penalty": "sampling.penalty_repeat",
    "presence-penalty": "sampling.penalty_present",
    "frequency-penalty": "sampling.penalty_freq",
    "seed": "sampling.seed",
    "fit-ctx": "fit_params_min_ctx",
}


def parameters(spec: dict[str, Any]) -> Any:
    """CommonParams for a specification. Logs the options that this engine does not know."""
    params = xllamacpp.CommonParams()
    params.model.path = spec["model"]
    # A server with one model accepts every name; this is the name in its answers.
    params.model_alias = {spec["profile"]}
    params.hostnames, params.port = ["127.0.0.1"], spec["port"]
    params.api_keys = [_key(Path(spec["api_key_file"]))]
    params.cors_origins = "localhost"
    params.endpoint_metrics = params.endpoint_slots = True
    params.sse_ping_interval = 2
    unknown = [flag for flag, value in spec["options"] if not _set(params, flag, value)]
    if unknown:
        _log(f"options left to their defaults: {', '.join(unknown)}")
    return params


def _set(params: Any, flag: str, value: str | bool) -> bool:
    if flag in ("cache-type-k", "cache-type-v"):
        kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{str(value).upper()}")
        setattr(params, flag.replace("-", "_"), kind)
    elif flag == "flash-attn":
        name = {"on": "ENABLED", "off": "DISABLED", "auto": "AUTO"}[str(value)]
        params.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{name}")
    elif flag == "fit":
        params.fit_params = value == "on"
    elif flag == "chat-template-file":
        params.chat_template = Path(str(value)).read_text(encoding="utf-8")
    elif flag == "chat-template-kwargs":
        # The library expects each value as JSON text.
        params.default_template_kwargs = {k: json.dumps(v) for k, v in json.loads(str(value)).items()}
    elif flag in PLACES:
        _set_place(params, PLACES[flag], value)
    else:
        return False
    return True


def _set_place(params: Any, place: str, value: str | bool) -> None:
    *parents, name = place.split(".")
    for parent in parents:
        params = getattr(params, parent)
    kind = type(getattr(params, name))
    setattr(params, name, value if isinstance(value, bool) else kind(value))


def _key(file: Path) -> str:
    key = file.read_text().strip()
    if not key:
        sys.exit("embedded engine: the API key file is empty")
    return key


def _log(text: str) -> None:
    sys.stderr.write(f"embedded engine: {text}\n")
    sys.stderr.flush()


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    spec = json.loads(Path(sys.argv[1]).read_text())
    try:
        server = xllamacpp.Server(parameters(spec))
    except RuntimeError:
        # The library gives no reason, so name the possible causes.
        _log(f"could not load {spec['model']}: broken file, too little memory, or port taken")
        os._exit(1)
    _log(f"serving {spec['profile']} on {server.listening_address}")
    stop.wait()
    os._exit(0)  # deleting the server would wait for open streams


if __name__ == "__main__":
    main()

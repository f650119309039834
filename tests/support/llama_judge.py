"""Whether the real llama-server loads a GGUF file, and its log: xllamacpp, one forked process per file.

The library is imported once, and a process that loaded a model ends without closing it, so a file takes 50 ms.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Judged:
    """The answer of llama-server to one file."""

    loads: bool
    log: str


def judge(files: Sequence[Path], *, context: int = 512, slots: int = 1) -> list[Judged]:
    """Lets llama-server load each file, with this context and number of slots."""
    with tempfile.TemporaryDirectory() as folder:
        task = {"folder": folder, "files": [str(file) for file in files], "context": context, "slots": slots}
        environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}  # a failed assertion would start a debugger
        subprocess.run(
            [sys.executable, __file__, json.dumps(task)],
            check=True,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        return [
            Judged(
                (Path(folder) / f"{number}.code").read_text() == "0",
                (Path(folder) / f"{number}.log").read_text(errors="replace"),
            )
            for number in range(len(files))
        ]


def _load(file: str, context: int, slots: int) -> None:
    """Ends this process, with code 0 if the file loads. Closing the server would wait for its threads."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = file
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel = context, slots
    params.kv_unified = params.warmup = params.fit_params = False
    params.verbosity = 4
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:
        os._exit(1)
    os._exit(0 if server.listening_address else 1)


def _main(folder: str, files: list[str], context: int, slots: int) -> None:
    import xllamacpp  # noqa: F401  once, before the forks

    for number, file in enumerate(files):
        child = os.fork()
        if child == 0:
            log = os.open(f"{folder}/{number}.log", os.O_CREAT | os.O_WRONLY)
            os.dup2(log, 1)
            os.dup2(log, 2)
            signal.alarm(LIMIT_SECONDS)  # the default action ends the process
            _load(file, context, slots)
        _, status = os.waitpid(child, 0)
        (Path(folder) / f"{number}.code").write_text(str(status))


if __name__ == "__main__":
    _main(**json.loads(sys.argv[1]))

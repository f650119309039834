"""What the embedded engine needs from this machine: the package xllamacpp and the compiler's OpenMP library."""

from __future__ import annotations

import ctypes
import importlib.util

from claude_local.foundation.errors import EngineUnavailable

OPENMP = "libgomp.so.1"
"""xllamacpp's wheels are linked against it without bringing it. Small Debian and Ubuntu systems lack it."""


def why_unavailable() -> EngineUnavailable | None:
    """What is missing and the command that installs it; None if the engine can start."""
    if not importlib.util.find_spec("xllamacpp"):
        return EngineUnavailable(
            "the embedded engine needs the package xllamacpp",
            hint="scripts/quickstart installs it into .venv; then: source .venv/bin/activate",
        )
    try:
        ctypes.CDLL(OPENMP)
    except OSError:
        return EngineUnavailable(
            f"the embedded engine needs {OPENMP}, which this system does not have",
            hint="install it: sudo apt install libgomp1 (Debian, Ubuntu), sudo dnf install libgomp (Fedora)",
        )
    return None

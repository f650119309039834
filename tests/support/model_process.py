"""Finds the process that holds the model in memory, from a status."""

from __future__ import annotations

from typing import Any

import psutil


def model_process(status: dict[str, Any]) -> psutil.Process:
    """The embedded server itself; in a container the router's child. Fails the test if there is none."""
    server = psutil.Process(status["server_process_id"])
    if status["engine"] != "docker":
        return server
    return next(child for child in server.children(recursive=True) if "--alias" in child.cmdline())

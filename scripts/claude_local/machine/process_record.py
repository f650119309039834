"""The file in which a server records its process: `pid` and `create_time`."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

NAME = "process.json"


def running_process(file: Path) -> psutil.Process | None:
    """The process named in a record; None if it has ended, even if its pid was reused."""
    try:
        record = json.loads(file.read_text())
        process = psutil.Process(int(record["pid"]))
        same = abs(process.create_time() - float(record["create_time"])) < 0.1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None

"""console: what people read about a server that runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from claude_local import console
from claude_local.settings import Settings, load_settings
from claude_local.snapshot import STOPPED, Snapshot

READY = replace(STOPPED, state="ready", base_url="http://127.0.0.1:8080")


@pytest.fixture
def settings() -> Settings:
    return load_settings({"HOME": "/h"}, Path("/c"), user_id=1, group_id=1)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.data, "width", 300)


def rows(capsys: pytest.CaptureFixture[str], now: Snapshot, settings: Settings) -> dict[str, str]:
    """The lines of `invoke status` by their first word or two."""
    console.show_snapshot(now, settings)
    lines = capsys.readouterr().out.splitlines()
    return {line[:14].strip(): line[14:].strip() for line in lines}


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "http://127.0.0.1:8080 with the key in /h/.local/state/claude-local/llama/api_key"),
        ({"external_url": "https://gpu"}, "https://gpu, no key"),
        ({"external_url": "https://gpu", "external_key_file": Path("/k")}, "https://gpu with the key in /k"),
    ],
)
def test_other_clients_are_told_the_key_of_the_server_that_they_reach(
    capsys: pytest.CaptureFixture[str], settings: Settings, change: dict[str, object], told: str
) -> None:
    own = replace(settings, **change)  # type: ignore[arg-type]

    shown = rows(capsys, replace(READY, base_url=own.base_url), own)

    assert shown["other clients"] == told

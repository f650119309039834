"""engines/compose_scripts: a container that does not start has a cause and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.foundation.errors import EngineFailed
from claude_local.machine.settings import load_settings
from claude_local.server.engines import compose_scripts

CDI = "Error response from daemon: CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all"


def failure_of(root: Path, output: str) -> EngineFailed:
    """What is raised if build/bin/llama-up prints this and fails."""
    script = root / "build" / "bin" / "llama-up"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\necho '{output}'\nexit 1\n")
    script.chmod(0o755)
    settings = load_settings({"HOME": str(root)}, root, user_id=1000, group_id=1000)
    with pytest.raises(EngineFailed) as caught:
        compose_scripts.start(settings, "a")
    return caught.value


def test_a_card_that_docker_cannot_give_is_the_cause(tmp_path: Path) -> None:
    failed = failure_of(tmp_path, CDI)

    cause = "Docker cannot give containers a card: its list of cards (CDI) is missing or out of date"
    assert failed.message == f"the container did not start: {cause}"
    assert failed.hint.startswith("write it again: sudo nvidia-ctk cdi generate")
    assert failed.details == CDI


def test_an_unknown_failure_keeps_its_output(tmp_path: Path) -> None:
    failed = failure_of(tmp_path, "something new")

    assert failed.message == "the container did not start (exit code 1)"
    assert failed.details == "something new"

"""by_tool: how llama-fit-params gets the models folder, with a real Docker Engine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from claude_local.foundation.plain_text import docker_fields

NAMES = ["a,b", 'a"b', "a'b", "a b", "a$b", "a:b", "a=b", "a\\b", "#ä,readonly"]


@pytest.mark.docker
def test_docker_mounts_folders_with_any_name(tmp_path: Path, test_image: str) -> None:
    folders = [tmp_path / name for name in NAMES]
    for folder in folders:
        folder.mkdir()
    mounts = [
        docker_fields("type=bind", f"source={folder}", f"target=/models/{number}", "readonly")
        for number, folder in enumerate(folders)
    ]
    options = [token for mount in mounts for token in ("--mount", mount)]
    made = subprocess.run(
        ["docker", "create", *options, test_image, "true"], capture_output=True, text=True, check=True
    )
    container = made.stdout.strip()

    look = ["docker", "inspect", "--format", "{{json .Mounts}}", container]
    seen = json.loads(subprocess.run(look, capture_output=True, text=True, check=True).stdout)
    subprocess.run(["docker", "rm", container], capture_output=True, check=True)

    assert {(mount["Source"], mount["RW"]) for mount in seen} == {(str(folder), False) for folder in folders}

"""The API matches its own description: schemathesis runs every operation and finds no error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from claude_local import __version__
from claude_local.management.openapi import openapi
from claude_local.management.routes import ROUTES
from support.api_client import Served

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"


def test_schemathesis_finds_no_error(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        url = f"http://127.0.0.1:{served.api.port}/openapi.json"
        # Events never end, so schemathesis would wait forever.
        flags = ["--checks", "all", "--exclude-path", "/events", "--max-examples", "100", "--seed", "1"]
        done = subprocess.run(
            [SCHEMATHESIS, "run", url, *flags, "--no-color"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        log = served.log.read_text()

    assert done.returncode == 0, done.stdout
    assert "8 selected / 9 total" in done.stdout
    assert log == ""


def test_exactly_the_routes_are_described() -> None:
    described = {
        (method.upper(), path) for path, methods in openapi("1", 8081)["paths"].items() for method in methods
    }

    assert described == {(route.method, route.path) for route in ROUTES}


def test_the_served_description_equals_the_generated_one(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        answer = served.api.get("/openapi.json")

    assert answer.json() == json.loads(json.dumps(openapi(__version__, served.api.port)))

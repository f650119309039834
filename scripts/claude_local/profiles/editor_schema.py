"""profiles/schema.json: the schema of a profile, for editors."""

from __future__ import annotations

import json
from pathlib import Path

from claude_local.machine.files import write_atomic
from claude_local.profiles.profile import Profile


def schema_text() -> str:
    """The JSON Schema of one profile file. `name` is the file name, not a key."""
    schema = Profile.model_json_schema()
    schema["properties"].pop("name")
    schema["required"].remove("name")
    schema["title"] = "claude-local model profile"
    return json.dumps(schema, indent=2) + "\n"


def write_schema(directory: Path) -> Path:
    """Writes the schema into the profiles folder and returns its path."""
    path = directory / "schema.json"
    write_atomic(path, schema_text().encode())
    return path

"""schema: editors get the schema that profiles are checked with."""

from __future__ import annotations

import json
from pathlib import Path

from claude_local.profiles.editor_schema import schema_text, write_schema
from claude_local.profiles.model_source import HubFile, ModelSource
from claude_local.profiles.profile import Profile, ServerOptions

SHIPPED = Path(__file__).parents[2] / "profiles" / "schema.json"


def test_the_schema_file_is_up_to_date() -> None:
    text = SHIPPED.read_text(encoding="utf-8")

    assert text == schema_text(), "write it again: invoke schema"


def test_the_schema_has_every_key_except_name() -> None:
    schema = json.loads(schema_text())

    assert list(schema["properties"]) == [name for name in Profile.model_fields if name != "name"]
    assert list(schema["$defs"]["ServerOptions"]["properties"]) == list(ServerOptions.model_fields)
    assert list(schema["$defs"]["ModelSource"]["properties"]) == list(ModelSource.model_fields)
    assert list(schema["$defs"]["HubFile"]["properties"]) == list(HubFile.model_fields)


def test_the_schema_requires_the_required_keys_and_refuses_unknown_ones() -> None:
    schema = json.loads(schema_text())

    assert schema["required"] == ["title", "description", "model"]
    parts = [schema, *schema["$defs"].values()]
    assert [part["additionalProperties"] for part in parts] == [False, False, False, False]


def test_writing_it_returns_its_path(tmp_path: Path) -> None:
    path = write_schema(tmp_path)

    assert path == tmp_path / "schema.json"
    assert path.read_text(encoding="utf-8") == schema_text()

"""routes: the body of a request becomes the same request as a command."""

from __future__ import annotations

import pytest

from claude_local.foundation.errors import UnknownProfile
from claude_local.lifecycle.request import Request
from claude_local.management.openapi import openapi
from claude_local.management.routes import ROUTES, StartBody, SwitchBody
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.profile import Profile


def profile(name: str) -> Profile:
    return Profile(name=name, title="T", description="D", model=ModelSource(file=f"{name}.gguf"))


PROFILES = {name: profile(name) for name in ("one", "two")}


def no_last_profile() -> str:
    raise AssertionError("a name was given")


def test_a_body_with_only_a_model_equals_the_wish_of_a_command() -> None:
    request = Request(PROFILES["two"], PROFILES)

    assert SwitchBody(model="two").request(PROFILES) == request
    assert StartBody(model="two").request(PROFILES, no_last_profile) == request


def test_each_field_of_a_body_reaches_the_wish() -> None:
    body = SwitchBody(model="one", when="now", idle_limit_seconds=7, force=True)

    assert body.request(PROFILES) == Request(
        PROFILES["one"], PROFILES, force=True, cut_replies=True, idle_limit_seconds=7
    )
    assert StartBody(model="one", force=True).request(PROFILES, no_last_profile).force is True


def test_a_start_without_a_name_uses_the_last_profile() -> None:
    assert StartBody().request(PROFILES, lambda: "two").profile is PROFILES["two"]


def test_an_unknown_name_raises_unknown_profile() -> None:
    with pytest.raises(UnknownProfile):
        SwitchBody(model="three").request(PROFILES)


def test_only_these_answers_are_described_as_any_object() -> None:
    described = openapi("1", 8081)["paths"]
    answers = {
        route.name: described[route.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        for route in ROUTES
        if route.method == "GET" and route.media_type == "application/json"
    }

    assert answers["models"]["properties"]["models"]["items"] == {"$ref": "#/components/schemas/ModelEntry"}
    assert {name for name, schema in answers.items() if schema == {"type": "object"}} == {
        "health",
        "logs",
        "openapi",
    }

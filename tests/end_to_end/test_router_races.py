"""router with a real llama-server that another client uses at the same moment."""

from __future__ import annotations

import pytest

from claude_local.foundation.errors import EngineFailed
from claude_local.server.llama_http import LlamaHttp
from claude_local.server.router import Model, Router, running_model
from support.machine import Machine

pytestmark = pytest.mark.docker


def load_after(look: list[Model], http: LlamaHttp, name: str) -> None:
    """Calls `Router.load` with an outdated list of models."""
    looks = [look]

    class OutOfDate(Router):
        def models(self) -> list[Model]:
            return looks.pop() if looks else super().models()

    OutOfDate(http).load(name)


@pytest.fixture
def http(machine: Machine) -> LlamaHttp:
    """A server with two models, neither of them loaded."""
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    http = LlamaHttp(machine.url, machine.key)
    Router(http).unload_all()
    return http


def test_loading_a_model_that_another_client_has_just_loaded_succeeds(http: LlamaHttp) -> None:
    before = Router(http).models()
    http.post("/models/load", {"model": "second"})

    load_after(before, http, "second")

    assert running_model(Router(http).models()) == "second"


def test_a_load_that_is_refused_for_another_reason_fails(http: LlamaHttp) -> None:
    before = [{"id": "gone", "aliases": [], "status": {"value": "unloaded"}}]

    with pytest.raises(EngineFailed, match="refuses /models/load: File Not Found"):
        load_after(before, http, "gone")

"""The container as Docker reports it: closed to everyone else, with the values of the profile."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from claude_local.server.llama_http import LlamaHttp
from support.machine import Machine

pytestmark = pytest.mark.docker

TRICKY = '{note: "a b $HOME \\"q\\" # ; \\\\ é 日本"}'
TRICKY_VALUE = 'a b $HOME "q" # ; \\ é 日本'


def inspect(machine: Machine) -> dict[str, Any]:
    name = machine.left_in_docker()[0]
    return dict(json.loads(machine.run(["docker", "inspect", name]).stdout)[0])


def test_the_container_is_hardened_and_published_on_loopback_only(machine: Machine) -> None:
    machine.invoke_ok("demo-model")

    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")

    seen = inspect(machine)
    host = seen["HostConfig"]
    assert seen["Config"]["User"].split(":")[0] != "0"
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["Privileged"], host["PidMode"], host["IpcMode"]) == (False, "", "private")
    assert (host["PidsLimit"], host["RestartPolicy"]["Name"]) == (512, "no")  # the management API restarts it
    assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}
    assert host["PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(machine.port)}]}
    mounts = {mount["Destination"]: mount["RW"] for mount in seen["Mounts"]}
    assert mounts == {"/models": False, "/config": False}


def test_the_container_runs_the_router_with_the_tokens_of_the_code_in_order(machine: Machine) -> None:
    from claude_local.server.flags import router_argv

    machine.invoke_ok("demo-model")

    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")

    seen = inspect(machine)["Config"]
    assert (seen["Entrypoint"], seen["Cmd"]) == (["llama-server"], router_argv())


def test_llama_up_fails_if_the_server_ends(machine: Machine) -> None:
    """Only the bash command, without the Python part that inspects the container."""
    machine.invoke_ok("demo-model")
    machine.invoke_ok("render")
    file = machine.checkout / "build" / "docker-compose.yml"
    file.write_text(file.read_text().replace("    command:\n", '    command:\n      - "--no-such-flag"\n'))

    done = machine.run([str(machine.checkout / "build" / "bin" / "llama-up"), "demo"], timeout_seconds=60)

    lines = [line for line in done.stderr.splitlines() if line.startswith("llama-up: ")]
    at = lines.index("llama-up: loading demo") + 1
    assert done.returncode == 1
    assert lines[at:] == [
        "llama-up: the server has ended: exited with exit code 1",
        "llama-up: error: invalid argument: --no-such-flag",
    ]
    machine.run([str(machine.checkout / "build" / "bin" / "llama-down")])
    assert machine.left_in_docker() == []


def test_the_server_refuses_everyone_without_the_key(machine: Machine) -> None:
    machine.invoke_ok("demo-model")

    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")

    wrong = LlamaHttp(machine.url, "not the key")
    body = {"model": "demo", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    assert wrong.status_of("/v1/messages", body) == 401
    assert wrong.status_of("/models") == 401
    assert LlamaHttp(machine.url, machine.key).status_of("/v1/messages", body) == 200


def test_the_container_has_no_way_out(machine: Machine, test_image: str) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    network = next(name for name in machine.left_in_docker() if name.endswith("_default"))
    mirror = machine.run(
        ["docker", "run", "--rm", test_image, "cat", "/etc/apt/sources.list"]
    ).stdout.split()[1]
    address = socket.gethostbyname(urlsplit(mirror).hostname or "")
    connect = f"import socket; socket.create_connection(('{address}', 80), 3); print('connected')"

    def from_network(name: str) -> str:
        return machine.run(
            ["docker", "run", "--rm", "--network", name, test_image, "python3", "-c", connect]
        ).stdout

    assert from_network("bridge") == "connected\n"  # proves that the outside is reachable
    assert from_network(network) == ""  # no route
    assert inspect(machine)["HostConfig"]["Dns"] == ["127.0.0.1"]  # no resolver either


def test_tricky_values_reach_the_process_unchanged(machine: Machine) -> None:
    machine.add_demo(
        "tricky", seed=4, lines=f"  chat_template_kwargs: {TRICKY}\n  reasoning_effort: 'a $b'\n"
    )

    machine.invoke_ok("up", "--model", "tricky", "--engine", "docker")

    models = LlamaHttp(machine.url, machine.key).get("/models")["data"]
    argv = next(model["status"]["args"] for model in models if model["id"] == "tricky")
    kwargs = json.loads(argv[argv.index("--chat-template-kwargs") + 1])
    assert kwargs == {"note": TRICKY_VALUE}
    assert argv[argv.index("--reasoning-effort") + 1] == "a $b"
    assert argv[argv.index("--ctx-size") + 1] == "65536"


def test_local_llama_answers_as_the_active_profile_after_every_switch(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    http = LlamaHttp(machine.url, machine.key)
    body = {"model": "local-llama", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}

    answered = []
    for name in ("second", "demo", "second", "demo"):
        machine.invoke_ok("switch", "--model", name)
        answered.append(http.post("/v1/messages", body)["model"])

    assert answered == ["second", "demo", "second", "demo"]


def test_reading_the_status_loads_nothing(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    http = LlamaHttp(machine.url, machine.key)
    http.post("/models/unload", {"model": "demo"})

    status = machine.status()

    loaded = {model["id"]: model["status"]["value"] for model in http.get("/models")["data"]}
    assert (status["state"], status["profile"]) == ("unloaded", "demo")
    assert (loaded["demo"], loaded["second"]) == ("unloaded", "unloaded")

"""Every failure shows one clear line with the next step and changes nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import signal
import socket
import time
from pathlib import Path

import pytest

from support.machine import Machine, error_of


def fingerprint(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_bad_profile_is_reported_with_its_line_and_build_does_not_change(machine: Machine) -> None:
    machine.invoke_ok("render")
    before = fingerprint(machine.checkout / "build")
    (machine.checkout / "profiles" / "bad.yaml").write_text(
        "title: Bad\ndescription: bad\nmodel: {file: bad.gguf}\nserver:\n  ctx_size: big\n"
    )

    done = machine.invoke("render")

    message, _ = error_of(done)
    assert message == "profiles/bad.yaml:5: server/ctx_size: should be a whole number, not 'big'"
    assert fingerprint(machine.checkout / "build") == before


def test_the_error_for_an_unknown_model_lists_the_known_ones(machine: Machine) -> None:
    done = machine.invoke("up", "--model", "nosuch")

    message, hints = error_of(done)
    known = sorted(file.stem for file in (machine.checkout / "profiles").glob("[!_]*.yaml"))
    assert message == "no profile named `nosuch`"
    assert hints == [f"known profiles: {', '.join(known)}"]


def test_without_a_terminal_up_asks_for_a_model_by_flag(machine: Machine) -> None:
    done = machine.invoke("up")

    message, hints = error_of(done)
    assert message == "no model is named, and there is no terminal to choose one"
    assert hints[0].startswith("name one: --model demo | ")


@pytest.mark.embedded
def test_a_missing_model_file_is_reported_with_the_download_and_the_old_model_keeps_running(
    machine: Machine,
) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "embedded")
    before = machine.status()

    done = machine.invoke("switch", "--model", "gpt-oss-20b")

    message, hints = error_of(done)
    assert message.startswith("the model file of profile `gpt-oss-20b` is missing: ")
    assert hints == ["download it: invoke pull gpt-oss-20b"]
    after = machine.status()
    assert (after["profile"], after["state"]) == ("demo", "ready")
    assert after["uptime_seconds"] > before["uptime_seconds"]


def test_a_port_in_use_is_reported_with_its_holder(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    with socket.create_server(("127.0.0.1", machine.port)):
        done = machine.invoke("up", "--model", "demo", "--engine", "embedded")

    message, hints = error_of(done)
    assert message.startswith(f"port {machine.port} is in use by ")
    assert hints == ["end that program, or choose another port: CLAUDE_LOCAL_LLAMA_PORT=8090"]
    assert machine.our_processes() == []


@pytest.mark.parametrize("content", [b"this is no model at all", b""], ids=["text", "empty"])
def test_a_file_that_is_no_gguf_is_refused_before_anything_starts(machine: Machine, content: bytes) -> None:
    machine.add_demo("broken", seed=3)
    file = machine.checkout / "models" / "broken.gguf"
    file.write_bytes(content)

    done = machine.invoke("up", "--model", "broken", "--engine", "embedded")

    message, _ = error_of(done)
    assert message == f"{file} is not a GGUF file"
    assert machine.our_processes() == []


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ],
)
def test_a_broken_gguf_is_reported_with_the_reason_and_the_old_model_runs_again(
    machine: Machine, engine: str
) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("broken", seed=3)
    file = machine.checkout / "models" / "broken.gguf"
    file.write_bytes(file.read_bytes()[:200_000])
    machine.invoke_ok("up", "--model", "demo", "--engine", engine)

    done = machine.invoke("switch", "--model", "broken")

    message, hints = error_of(done)
    assert message.startswith("`broken` did not load: ")
    assert "tensor 'token_embd.weight' data is not within the file bounds" in message
    assert hints == [
        "`demo` is running again; read the log: invoke logs; or choose another model: invoke profiles"
    ]
    after = machine.status()
    assert (after["profile"], after["state"]) == ("demo", "ready")


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ],
)
def test_a_first_start_that_fails_leaves_nothing_running(machine: Machine, engine: str) -> None:
    machine.add_demo("broken", seed=3)
    file = machine.checkout / "models" / "broken.gguf"
    file.write_bytes(file.read_bytes()[:200_000])

    done = machine.invoke("up", "--model", "broken", "--engine", engine)

    message, _ = error_of(done)
    assert message.startswith("`broken` did not load: ")
    assert machine.left_in_docker() == []
    assert machine.our_processes() == []
    assert machine.status()["state"] == "stopped"


def test_without_docker_the_docker_engine_cannot_start(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.extra["DOCKER_HOST"] = f"unix://{machine.home}/no-docker.sock"

    done = machine.invoke("up", "--model", "demo", "--engine", "docker")

    message, hints = error_of(done)
    assert message == "Docker Engine does not answer"
    assert hints == ["start it: sudo systemctl start docker; or run without it: --engine embedded"]


@pytest.mark.docker
def test_docker_without_compose_is_reported_with_the_install_command(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.extra["DOCKER_CONFIG"] = str(machine.home)
    tools = machine.home / "tools"
    tools.mkdir()
    docker = '#!/bin/sh\n[ "$1" != compose ] || exit 1\n'
    (tools / "docker").write_text(docker)
    (tools / "docker").chmod(0o755)
    machine.extra["PATH"] = f"{tools}:{machine.environment['PATH']}"

    message, hints = error_of(machine.invoke("up", "--model", "demo", "--engine", "docker"))

    assert message == "Docker has no Compose v2"
    assert hints == ["install it: sudo apt install docker-compose-v2 (Ubuntu), docker-compose (Debian 13)"]


@pytest.mark.embedded
def test_without_docker_the_embedded_engine_is_chosen_with_the_reason_shown(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.extra["DOCKER_HOST"] = f"unix://{machine.home}/no-docker.sock"

    done = machine.invoke("up", "--model", "demo")

    assert done.returncode == 0, done.stderr
    assert (
        "engine: llama-server inside Python (xllamacpp), on the CPU; chosen because Docker Engine does not answer"
        in (done.stderr.splitlines())
    )
    assert machine.status()["engine"] == "embedded"


@pytest.mark.docker
def test_a_missing_image_is_reported_with_the_build_command(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.extra["CLAUDE_LOCAL_IMAGE"] = "claude-local/no-such-image:1"

    done = machine.invoke("up", "--model", "demo", "--engine", "docker")

    message, hints = error_of(done)
    assert message == "the image `claude-local/no-such-image:1` does not exist"
    assert hints == ["build it: invoke build-image; or run without it: --engine embedded"]
    assert machine.left_in_docker() == []


@pytest.mark.embedded
def test_an_interrupted_up_leaves_nothing_half_started(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    up = machine.start("up", "--model", "demo", "--engine", "embedded")
    started = machine.state_dir / "embedded" / "process.json"
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline and up.poll() is None:
        pass  # the process file appears as soon as the server is started

    up.send_signal(signal.SIGINT)
    up.communicate(timeout=150)

    # It may have become ready at that moment; then it keeps running, and the exit code is 0.
    expected = "stopped" if up.returncode else "ready"
    assert machine.status()["state"] == expected
    machine.invoke_ok("down")
    assert machine.our_processes() == []


@pytest.mark.docker
@pytest.mark.embedded
def test_another_engine_is_not_started_beside_the_running_one(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "embedded")

    done = machine.invoke("up", "--model", "demo", "--engine", "docker")

    message, hints = error_of(done)
    assert message == "a model is already running with the engine `embedded`, and `docker` was chosen"
    assert hints == ["stop that model first: invoke down"]
    assert machine.status()["engine"] == "embedded"


@pytest.mark.embedded
def test_while_a_model_runs_a_purge_is_refused_but_its_dry_run_works(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("install-claude-local", "--bin-dir", str(machine.home / "bin"))
    machine.invoke_ok("up", "--detach", "--model", "demo", "--engine", "embedded")

    shown = machine.invoke_ok("uninstall-claude-local", "--purge", "--dry-run")
    message, _ = error_of(machine.invoke("uninstall-claude-local", "--purge"))

    assert str(machine.home / "bin" / "claude-local") in shown
    assert message == "a model is running with the engine `embedded`"


@pytest.mark.docker
def test_up_restarts_a_dead_engine(machine: Machine) -> None:
    alone = dataclasses.replace(machine, management_port=0)
    container = demo_container(alone)
    alone.run(["docker", "kill", container])
    dead = alone.status()["state"]

    alone.invoke_ok("up", "--model", "demo", "--engine", "docker")

    assert dead == "failed"
    assert alone.status()["state"] == "ready"


@pytest.mark.docker
def test_up_and_down_wait_for_an_automatic_restart(machine: Machine) -> None:
    container = demo_container(machine)
    machine.run(["docker", "kill", container])

    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    state = machine.status()["state"]
    machine.run(["docker", "kill", container])
    machine.invoke_ok("down")

    assert state == "ready"
    assert machine.left_in_docker() == []


def demo_container(machine: Machine) -> str:
    """The name of the container with the demo model, once the model is ready."""
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    return next(name for name in machine.left_in_docker() if "llama" in name)

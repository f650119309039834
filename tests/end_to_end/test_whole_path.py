"""From `up` to an answer in the real CLI through the real server, and back to a clean machine."""

from __future__ import annotations

import fcntl
import json
import re
from pathlib import Path

import psutil
import pytest

from claude_local.server.llama_http import LlamaHttp
from support.machine import Machine
from support.session import Session

BOTH_ENGINES = pytest.mark.parametrize(
    "engine",
    [
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ],
)
BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])


@pytest.mark.real_cli
@BOTH_CLIENTS
@BOTH_ENGINES
def test_a_session_continues_after_a_switch_and_down_leaves_nothing(
    machine: Machine, engine: str, client: str
) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)

    machine.invoke_ok("up", "--model", "demo", "--engine", engine)
    single = machine.claude_local("-p", "hi", "--output-format", "json", client=client)
    session = Session(machine, client)
    before, first = session.ask("hi")
    machine.invoke_ok("switch", "--model", "second")
    after, second = session.ask("and now?")
    session_code = session.close()
    machine.invoke_ok("down")

    assert single.returncode == 0, single.stderr
    answer = json.loads(single.stdout)
    assert (answer["is_error"], answer["num_turns"] >= 1) == (False, True)
    assert (before, first["is_error"]) == ({"demo"}, False)
    assert (after, second["is_error"]) == ({"second"}, False)
    assert first["session_id"] == second["session_id"]
    assert session_code == 0
    assert machine.left_in_docker() == []
    assert machine.our_processes() == []
    with (machine.state_dir / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if the lock is still held
    assert machine.status()["state"] == "stopped"


@pytest.mark.real_cli
@pytest.mark.docker
def test_everything_generated_works_without_python(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("render")
    tools = machine.home / "tools"
    tools.mkdir()
    names = "bash sh env docker sed mkdir mv chmod chown cat id head od tr grep sleep cp timeout git which"
    names += " bwrap haproxy realpath setpriv find sort xargs rm"
    for name in names.split():
        (tools / name).symlink_to(machine.run(["which", name]).stdout.strip())
    workspace = machine.home / "workspace"
    workspace.mkdir()
    environment = machine.claude_environment("new")
    environment["PATH"] = f"{environment['PATH'].split(':')[0]}:{tools}"
    scripts = machine.checkout / "build" / "bin"

    no_python = machine.run(["which", "python3"], env=environment)
    up = machine.run([str(scripts / "llama-up"), "demo"], env=environment)
    answer = machine.run(machine.claude_argv("-p", "hi"), env=environment, cwd=workspace)
    down = machine.run([str(scripts / "llama-down")], env=environment)

    assert no_python.returncode != 0
    assert up.returncode == 0, up.stderr
    assert (answer.returncode, bool(answer.stdout.strip())) == (0, True), answer.stderr
    assert down.returncode == 0, down.stderr
    assert machine.left_in_docker() == []


@BOTH_ENGINES
def test_up_again_with_the_same_model_changes_nothing(machine: Machine, engine: str) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", engine)
    first = machine.status()

    machine.invoke_ok("up", "--model", "demo", "--engine", engine)

    second = machine.status()
    assert second["uptime_seconds"] > first["uptime_seconds"]  # the same server is still running
    assert (second["state"], second["profile"]) == ("ready", "demo")


@BOTH_ENGINES
def test_status_reports_the_actual_values_of_the_server(machine: Machine, engine: str) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)

    machine.invoke_ok("up", "--model", "second", "--engine", engine)

    status = machine.status()
    facts = {name: status[name] for name in ("state", "engine", "profile", "model_file", "base_url")}
    assert facts == {
        "state": "ready",
        "engine": engine,
        "profile": "second",
        "model_file": "second.gguf",
        "base_url": machine.url,
    }
    assert (status["context_tokens_per_slot"], status["slots"], status["slots_busy"]) == (65536, 1, 0)


@BOTH_ENGINES
def test_memory_is_in_large_pages_if_linux_provides_them(machine: Machine, engine: str) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", engine)

    server = psutil.Process(machine.status()["server_process_id"])
    processes = [server, *server.children(recursive=True)]
    maps = "".join(Path(f"/proc/{process.pid}/smaps_rollup").read_text() for process in processes)

    gives = "[never]" not in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    assert any(int(kilobytes) for kilobytes in re.findall(r"AnonHugePages: +(\d+)", maps)) == gives


@BOTH_ENGINES
def test_logs_show_the_output_of_the_server(machine: Machine, engine: str) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", engine)

    printed = machine.invoke_ok("logs", "--tail", "1000")

    assert "model loaded" in printed


@BOTH_ENGINES
def test_following_the_log_shows_new_lines(machine: Machine, engine: str) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", engine)
    # Long enough for a speed: the demo model produces a word in a tenth of a millisecond.
    body = {"model": "demo", "n_predict": 200, "ignore_eos": True, "prompt": "hi"}
    with machine.start("logs", "--follow", "--tail", "1000") as follower:
        assert follower.stdout
        LlamaHttp(machine.url, machine.key).post("/completion", body)

        line = next(line for line in follower.stdout if "prompt eval time" in line)
        follower.terminate()

    assert "tokens per second" in line
    assert machine.status()["generation_tokens_per_second"] > 0

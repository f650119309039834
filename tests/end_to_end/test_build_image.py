"""The whole Dockerfile with BuildKit: a small stand-in replaces llama.cpp, everything else is real."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from claude_local.build.image import image
from claude_local.build.image.build_progress import BuildProgress
from claude_local.build.image.image_pins import SourcePin
from claude_local.build.image.image_spec import ImageSpec, image_spec
from claude_local.foundation.errors import EngineFailed
from claude_local.machine.settings import Settings, load_settings
from claude_local.server.llama_http import LlamaHttp
from support.images import Images, docker, stand_in
from support.machine import Machine, error_of

pytestmark = pytest.mark.docker

BEFORE = "the image was not built: "
FOREVER = "add_custom_target(forever COMMAND tail -f {marker})\nadd_dependencies(llama-server forever)\n"


def settings_of(machine: Machine) -> Settings:
    """The settings of this machine, with build/ rendered."""
    machine.invoke_ok("render")
    return load_settings(machine.environment, machine.checkout, user_id=os.getuid(), group_id=os.getgid())


def say_nothing(now: BuildProgress, line: str) -> None:
    """Ignores the progress."""


# ---- The result


def test_a_built_image_is_labelled_closed_and_serves(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path
) -> None:
    # Files that only matter in the checkout must not be sent to Docker: here they fail the build.
    source = stand_in(
        tmp_path / "llama.cpp",
        {
            ".git/config": "[core]\n",
            "build-mine/CMakeCache.txt": "",
            "CMakeLists.txt": "if(EXISTS ${CMAKE_SOURCE_DIR}/.git OR EXISTS ${CMAKE_SOURCE_DIR}/build-mine)\n"
            "  message(FATAL_ERROR sent)\nendif()\n",
        },
    )
    machine.invoke_ok("demo-model")

    done = machine.invoke("build-image", "--source", str(source), *images.options(bases))
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")

    assert done.returncode == 0, done.stderr
    body = {"model": "demo", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    assert LlamaHttp(machine.url, machine.key).status_of("/v1/messages", body) == 200
    config = images.config()
    labels = config["Labels"]
    assert (config["User"], config["Entrypoint"]) == ("llama", ["llama-server"])
    assert labels["org.opencontainers.image.revision"] == f"local {source}"
    assert labels["org.opencontainers.image.base.name"] == bases[0]
    assert labels["claude-local.cuda-architectures"] == "89-real;120a-real"
    assert "-DCMAKE_CUDA_ARCHITECTURES=89-real;120a-real" in labels["claude-local.cmake-flags"].split()
    listed = docker("run", "--rm", "--entrypoint", "ls", images.image, "/opt/llama").split()
    assert listed == ["libggml-cpu-variant.so", "libggml.so", "llama-fit-params", "llama-server"]


def test_the_health_check_reports_healthy(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path
) -> None:
    source = stand_in(tmp_path / "llama.cpp")
    machine.invoke_ok("build-image", "--source", str(source), *images.options(bases))

    container = docker("run", "--detach", "--health-interval=300ms", images.image).strip()
    try:
        assert first_health_event(container) == "health_status: healthy"
    finally:
        docker("rm", "--force", container)


def first_health_event(container: str) -> str:
    argv = ["docker", "events", "--since", "1m", "--format", "{{.Status}}"]
    filters = ["--filter", f"container={container}", "--filter", "event=health_status"]
    with subprocess.Popen([*argv, *filters], stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout
        try:
            return events.stdout.readline().strip()
        finally:
            events.kill()


def test_the_official_image_can_be_used_instead_of_compiling(
    machine: Machine, images: Images, bases: list[str]
) -> None:
    machine.invoke_ok("demo-model")

    machine.invoke_ok("build-image", "--prebuilt", "--runtime-base", bases[2])
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")

    assert machine.status()["state"] == "ready"
    assert images.config()["User"] == "llama"
    labels = images.config()["Labels"]
    assert labels["org.opencontainers.image.revision"] == bases[2]
    assert labels["claude-local.cmake-flags"] == ""
    assert labels["claude-local.cuda-architectures"].endswith(";120a-real")


def test_a_forced_build_runs_every_step_but_compiles_nothing_twice(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path
) -> None:
    source = stand_in(tmp_path / "llama.cpp")
    build = ["build-image", "--source", str(source), "--force", *images.options(bases)]

    machine.invoke_ok(*build)
    again = machine.invoke(*build)

    assert "compiling 100% (8/8)" in again.stderr
    log = (machine.state_dir / "build-image.log").read_text()
    assert re.findall(r"Hits: +(\d+) / +(\d+)", log)[0] == ("4", "4")


# ---- The pinned source


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[SourcePin]:
    """The stand-in behind a real git server that containers can reach, and its only commit."""
    folder = stand_in(tmp_path / "upstream")
    identity = ["-c", "user.name=u", "-c", "user.email=u@example.com", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message=x"]):
        subprocess.run(["git", "-C", folder, *arguments], check=True)
    commit, tree = (git_id(folder, name) for name in ("HEAD", "HEAD^{tree}"))
    gateway = bridge_address()
    argv = ["git", "daemon", "--verbose", "--export-all", f"--listen={gateway}", "--port=0"]
    with subprocess.Popen([*argv, f"--base-path={tmp_path}"], stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr
        assert "Ready" in daemon.stderr.readline()
        yield SourcePin(f"git://{gateway}:{port_of(daemon.pid)}/upstream", commit, "b7", tree)
        daemon.terminate()


def bridge_address() -> str:
    """The address of this machine on Docker's bridge.

    From the interface: `docker network inspect` knows no gateway until the engine has been started twice (20.10).
    """
    addresses = psutil.net_if_addrs()["docker0"]
    return next(entry.address for entry in addresses if entry.family == socket.AF_INET)


def git_id(folder: Path, name: str) -> str:
    argv = ["git", "-C", str(folder), "rev-parse", name]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def port_of(pid: int) -> int:
    import psutil

    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    ports = [c.laddr.port for p in processes for c in p.net_connections() if c.status == "LISTEN"]
    return int(ports[0])


def spec_of(pin: SourcePin, bases: list[str]) -> ImageSpec:
    return replace(image_spec(build_base=bases[1], runtime_base=bases[0]), pin=pin)


def test_the_pinned_commit_is_fetched_and_built_once(
    machine: Machine, images: Images, bases: list[str], upstream: SourcePin
) -> None:
    settings, spec = settings_of(machine), spec_of(upstream, bases)

    first = image.build_and_use(settings, spec, say_nothing)
    second = image.build_and_use(settings, spec, say_nothing)

    tag = image.tag(settings, spec)
    assert re.fullmatch(rf"{images.repository}:{upstream.commit[:12]}-[0-9a-f]{{8}}", tag)
    assert first[0].startswith(f"built {tag} in ")
    assert first[1] == f"{images.image} is now {tag}"
    assert second == [f"{tag} is already built; --force builds it again", f"{images.image} is {tag}"]
    assert images.config()["Labels"]["org.opencontainers.image.revision"] == upstream.commit
    assert len(set(images.tags().values())) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tree": "0" * 40}, "the downloaded source is not the pinned one"),
        ({"commit": "1" * 40}, "the source repository does not have this commit"),
        ({"repository": "git://127.0.0.1:1/upstream"}, "a download failed"),
    ],
    ids=["another tree", "no such commit", "no server"],
)
def test_only_the_pinned_source_is_built(
    machine: Machine,
    images: Images,
    bases: list[str],
    upstream: SourcePin,
    change: dict[str, Any],
    sentence: str,
) -> None:
    spec = spec_of(replace(upstream, **change), bases)

    with pytest.raises(EngineFailed) as caught:
        image.build_and_use(settings_of(machine), spec, say_nothing)

    assert caught.value.message == BEFORE + sentence
    assert images.tags() == {}


# ---- Failures


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"become.c": "#error not this time\n"}, "the source does not compile"),
        ({"CMakeLists.txt": "find_package(Nothing REQUIRED)\n"}, "CMake could not configure the source"),
        (
            {
                "CMakeLists.txt": "add_custom_target(full COMMAND cp /source/become.c /dev/full)\n"
                "add_dependencies(llama-server full)\n"
            },
            "the disk is full",
        ),
    ],
    ids=["compile error", "configure error", "full disk"],
)
def test_a_failed_build_says_why_and_leaves_the_old_image(
    machine: Machine,
    images: Images,
    bases: list[str],
    tmp_path: Path,
    change: dict[str, str],
    sentence: str,
) -> None:
    docker("tag", bases[0], images.image)
    before = images.tags()
    source = stand_in(tmp_path / "llama.cpp", change)

    done = machine.invoke("build-image", "--source", str(source), *images.options(bases))

    message, hints = error_of(done)
    assert message == BEFORE + sentence
    log = machine.state_dir / "build-image.log"
    assert hints[-2:] == [f"full output: {log}", "the image in use, if any, is unchanged"]
    assert images.tags() == before


def test_an_interrupted_build_stops_its_processes_and_leaves_the_old_image(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path
) -> None:
    docker("tag", bases[0], images.image)
    before = images.tags()
    marker = f"/source/{images.repository.rpartition('/')[2]}"
    lines = FOREVER.format(marker=marker)
    source = stand_in(tmp_path / "llama.cpp", {"CMakeLists.txt": lines, Path(marker).name: ""})

    with machine.start("build-image", "--source", str(source), *images.options(bases)) as running:
        assert running.stderr
        assert any("(6/9)" in line for line in running.stderr)  # the target that never ends
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=150)

    assert running.returncode == 130, errors
    assert errors.splitlines()[-1] == image.INTERRUPTED
    assert images.tags() == before
    assert processes_with(marker) == []


def processes_with(word: str) -> list[bytes]:
    commands = (entry.read_bytes() for entry in Path("/proc").glob("[0-9]*/cmdline") if entry.exists())
    return [command for command in commands if word.encode() in command]


@pytest.mark.parametrize("options", [[], ["--source", "."]], ids=["looks for the image", "builds"])
def test_without_docker_the_build_says_how_to_start_it(machine: Machine, options: list[str]) -> None:
    machine.extra["DOCKER_HOST"] = f"unix://{machine.home}/none.sock"
    (machine.checkout / "CMakeLists.txt").write_text("")

    message, hints = error_of(machine.invoke("build-image", *options))

    assert message.endswith(": Docker Engine does not answer")
    assert hints[0] == "start it: sudo systemctl start docker"

"""`invoke doctor` on machines where something is missing, stopped, forbidden, in use or wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claude_local.checks.doctor import client, docker, doctor, jail, leftovers, machine, nvidia
from claude_local.checks.doctor.host import PROGRAM_SECONDS, Check, Finding, Host
from claude_local.client import requirements
from claude_local.client.claude_code import TESTED_CLAUDE
from claude_local.foundation.samples import GpuReading, GpuSample
from claude_local.lifecycle import lock
from claude_local.machine.processes import ask
from claude_local.machine.settings import load_settings
from support.machine import CLIENTS, ROOT, Done
from support.ports import unused_port

ALWAYS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
NO_GPUS = GpuReading(problem="no NVIDIA driver on this machine")
TWO_CARDS = GpuReading(
    gpus=(
        GpuSample(
            0, name="NVIDIA GeForce RTX 4090", memory_total_bytes=25_757_220_864, compute_capability="8.9"
        ),
        GpuSample(
            1, name="NVIDIA GeForce RTX 5070 Ti", memory_total_bytes=17_094_934_528, compute_capability="12.0"
        ),
    ),
    driver_version="580.95.05",
    cuda_version="13.0",
)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A user's machine with an empty home and no NVIDIA card."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {**ALWAYS, "HOME": str(home), "CLAUDE_LOCAL_LLAMA_PORT": str(unused_port())}
    for name in ("STATE_DIR", "BUILD_DIR", "MODELS_DIR"):
        environment[f"CLAUDE_LOCAL_{name}"] = str(tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    settings = load_settings(environment, ROOT, user_id=os.getuid(), group_id=os.getgid())
    return Host(settings, environment, root=tmp_path / "root", read_gpus=lambda: NO_GPUS)


def program(folder: Path, name: str, script: str) -> None:
    """A stand-in for a program that needs a version or hardware that this machine lacks."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def with_programs(host: Host, tmp_path: Path, **scripts: str) -> Host:
    """The machine with these stand-ins first on the PATH."""
    for name, script in scripts.items():
        program(tmp_path / "programs", name.replace("_", "-"), script)
    return replace(
        host, environment={**host.environment, "PATH": f"{tmp_path / 'programs'}:{ALWAYS['PATH']}"}
    )


def with_card(host: Host, reading: GpuReading) -> Host:
    """The machine with an NVIDIA card on the bus and this reading from the driver."""
    device = host.root / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    (device / "class").write_text("0x030000\n")
    return replace(host, read_gpus=lambda: reading)


def run_doctor(host: Host, *arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> Done:
    """Runs scripts/doctor in a separate process, without a terminal."""
    argv = [*prefix, sys.executable, str(ROOT / "scripts" / "doctor"), *arguments]
    return subprocess.run(
        argv,
        env={**host.environment, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def findings_of(done: Done) -> dict[str, Finding]:
    assert done.stderr == ""
    found: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    return {check.pop("name"): Finding(**check) for check in found}


# ---- The doctor itself


def test_a_check_that_hangs_is_reported_and_the_others_are_shown(host: Host) -> None:
    never = threading.Event()

    def hangs(_: Host) -> Finding:
        never.wait()
        return Finding("ok", "too late")

    def answers(_: Host) -> Finding:
        return Finding("ok", "here")

    results = doctor.examine(host, [Check("slow", hangs, timeout_seconds=0.05), Check("quick", answers)])

    never.set()
    assert results == [
        doctor.Result(
            "slow",
            Finding(
                "warning",
                "no answer within 0.05 s",
                "run doctor again; if this persists, restart the computer",
            ),
        ),
        doctor.Result("quick", Finding("ok", "here")),
    ]


def test_no_check_takes_longer_than_five_seconds_and_programs_time_out_before_their_check() -> None:
    assert max(check.timeout_seconds for check in doctor.CHECKS) <= 5
    assert min(check.timeout_seconds for check in doctor.CHECKS) > PROGRAM_SECONDS


def test_a_program_that_hangs_is_killed_with_its_children() -> None:
    answer = ask(["sh", "-c", "sleep 60 & echo $!; wait"], environment=ALWAYS, timeout_seconds=0.3)

    assert answer.problem == "`sh` gave no answer within 0.3 s"


def test_a_check_that_breaks_does_not_hide_the_others(host: Host) -> None:
    def breaks(_: Host) -> Finding:
        raise KeyError("surprise")

    (result,) = doctor.examine(host, [Check("broken", breaks)])

    assert result.finding == Finding(
        "warning",
        "a bug in this check: KeyError: 'surprise'",
        "please report this line in claude-local's issue tracker",
    )


@pytest.mark.parametrize(("levels", "code"), [(["ok", "info", "warning"], 0), (["ok", "error", "info"], 1)])
def test_only_an_error_makes_the_exit_code_one(levels: list[Any], code: int) -> None:
    results = [doctor.Result(level, Finding(level, "text")) for level in levels]

    assert doctor.exit_code(results) == code


def test_every_warning_and_error_has_a_one_line_remedy(host: Host) -> None:
    found = findings_of(run_doctor(host, "--json", PATH="/nowhere", DOCKER_HOST="unix:///nowhere.sock"))

    bad = {name: f for name, f in found.items() if f.level in ("warning", "error")}
    assert bad
    assert [name for name, f in bad.items() if not f.remedy or "\n" in f.remedy + f.text] == []


def test_the_table_is_plain_without_a_terminal_and_ends_with_the_counts(host: Host) -> None:
    done = run_doctor(host, PATH="/nowhere")

    lines = done.stdout.splitlines()
    assert [name for name in (c.name for c in doctor.CHECKS) if not any(name in line for line in lines)] == []
    assert lines[-1].startswith("1 error, ")
    assert "\x1b" not in done.stdout


# ---- Nothing installed


def test_with_nothing_installed_it_says_what_to_install(host: Host) -> None:
    done = run_doctor(host, "--json", prefix=("env", "PATH=/nowhere"))
    without_packages = subprocess.run(
        [sys.executable, "-S", str(ROOT / "scripts" / "doctor")],
        env={**host.environment, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )

    found = findings_of(done)
    assert done.returncode == 1
    assert {name: found[name].level for name in ("Docker Engine", "bubblewrap", "socat", "Claude Code")} == {
        "Docker Engine": "warning",
        "bubblewrap": "warning",
        "socat": "info",
        "Claude Code": "error",
    }
    assert found["bubblewrap"].remedy == "sudo apt install bubblewrap"
    assert without_packages.returncode == 1
    assert "packages missing: bottle, cheroot, docker" in without_packages.stdout
    assert without_packages.stderr == ""


# ---- Docker


@pytest.mark.docker
def test_a_stopped_docker_is_an_error(host: Host, tmp_path: Path) -> None:
    stopped = f"unix://{tmp_path}/none.sock"

    done = run_doctor(host, "--json", DOCKER_HOST=stopped)

    assert done.returncode == 1
    assert findings_of(done)["Docker Engine"] == Finding(
        "error",
        f"Docker Engine does not answer: Cannot connect to the Docker daemon at {stopped}. "
        "Is the docker daemon running?",
        "sudo systemctl start docker  # or without Docker: invoke up --engine embedded",
    )


@pytest.mark.docker
def test_a_socket_without_permission_names_the_group(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    # Root ignores file modes unless it starts without these capabilities.
    mortal = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        done = run_doctor(host, "--json", prefix=mortal, DOCKER_HOST=f"unix://{path}")

    assert done.returncode == 1
    assert findings_of(done)["Docker Engine"] == Finding(
        "error", "this user has no permission to use Docker Engine", docker.GROUP_REMEDY
    )


@pytest.mark.docker
def test_a_running_docker_is_shown_with_its_version(host: Host) -> None:
    version = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with_plugins = replace(host, environment=dict(os.environ))

    assert docker.engine(with_plugins).text.startswith(version)
    assert (docker.compose(with_plugins).level, docker.buildkit(with_plugins).level) == ("ok", "ok")


@pytest.mark.docker
def test_an_old_compose_plugin_is_an_error(host: Host, tmp_path: Path) -> None:
    metadata = '{"SchemaVersion":"0.1.0","Vendor":"old","Version":"v1.29.2"}'
    (tmp_path / "cli-plugins").mkdir()
    program(tmp_path / "cli-plugins", "docker-compose", f"echo '{metadata}'")

    done = run_doctor(host, "--json", DOCKER_CONFIG=str(tmp_path))

    found = findings_of(done)["Compose v2"]
    assert done.returncode == 1
    assert (found.level, found.text) == ("error", "v1.29.2 is too old; version 2 is needed")


@pytest.mark.parametrize(
    ("server", "level", "text"),
    [
        ("19.03.8", "error", "19.03.8 is too old; 20.10 or newer is needed"),
        (
            "27.5.1",
            "warning",
            "27.5.1 works, but Docker older than 28 lets other machines on your network reach ports on 127.0.0.1",
        ),
        ("29.0.2", "ok", "29.0.2"),
    ],
)
def test_an_old_engine_is_an_error_or_a_warning(
    host: Host, tmp_path: Path, server: str, level: str, text: str
) -> None:
    info = json.dumps({"ServerVersion": server, "ClientInfo": {"Plugins": None}})

    found = docker.engine(with_programs(host, tmp_path, docker=f"echo '{info}'"))

    assert (found.level, found.text) == (level, text)


def test_docker_without_plugins_lacks_compose_and_buildkit(host: Host, tmp_path: Path) -> None:
    info = json.dumps({"ServerVersion": "29.0.2", "ClientInfo": {"Plugins": None}})
    old = with_programs(host, tmp_path, docker=f"echo '{info}'", docker_compose="echo 1.29.2")

    assert docker.compose(old).text == "`docker compose` is missing; docker-compose 1.29.2 is too old"
    assert docker.buildkit(old).text == "`docker buildx` is missing: `invoke build-image` will fail"


def test_unexpected_output_of_docker_info_is_an_error(host: Host, tmp_path: Path) -> None:
    found = docker.engine(with_programs(host, tmp_path, docker="echo '[1, 2'"))

    assert found.text == "Docker Engine does not answer: `docker info` printed something unexpected"


# ---- NVIDIA


def test_a_machine_without_a_card_has_no_nvidia_warnings(host: Host) -> None:
    levels = [nvidia.driver(host).level, nvidia.toolkit(host).level, nvidia.capability(host).level]

    assert levels == ["info", "ok", "ok"]


def test_a_card_without_a_driver_is_an_error(host: Host) -> None:
    found = nvidia.driver(with_card(host, NO_GPUS))

    assert (found.level, found.text) == ("error", "no NVIDIA driver on this machine")


@pytest.mark.parametrize(
    ("cuda", "level", "text"),
    [
        ("13.0", "ok", "driver 580.95.05 supports CUDA up to 13.0"),
        ("12.4", "error", "driver 580.95.05 supports CUDA up to 12.4, but the image needs CUDA 12.8"),
    ],
)
def test_a_driver_that_does_not_support_the_cuda_of_the_image_is_an_error(
    host: Host, cuda: str, level: str, text: str
) -> None:
    found = nvidia.driver(with_card(host, replace(TWO_CARDS, cuda_version=cuda)))

    assert (found.level, found.text) == (level, text)


@pytest.mark.parametrize(
    ("version", "runtimes", "level", "text"),
    [
        ("1.17.7", ["nvidia"], "error", "1.17.7 lets an image take over this machine (CVE-2025-23266)"),
        ("1.17.8", ["nvidia"], "ok", "1.17.8, registered with Docker as a runtime"),
        ("1.18.0", ["runc"], "error", "1.18.0, not registered with Docker: models would run on the CPU"),
    ],
)
def test_an_unsafe_or_unregistered_container_toolkit_is_an_error(
    host: Host, tmp_path: Path, version: str, runtimes: list[str], level: str, text: str
) -> None:
    info = json.dumps({"ServerVersion": "29.0.2", "Runtimes": {name: {} for name in runtimes}})
    scripts = {
        "nvidia_ctk": f"echo 'NVIDIA Container Toolkit CLI version {version}'; echo 'commit: f8daa5e'",
        "docker": f"echo '{info}'",
    }

    found = nvidia.toolkit(with_programs(with_card(host, TWO_CARDS), tmp_path, **scripts))

    assert (found.level, found.text) == (level, text)


def test_cdi_alone_is_a_warning_because_our_compose_file_needs_the_runtime(
    host: Host, tmp_path: Path
) -> None:
    (host.root / "etc" / "cdi").mkdir(parents=True)
    (host.root / "etc" / "cdi" / "nvidia.yaml").write_text("cdiVersion: 0.6.0\n")
    info = json.dumps({"ServerVersion": "29.0.2", "Runtimes": {"runc": {}}, "CDISpecDirs": ["/etc/cdi"]})
    scripts = {"nvidia_ctk": "echo 'version 1.18.0'", "docker": f"echo '{info}'"}

    found = nvidia.toolkit(with_programs(with_card(host, TWO_CARDS), tmp_path, **scripts))

    assert (found.level, found.remedy) == ("warning", nvidia.RUNTIME_REMEDY)
    assert "CDI only (nvidia.yaml)" in found.text


def test_an_image_that_is_not_built_yet_supports_every_card(host: Host) -> None:
    old = GpuSample(2, name="Tesla T4", compute_capability="7.5")

    found = nvidia.capability(with_card(host, replace(TWO_CARDS, gpus=(old,))))

    assert found == Finding(
        "info", "the image is not built yet; invoke build-image builds it for Tesla T4 (7.5)"
    )


def test_a_card_that_the_image_was_not_built_for_is_named(host: Host, tmp_path: Path) -> None:
    old = GpuSample(2, name="Tesla T4", compute_capability="7.5")
    reading = replace(TWO_CARDS, gpus=(*TWO_CARDS.gpus, old))

    config = json.dumps({"Labels": {nvidia.ARCHITECTURES_LABEL: "89-real;120a-real"}})
    built = with_programs(host, tmp_path, docker=f"echo '{config}'")

    found = nvidia.capability(with_card(built, reading))

    assert found == Finding(
        "error",
        "the image does not support Tesla T4 (7.5); it was built for 89-real;120a-real",
        "rebuild it for your cards: invoke build-image",
    )


@pytest.mark.parametrize(
    ("architectures", "capability", "runs"),
    [
        ("89-real;120a-real", "8.9", True),
        ("89-real;120a-real", "12.0", True),
        ("120a-real", "12.1", False),  # `a`: exactly this architecture
        ("89-real", "8.6", False),
        ("86-real", "8.9", True),
        ("89-real", "9.0", False),
        ("80", "9.0", True),  # PTX
        ("80-virtual", "12.0", True),
        ("80-virtual", "7.5", False),
        ("native", "8.9", False),
        ("", "8.9", False),
    ],
)
def test_architectures_cover_a_card(architectures: str, capability: str, runs: bool) -> None:
    assert nvidia.covers(architectures, capability) is runs


# ---- The jail


@pytest.mark.tools
def test_bwrap_is_tried_with_the_namespaces_of_the_jail(host: Host) -> None:
    assert jail.bwrap(host).level == "ok"


@pytest.mark.tools
def test_disabled_user_namespaces_are_reported_with_the_line_that_enables_them(host: Host) -> None:
    # The limit is per user namespace, so the test sets it in a namespace of its own.
    off = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'

    done = run_doctor(host, "--json", prefix=("unshare", "--user", "--map-root-user", "sh", "-c", off, "sh"))

    assert findings_of(done)["bubblewrap"] == Finding(
        "warning",
        "sessions cannot be confined: user namespaces are off (user.max_user_namespaces is 0)",
        "echo user.max_user_namespaces=15000 | sudo tee /etc/sysctl.d/60-claude-local.conf && sudo sysctl --system",
    )


def test_ubuntus_rule_against_user_namespaces_is_recognised(host: Host, tmp_path: Path) -> None:
    rule = host.root / "proc/sys/kernel/apparmor_restrict_unprivileged_userns"
    rule.parent.mkdir(parents=True)
    rule.write_text("1\n")
    refused = (
        "[ $1 = --version ] && echo bubblewrap 0.9.0 && exit\n"
        "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1"
    )

    found = jail.bwrap(with_programs(host, tmp_path, bwrap=refused))

    assert found == Finding(
        "warning",
        "sessions cannot be confined: AppArmor forbids user namespaces, as Ubuntu does since 24.04",
        requirements.APPARMOR_REMEDY,
    )


def test_a_bwrap_without_bind_fd_is_too_old_whatever_its_version_says(host: Host, tmp_path: Path) -> None:
    """As upstream's 0.8 and 0.9; Debian's 0.8 knows it."""
    old = (
        "[ $1 = --version ] && echo bubblewrap 0.9.0 && exit\n"
        "for option; do [ $option = --bind-fd ] && echo bwrap: Unknown option --bind-fd >&2 && exit 1; done\n"
    )

    found = jail.bwrap(with_programs(host, tmp_path, bwrap=old))

    assert found == Finding(
        "warning", "0.9.0 is too old: bwrap: Unknown option --bind-fd", requirements.BIND_FD_REMEDY
    )


def test_haproxy_is_found_outside_the_users_path(host: Host) -> None:
    host = replace(host, environment={"PATH": "/nowhere"})
    missing = jail.haproxy(host)
    folder = host.root / "usr" / "sbin"
    folder.mkdir(parents=True)
    program(folder, "haproxy", "echo HAProxy version 2.6.12-1")

    assert missing == Finding(
        "warning", "not installed: --sandbox jail and container need it", "sudo apt install haproxy"
    )
    assert jail.haproxy(host) == Finding("ok", "2.6.12")


def test_a_missing_claude_is_not_an_error_if_sessions_run_in_a_container(host: Host) -> None:
    bare = replace(host, environment={"PATH": "/nowhere"})
    contained = replace(bare, settings=replace(host.settings, sandbox="container"))

    assert [client.claude(bare).level, client.claude(contained).level] == ["error", "info"]


# ---- Claude Code and its folders


@pytest.mark.parametrize(
    ("version", "level"),
    [("2.1.127", "error"), ("2.1.150", "info"), ("2.1.197", "ok"), ("2.1.329", "ok"), ("2.2.0", "info")],
)
def test_claude_code_is_compared_with_the_tested_range(
    host: Host, tmp_path: Path, version: str, level: str
) -> None:
    found = client.claude(with_programs(host, tmp_path, claude=f"echo '{version} (Claude Code)'"))

    assert found.level == level


@pytest.mark.real_cli
def test_checking_the_real_claude_code_leaves_the_home_folder_empty(host: Host) -> None:
    folder = CLIENTS / "@anthropic-ai" / "claude-code-linux-x64"
    real = replace(host, environment={**host.environment, "PATH": f"{folder}:{ALWAYS['PATH']}"})

    assert client.claude(real) == Finding("ok", TESTED_CLAUDE[1])
    assert list(host.settings.home.iterdir()) == []


def test_the_tested_range_is_what_the_tests_install() -> None:
    pinned = json.loads((ROOT / "tests" / "claude_code" / "package.json").read_text())["dependencies"]

    versions = sorted(spec.rsplit("@", 1)[1] for spec in pinned.values() if "claude-code@" in spec)
    assert tuple(versions) == TESTED_CLAUDE


def test_a_claude_that_does_not_start_is_an_error(host: Host, tmp_path: Path) -> None:
    found = client.claude(with_programs(host, tmp_path, claude="echo broken >&2; exit 3"))

    assert (found.level, found.text) == (
        "error",
        f"`{tmp_path / 'programs' / 'claude'} --version` gave no version: broken",
    )


def test_a_claude_that_starts_from_files_outside_the_jail_is_named(host: Host, tmp_path: Path) -> None:
    hidden = tmp_path / "tools" / "claude.exe"
    hidden.parent.mkdir()
    hidden.write_text("#!/bin/sh\necho '2.1.329 (Claude Code)'\n")
    hidden.chmod(0o755)
    wrapped = with_programs(host, tmp_path, claude=f'exec {hidden} "$@"')
    shown = replace(wrapped, settings=replace(host.settings, jail_read_only=(hidden.parent,)))
    unconfined = replace(wrapped, settings=replace(host.settings, sandbox="bash"))

    kind = requirements.CLAUDE_KINDS[-1]
    assert client.claude(wrapped) == Finding(
        "warning",
        f"{tmp_path / 'programs' / 'claude'} is {kind.about}; the jail does not show its files",
        kind.remedy,
    )
    assert [client.claude(each).level for each in (shown, unconfined)] == ["ok", "ok"]


def test_a_normal_folder_without_anything_from_claude_local_is_ok(host: Host) -> None:
    (host.settings.home / ".claude").mkdir()
    (host.settings.home / ".claude" / "settings.json").write_text('{"model": "opus"}')

    assert client.normal_folder(host).level == "ok"


def test_a_trace_of_claude_local_in_the_normal_folder_is_a_warning(host: Host) -> None:
    settings = host.settings.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"statusLine": {"command": "/x/build/bin/claude-local-statusline"}}')

    found = client.normal_folder(host)

    assert (found.level, found.text) == ("warning", f"{settings} mentions claude-local")


def test_our_folder_inside_the_normal_one_is_an_error(host: Host) -> None:
    inside = host.settings.home / ".claude" / "local"
    inside.mkdir(parents=True)

    found = client.normal_folder(replace(host, settings=replace(host.settings, client_dir=inside)))

    assert found.level == "error"


def test_a_config_folder_that_is_a_link_is_an_error(host: Host) -> None:
    normal = host.settings.home / ".claude"
    normal.mkdir()
    link = host.settings.client_dir
    link.symlink_to(normal)

    done = run_doctor(host, "--json")

    found = findings_of(done)
    assert done.returncode == 1
    assert found["~/.claude-local"] == Finding(
        "error",
        f"{link} is a symbolic link to {normal}; claude-local needs a real folder",
        f"remove the link: rm {link} && invoke install-claude-local",
    )
    assert found["~/.claude"].level == "error"


def test_a_config_folder_that_others_can_read_is_a_warning(host: Host) -> None:
    host.settings.client_dir.mkdir(mode=0o755)

    found = client.own_folder(host)

    assert (found.level, found.remedy) == ("warning", f"chmod 700 {host.settings.client_dir}")


def test_installed_files_are_compared_with_the_record(host: Host) -> None:
    folder = host.settings.client_dir
    folder.mkdir(mode=0o700)
    (folder / "kept").write_text("as written")
    (folder / "changed").write_text("by hand")
    marks = {"kept": "sha256:" + "1" * 64, "changed": "sha256:" + "0" * 64, "gone": "sha256:" + "2" * 64}
    from claude_local.client import manifest

    marks["kept"] = str(manifest.fingerprint(folder / "kept"))

    def finding_with(*names: str) -> Finding:
        manifest.save(host.settings, {folder / name: marks[name] for name in names})
        return client.own_folder(host)

    assert finding_with("kept") == Finding("ok", f"{folder}: 1 installed file(s), unchanged")
    assert finding_with("kept", "changed").level == "info"
    assert finding_with("kept", "gone") == Finding(
        "warning", f"missing: {folder / 'gone'}", "install it again: invoke install-claude-local"
    )


# ---- The computer


def test_a_port_in_use_is_reported_with_its_holder(host: Host) -> None:
    with socket.create_server(("127.0.0.1", host.settings.llama_port)):
        found = machine.llama_port(host)
        done = run_doctor(host, "--json")

    assert found.level == "error"
    assert found.text.startswith(f"port {host.settings.llama_port} is in use by ")
    assert found.text.endswith(f"(process {os.getpid()})")
    assert findings_of(done)["model port"].level == "error"
    assert done.returncode == 1


def test_too_little_memory_names_the_profiles_that_do_not_fit(host: Host) -> None:
    (host.root / "proc").mkdir(parents=True)
    (host.root / "proc" / "meminfo").write_text("MemTotal:       16303428 kB\nMemFree: 1 kB\n")

    without_cards = machine.memory(host)
    with_cards = machine.memory(replace(host, read_gpus=lambda: TWO_CARDS))

    assert without_cards.text.startswith(
        "17 GB RAM: too little for gemma-4-26b-a4b (17 GB), glm-4.7-flash-q4 (18 GB), "
    )
    assert with_cards.text == "17 GB RAM and 43 GB GPU memory: too little for gpt-oss-120b (63 GB)"


def test_a_clock_earlier_than_the_files_of_the_checkout_is_an_error(host: Host, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    later = time.time() + 10 * machine.DAY_SECONDS
    os.utime(tmp_path / "pyproject.toml", (later, later))

    found = machine.clock(replace(host, settings=replace(host.settings, root=tmp_path)))

    assert (found.level, found.text) == ("error", "the clock is 10 days behind the files of this checkout")


# ---- Leftovers


@pytest.fixture
def old_container(host: Host, test_image: str) -> Iterator[tuple[Host, str]]:
    """A stopped container of this test's Compose project."""
    project = f"claude-local-doctor-{os.getpid()}"
    name = f"{project}-llama-1"
    label = f"com.docker.compose.project={project}"
    environment = dict(os.environ)
    run = ["docker", "run", "--name", name, "--label", label, "--network", "none", test_image, "true"]
    subprocess.run(run, check=True, capture_output=True)
    settings = replace(host.settings, compose_project=project)
    yield replace(host, settings=settings, environment=environment), name
    subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)


@pytest.mark.docker
def test_a_stopped_container_is_found_and_removed(old_container: tuple[Host, str]) -> None:
    host, name = old_container

    assert leftovers.leftovers(host).text == f"stopped container {name}"
    assert leftovers.fix(host) == [f"removed: stopped container {name}"]
    assert leftovers.leftovers(host) == Finding("ok", "none")


@pytest.mark.docker
def test_a_stopped_container_is_kept_while_another_command_is_running(
    old_container: tuple[Host, str],
) -> None:
    host, name = old_container
    with lock.hold(host.settings, "up demo"):
        (line,) = leftovers.fix(host)

    assert line.startswith("not removed (another command is running: `up demo` (process ")
    assert leftovers.leftovers(host).text == f"stopped container {name}"


def test_a_container_that_docker_keeps_is_reported_with_the_reason(host: Host, tmp_path: Path) -> None:
    busy = "[ $1 = rm ] && { echo 'device is busy' >&2; exit 1; }"
    listed = "printf 'old\\texited\\t2026-01-01 00:00:00 +0000 UTC\\n'"

    lines = leftovers.fix(with_programs(host, tmp_path, docker=f"{busy}; {listed}"))

    assert lines == ["not removed (device is busy): stopped container old"]


@pytest.mark.docker
def test_a_container_that_is_about_to_start_is_not_a_leftover(
    host: Host, test_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = f"claude-local-doctor-{os.getpid()}"
    label = f"com.docker.compose.project={project}"
    made = ["docker", "create", "--name", project, "--label", label, test_image, "true"]
    subprocess.run(made, check=True, capture_output=True)
    own = replace(
        host, settings=replace(host.settings, compose_project=project), environment=dict(os.environ)
    )

    young = leftovers.leftovers(own)
    monkeypatch.setattr(leftovers, "TO_START_SECONDS", -1)
    lines = leftovers.fix(own)

    assert young == Finding("ok", "none")
    assert lines == [f"removed: container {project}, which never started"]


def test_only_old_half_written_files_and_stale_records_are_removed(host: Host) -> None:
    settings = host.settings
    record = settings.state_dir / "embedded" / "process.json"
    record.parent.mkdir()
    record.write_text('{"pid": 4194304, "profile": "demo"}')
    old = settings.build_dir / ".presets.ini.0123456789ab.tmp"
    young = settings.build_dir / ".presets.ini.ba9876543210.tmp"
    users = settings.build_dir / "notes.tmp"
    for file in (old, young, users):
        file.write_text("")
    long_ago = time.time() - 2 * leftovers.OLD_SECONDS
    for file in (old, users):
        os.utime(file, (long_ago, long_ago))
    without_docker = replace(host, environment={**host.environment, "PATH": "/nowhere"})

    lines = leftovers.fix(without_docker)

    assert lines == [
        "removed: record of an embedded server (process 4194304) that no longer runs",
        f"removed: half-written file {old}",
    ]
    assert [file.exists() for file in (record, old, young, users)] == [False, False, True, True]


def test_the_record_of_a_running_process_is_kept(host: Host) -> None:
    record = host.settings.state_dir / "embedded" / "process.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"pid": os.getpid()}))

    assert leftovers.fix(replace(host, root=Path("/"), environment={"PATH": "/nowhere"})) == []
    assert record.exists()

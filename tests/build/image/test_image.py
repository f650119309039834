"""image, its pins and its spec: the exact command, one name per recipe, and only pinned inputs."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_local.build.image import image
from claude_local.build.image.build_progress import BuildProgress
from claude_local.build.image.image_pins import DEFAULT_ARCHITECTURES, SOURCE, VARIANTS
from claude_local.build.image.image_spec import (
    architectures_of,
    build_argv,
    image_spec,
    jobs_for,
    repository_of,
    tag_of,
)
from claude_local.build.image.image_store import previous_of
from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.foundation.samples import GpuReading
from claude_local.machine.gpus import read_gpus
from claude_local.machine.settings import Settings, load_settings
from support.machine import Machine
from support.nvml_replay import NvmlReplay

IMAGE = "claude-local/llama:latest"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = load_settings({"HOME": str(tmp_path)}, tmp_path / "check out", user_id=1000, group_id=1000)
    found.build_dir.mkdir(parents=True)
    (found.build_dir / "Dockerfile").write_text("FROM scratch\n")
    return found


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def watched() -> tuple[list[str], image.OnProgress]:
    lines: list[str] = []

    def on_progress(_now: BuildProgress, line: str) -> None:
        lines.append(line)

    return lines, on_progress


# ---- The command


def test_the_command_is_one_docker_build_with_all_arguments() -> None:
    spec = replace(image_spec(), jobs=3)
    pins = VARIANTS["cuda"]

    argv = build_argv(spec, tag="me/llama:x", build_dir=Path("/b"))

    assert argv[:8] == [
        "docker",
        "build",
        "--progress",
        "plain",
        "--tag",
        "me/llama:x",
        "--file",
        "/b/Dockerfile",
    ]
    assert argv[-1] == "/b"
    given = dict(token.split("=", 1) for token in argv[9:-1:2])
    assert set(argv[8:-1:2]) == {"--build-arg"}
    flags = given.pop("CMAKE_FLAGS").split()
    assert given == {
        "BUILD_BASE": pins.build_base,
        "RUNTIME_BASE": pins.runtime_base,
        "SOURCE": "source-git",
        "RESULT": "compiled",
        "REPOSITORY": SOURCE.repository,
        "COMMIT": SOURCE.commit,
        "TREE": "",
        "REVISION": SOURCE.commit,
        "VARIANT": "cuda",
        "CUDA_ARCHITECTURES": "89-real;120a-real",
        "BUILD_PACKAGES": "ca-certificates ccache cmake g++ git ninja-build",
        "RUNTIME_PACKAGES": "libgomp1",
        "JOBS": "3",
    }
    assert {"-DGGML_CUDA=ON", "-DGGML_BACKEND_DL=ON", "-DGGML_CPU_ALL_VARIANTS=ON"} <= set(flags)
    assert flags[-3:] == [
        "-DCMAKE_CUDA_ARCHITECTURES=89-real;120a-real",
        f"-DLLAMA_BUILD_NUMBER={SOURCE.build[1:]}",
        f"-DLLAMA_BUILD_COMMIT={SOURCE.commit[:9]}",
    ]


def test_a_local_checkout_is_the_context_and_supplies_its_own_version() -> None:
    spec = image_spec("cpu", source=Path("/my/llama.cpp"))

    argv = build_argv(spec, tag="t", build_dir=Path("/b"))

    assert argv[-1] == "/my/llama.cpp"
    assert "SOURCE=source-local" in argv
    assert not any("LLAMA_BUILD_NUMBER" in token for token in argv)


@pytest.mark.parametrize(
    ("variant", "own"),
    [
        ("cuda", {"-DGGML_CUDA=ON", "-DCMAKE_CUDA_ARCHITECTURES=89-real;120a-real"}),
        ("vulkan", {"-DGGML_VULKAN=ON"}),
        ("cpu", set()),
    ],
)
def test_a_variant_has_its_own_backend_and_no_other(variant: str, own: set[str]) -> None:
    flags = image_spec(variant).cmake_flags

    backends = {flag for flag in flags if re.match(r"-DGGML_(CUDA|VULKAN)=|-DCMAKE_CUDA_ARCH", flag)}
    assert backends == own


# ---- The name


def test_the_name_has_the_commit_and_changes_with_every_input_of_the_build() -> None:
    spec = image_spec()
    recipes = [
        (spec, "FROM a"),
        (spec, "FROM b"),
        (image_spec(architectures="86-real"), "FROM a"),
        (image_spec(runtime_base="other"), "FROM a"),
        (image_spec("cpu"), "FROM a"),
        (image_spec(commit="1" * 40), "FROM a"),
        (image_spec(source=Path("/s")), "FROM a"),
        (image_spec(prebuilt=True), "FROM a"),
    ]

    names = [tag_of(spec, dockerfile, IMAGE) for spec, dockerfile in recipes]

    assert len(set(names)) == len(recipes)
    assert re.fullmatch(rf"claude-local/llama:{SOURCE.commit[:12]}-[0-9a-f]{{8}}", names[0])
    assert [name.partition(":")[2].partition("-")[0] for name in names[-3:]] == [
        "1" * 12,
        "local",
        "prebuilt",
    ]


def test_the_number_of_jobs_does_not_change_the_name() -> None:
    spec = image_spec()

    assert tag_of(replace(spec, jobs=1), "FROM a", IMAGE) == tag_of(replace(spec, jobs=9), "FROM a", IMAGE)


@pytest.mark.parametrize(
    ("name", "repository", "previous"),
    [
        ("claude-local/llama:latest", "claude-local/llama", "claude-local/llama:latest-previous"),
        ("llama", "llama", "llama:latest-previous"),
        ("host:5000/me/llama", "host:5000/me/llama", "host:5000/me/llama:latest-previous"),
        ("host:5000/me/llama:x", "host:5000/me/llama", "host:5000/me/llama:x-previous"),
    ],
)
def test_an_image_name_is_split_into_repository_and_tag(name: str, repository: str, previous: str) -> None:
    assert (repository_of(name), previous_of(name)) == (repository, previous)


def test_an_image_named_by_digest_cannot_be_replaced() -> None:
    with pytest.raises(UserError) as caught:
        repository_of("me/llama@sha256:" + "0" * 64)

    assert caught.value.message.endswith("is named by its digest, so it cannot be replaced")


# ---- This machine


@pytest.mark.parametrize(
    ("capabilities", "architectures"),
    [
        (["8.9", "12.0"], "89-real;120a-real"),
        (["12.0", "8.9", "8.9"], "89-real;120a-real"),
        (["8.6"], "86-real"),
        (["12.1", "9.0"], "90a-real;121a-real"),
        ([], ""),
    ],
)
def test_architectures_are_those_of_the_cards(capabilities: list[str], architectures: str) -> None:
    assert architectures_of(capabilities) == architectures


@given(cores=st.integers(1, 256), memory_bytes=st.integers(0, 10**13), variant=st.sampled_from([*VARIANTS]))
def test_jobs_fit_into_cores_and_memory(cores: int, memory_bytes: int, variant: str) -> None:
    jobs = jobs_for(variant, cores=cores, memory_bytes=memory_bytes)

    assert 1 <= jobs <= cores
    assert jobs == 1 or jobs * VARIANTS[variant].bytes_per_job <= memory_bytes


@pytest.mark.parametrize(
    ("recording", "architectures"),
    [
        ("rtx-4090-and-rtx-5070-ti", "89-real;120a-real"),
        ("mig", "80-real"),
        ("few-sensors", "121a-real"),
        ("lost-card", "89-real"),
    ],
)
def test_the_image_is_compiled_for_the_cards_that_the_driver_reports(
    recording: str, architectures: str
) -> None:
    spec = image.wanted("cuda", cards=lambda: read_gpus(NvmlReplay(recording)))

    assert spec.architectures == architectures


@pytest.mark.parametrize("recording", ["no-driver", "driver-updated", "driver-without-cards"])
def test_a_driver_that_reports_no_card_leaves_the_default_architectures(recording: str) -> None:
    spec = image.wanted("cuda", cards=lambda: read_gpus(NvmlReplay(recording)))

    assert spec.architectures == DEFAULT_ARCHITECTURES


def test_the_driver_is_not_asked_when_its_answer_would_not_be_used() -> None:
    def never() -> GpuReading:
        raise AssertionError("the driver was asked")

    for options in ({"architectures": "86-real"}, {"prebuilt": True}):
        assert image.wanted("cuda", cards=never, **options).variant == "cuda"
    assert image.wanted("cpu", cards=never).architectures == ""


def test_the_cuda_variant_without_a_card_is_a_warning() -> None:
    def warnings(variant: str, recording: str) -> list[str]:
        return image.warnings_of(image_spec(variant), cards=lambda: read_gpus(NvmlReplay(recording)))

    assert warnings("cuda", "no-driver") == [
        "the CUDA variant needs an NVIDIA card (no NVIDIA driver on this machine); for this machine: --variant cpu; "
        "to run on the CPU without an image: invoke up --engine embedded"
    ]
    assert warnings("cuda", "driver-without-cards") != []
    assert warnings("cuda", "rtx-4090-and-rtx-5070-ti") == warnings("cpu", "no-driver") == []


def test_a_build_warns_before_it_starts(machine: Machine) -> None:
    done = machine.invoke("build-image", "--dry-run")

    warned = [line.removeprefix("warning: ") for line in done.stderr.splitlines()]
    assert warned == image.warnings_of(image_spec("cuda"))


def test_the_number_of_jobs_fits_this_machine_unless_it_is_given() -> None:
    assert 1 <= image.wanted("cpu").jobs <= (psutil.cpu_count() or 1)
    assert image.wanted("cpu", jobs=7).jobs == 7


# ---- Invalid options


def refused(**options: Any) -> str:
    with pytest.raises(UserError) as caught:
        image_spec(**options)
    assert caught.value.hint
    return caught.value.message


def test_invalid_options_are_refused_with_a_hint() -> None:
    assert refused(variant="rocm") == "no variant `rocm`"
    assert refused(commit="b11515") == "`b11515` is not a full commit id"
    assert refused(commit="3D65C90D" * 5) == f"`{'3D65C90D' * 5}` is not a full commit id"
    assert refused(architectures="89; rm -rf /") == "`89; rm -rf /` is not a list of CUDA architectures"
    assert refused(variant="cpu", prebuilt=True) == "no official cpu image is pinned"
    assert refused(source=Path("/s"), prebuilt=True) == "--source cannot be used with --prebuilt or --to"


def test_a_folder_without_cmakelists_is_not_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        image.wanted("cpu", source=str(tmp_path))

    assert caught.value.message == f"{tmp_path} is not a checkout of llama.cpp"


# ---- Building


def test_docker_gets_exactly_the_shown_command_and_uses_buildkit(settings: Settings, programs: Path) -> None:
    program(programs, "docker", f"printf '%s\\n' \"$DOCKER_BUILDKIT\" \"$@\" >'{programs}/arguments'")
    spec = image_spec(source=Path("/s"))
    _, on_progress = watched()

    built = image.build(settings, spec, on_progress)

    arguments = (programs / "arguments").read_text().splitlines()
    assert arguments == ["1", *image.command(settings, spec)[1:]]
    assert built.tag in arguments


def test_the_whole_output_is_logged_and_passed_on(settings: Settings, programs: Path) -> None:
    program(programs, "docker", "echo '#1 one'; echo '#1 two' >&2")
    spec = image_spec(source=Path("/s"))
    lines, on_progress = watched()

    image.build(settings, spec, on_progress)

    assert lines == ["#1 one", "#1 two"]
    command = shlex.join(image.command(settings, spec))
    assert image.log_file(settings).read_text() == f"+ {command}\n#1 one\n#1 two\n"


def test_a_failure_without_a_known_cause_shows_the_exit_code_and_the_last_lines(
    settings: Settings, programs: Path
) -> None:
    program(programs, "docker", "echo what; echo ever; exit 3")

    with pytest.raises(EngineFailed) as caught:
        image.build(settings, image_spec(source=Path("/s")), watched()[1])

    assert caught.value.message == ("the image was not built: docker exited with code 3")
    assert caught.value.details.splitlines()[-2:] == ["what", "ever"]
    assert caught.value.hint.splitlines() == [
        "to run on the CPU without an image: invoke up --engine embedded",
        f"full output: {image.log_file(settings)}",
        "the image in use, if any, is unchanged",
    ]


@pytest.mark.usefixtures("programs")
def test_without_docker_the_build_fails_with_an_expected_error(settings: Settings) -> None:
    with pytest.raises(EngineFailed) as caught:
        image.build(settings, image_spec(), watched()[1])

    assert "`docker` is not installed" in caught.value.message


# ---- The pins


def test_every_source_and_base_image_is_pinned() -> None:
    assert re.fullmatch(r"https://github\.com/[\w-]+/[\w.-]+", SOURCE.repository)
    assert re.fullmatch(r"[0-9a-f]{40}", SOURCE.commit)
    assert re.fullmatch(r"b\d+", SOURCE.build)
    assert SOURCE.tree is None or re.fullmatch(r"[0-9a-f]{40}", SOURCE.tree)
    for variant in VARIANTS.values():
        for base in filter(None, (variant.build_base, variant.runtime_base, variant.prebuilt)):
            assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base)


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_stages_of_an_image_have_the_same_distribution_and_cuda(variant: str) -> None:
    build_tag, runtime_tag = (
        re.sub(r"@.*", "", base).replace("-devel-", "-").replace("-runtime-", "-")
        for base in (VARIANTS[variant].build_base, VARIANTS[variant].runtime_base)
    )

    assert build_tag == runtime_tag

"""build_failures: the cause and the error lines, from recorded output of builds that really failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.build.image.build_failures import CAUSES, explain, telling_lines

LOGS = Path(__file__).parents[2] / "data" / "build-logs"

RECORDED = {
    "killed": "a compiler ran out of memory and was killed",
    "disk-full": "the disk is full",
    "compile-error": "the source does not compile",
    "cmake-error": "CMake could not configure the source",
    "no-buildkit": "Docker has no BuildKit",
    "no-daemon": "Docker Engine does not answer",
    "no-network-base": "a download failed",
    "no-network-git": "a download failed",
    "git-cut": "a download broke off",
    "no-card": "Docker cannot give containers a card: the NVIDIA container toolkit is missing or not set up",
    "index-expired": "the package index is out of date, or this machine's clock is wrong",
}

MEMORY = "a compiler ran out of memory and was killed"
CLOCK = "the package index is out of date, or this machine's clock is wrong"
NO_TOOLKIT = "Docker cannot give containers a card: the NVIDIA container toolkit is missing or not set up"
NO_LIST = "Docker cannot give containers a card: its list of cards (CDI) is missing or out of date"
NO_DRIVER = "Docker cannot give containers a card: the NVIDIA driver does not answer"
UPDATED = "the NVIDIA driver was updated, but the old one is still loaded"
LIMIT = "the image registry refuses more downloads for now"
BROKE_OFF = "a download broke off"
DOWNLOAD = "a download failed"
CERTIFICATE = "the build does not trust the certificate of a download server"
PROXY = "the proxy refuses the download or does not answer"
PLATFORM = "a base image does not exist for this machine's processor"
LOGINS = "the program that keeps Docker's logins is missing or fails"
DAEMON = "Error response from daemon: "
SHIM = f"{DAEMON}failed to create task for container: failed to create shim task: OCI runtime create failed: "
HOOK = "runc create failed: unable to start container process: error running prestart hook #0: exit status 1, stderr: "
HEAD = 'Head "https://registry.invalid/v2/x/manifests/1"'
PLACE = "https://packages.invalid/debian stable InRelease"
GIT = "unable to access 'https://git.invalid/llama.cpp/'"
DRIVER = "the NVIDIA driver is too old for this image's CUDA"

# Messages of programs that could not be recorded here.
MESSAGES = [
    ("ggml_backend_cuda_buffer: cudaMalloc failed: out of memory", "the graphics card's memory is full"),
    (
        "nvcc fatal   : Unsupported gpu architecture 'compute_120a'",
        "the CUDA of the base image is too old for one of the cards",
    ),
    (
        "error: -- unsupported GNU version! later than 14",
        "the CUDA version of the base image does not support the C++ compiler in it",
    ),
    ("nvcc error   : 'cicc' died due to signal 9 (Kill signal)", MEMORY),
    ('process "/bin/sh -c cmake" did not complete successfully: exit code: 137', MEMORY),
    (
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
        "this user has no permission to use Docker Engine",
    ),
    (
        "toomanyrequests: You have reached your pull rate limit",
        "the image registry refuses more downloads for now",
    ),
    (f"ERROR: nvidia/cuda:12@sha256:{'0' * 64}: not found", "a base image is not in its registry"),
    ("nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8", DRIVER),
    (
        "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown",
        "the NVIDIA driver was updated, but the old one is still loaded",
    ),
    ("ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient", DRIVER),
    # Docker cannot give a card. The first three were seen on Docker 20.10, the others are in public reports.
    ('docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]]', NO_TOOLKIT),
    ('Error response from daemon: could not select device driver "nvidia" with capabilities: [[gpu]]', NO_TOOLKIT),
    ("docker: Error response from daemon: Unknown runtime specified nvidia", NO_TOOLKIT),
    ("docker: Error response from daemon: unknown or invalid runtime name: nvidia", NO_TOOLKIT),
    (f"{DAEMON}CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all", NO_LIST),
    (f"{SHIM}could not apply required modification to OCI specification: error modifying OCI spec: failed to inject "
     "CDI devices: unresolvable CDI devices runtime.nvidia.com/gpu=all", NO_LIST),
    (f"{SHIM}{HOOK}nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown", NO_DRIVER),
    (f"{SHIM}{HOOK}nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open "
     "shared object file: no such file or directory: unknown", NO_DRIVER),
    (f"{SHIM}{HOOK}nvidia-container-cli: device error: 1: unknown device: unknown", NO_DRIVER),
    ("Failed to initialize NVML: Unknown Error", NO_DRIVER),
    ("Failed to initialize NVML: Driver/library version mismatch", UPDATED),
    (f"{SHIM}{HOOK}nvidia-container-cli: requirement error: unsatisfied condition: driver>=570", DRIVER),
    # Downloads.
    ("error: RPC failed; curl 18 transfer closed with 2902297 bytes remaining to read", BROKE_OFF),
    ("error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly: CANCEL (err 8)", BROKE_OFF),
    ("error: RPC failed; curl 56 GnuTLS recv error (-54): Error in the pull function.", BROKE_OFF),
    ("fetch-pack: unexpected disconnect while reading sideband packet", BROKE_OFF),
    ("fatal: early EOF", BROKE_OFF),
    ("fatal: the remote end hung up unexpectedly", BROKE_OFF),
    ("ERROR: failed to copy: httpReadSeeker: failed open: unexpected EOF", BROKE_OFF),
    (f'ERROR: failed to do request: {HEAD}: tls: failed to verify certificate: x509: certificate signed by unknown '
     "authority", "Docker Engine does not trust the certificate of the image registry"),
    (f"ERROR: failed to do request: {HEAD}: x509: certificate has expired or is not yet valid: current time "
     "2020-01-01T00:00:00Z is before 2024-01-01T00:00:00Z", CLOCK),
    (f"fatal: {GIT}: SSL certificate problem: unable to get local issuer certificate", CERTIFICATE),
    (f"fatal: {GIT}: server certificate verification failed. CAfile: none CRLfile: none", CERTIFICATE),
    (f"Err:1 {PLACE} Certificate verification failed: The certificate is NOT trusted.", CERTIFICATE),
    (f"ERROR: failed to do request: {HEAD}: proxyconnect tcp: dial tcp: lookup proxy: no such host", PROXY),
    (f"fatal: {GIT}: Received HTTP code 407 from proxy after CONNECT", PROXY),
    (f"fatal: {GIT}: CONNECT tunnel failed, response 403", PROXY),
    (f"ERROR: failed to do request: {HEAD}: dial tcp: lookup r.invalid: server misbehaving", DOWNLOAD),
    (f"ERROR: failed to do request: {HEAD}: dial tcp 192.0.2.1:443: i/o timeout", DOWNLOAD),
    (f"fatal: {GIT}: Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server", DOWNLOAD),
    ("ERROR: unexpected status from HEAD request: 429 Too Many Requests", LIMIT),
    ("ERROR: some/base:1: no match for platform in manifest: not found", PLATFORM),
    ("no matching manifest for linux/arm64/v8 in the manifest list entries", PLATFORM),
    ("exec /bin/sh: exec format error", PLATFORM),
    ('ERROR: error getting credentials - err: exec: "docker-credential-desktop": executable file not found', LOGINS),
    ("ERROR: error getting credentials - err: exit status 1, out: ``", LOGINS),
    ("unauthorized: incorrect username or password", "a server refuses the download"),
    # Docker itself.
    ("permission denied while trying to connect to the Docker daemon socket at unix:///x/s.sock: "
     "dial unix /x/s.sock: connect: permission denied", "this user has no permission to use Docker Engine"),
    ("docker: unknown command: docker buildx", "Docker has no BuildKit"),
    ("docker: 'buildx' is not a docker command.", "Docker has no BuildKit"),
    ("docker: 'compose' is not a docker command.", "Docker Compose is not installed"),
    ("E: You don't have enough free space in /var/cache/apt/archives/.", "the disk is full"),
    ("Error response from daemon: driver failed programming external connectivity on endpoint llama: Bind for "
     "127.0.0.1:8080 failed: port is already allocated", "another program uses the port"),
]  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_failure_has_its_cause(name: str) -> None:
    cause = explain((LOGS / f"{name}.txt").read_text())

    assert cause is not None
    assert cause.sentence == RECORDED[name]


@pytest.mark.parametrize(("line", "sentence"), MESSAGES)
def test_a_line_has_its_cause(line: str, sentence: str) -> None:
    cause = explain(f"#9 1.0 something\n#9 2.0 {line}\n")

    assert cause is not None
    assert cause.sentence == sentence


def test_a_word_of_docker_is_no_failed_compiler() -> None:
    assert explain("Error: Some device injection FAILED: nothing known") is None


def test_a_successful_build_has_no_cause() -> None:
    assert explain((LOGS / "good.txt").read_text()) is None


def test_every_recorded_failure_is_tested() -> None:
    assert {file.stem for file in LOGS.iterdir()} - {"good"} == RECORDED.keys()


def test_every_cause_has_a_hint() -> None:
    assert [cause.sentence for _, cause in CAUSES if not cause.hint] == []


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "killed",
            [
                "FAILED: [code=1] CMakeFiles/big /build/CMakeFiles/big ",
                "gcc: fatal error: Killed signal terminated program cc1",
                "ninja: build stopped: subcommand failed.",
            ],
        ),
        (
            "no-network-git",
            [
                "fatal: unable to access 'https://github.com/ggml-org/llama.cpp/': "
                "Could not resolve host: github.com"
            ],
        ),
        ("no-buildkit", ["ERROR: BuildKit is enabled but the buildx component is missing or broken."]),
    ],
)
def test_the_error_lines_are_the_output_of_the_step_not_its_command(name: str, lines: list[str]) -> None:
    assert telling_lines((LOGS / f"{name}.txt").read_text()).splitlines() == lines

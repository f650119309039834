"""Why Docker failed, from what it printed: the usual causes, each with a remedy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """What went wrong, and the next step."""

    sentence: str
    hint: str


Causes = tuple[tuple[str, Cause], ...]
"""Patterns, in any case, and their causes. The first match counts, so special ones come before general ones."""

CARDS: Causes = (
    (
        r"unsatisfied condition: (cuda|driver)|CUDA driver version is insufficient|forward compatibility was attempted",
        Cause(
            "the NVIDIA driver is too old for this image's CUDA",
            "update the driver, or choose older base images: --build-base, --runtime-base",
        ),
    ),
    (
        r"driver/library version mismatch",
        Cause("the NVIDIA driver was updated, but the old one is still loaded", "restart the computer"),
    ),
    (
        r"could not select device driver|unknown( or invalid)? runtime( specified| name:?) \"?nvidia",
        Cause(
            "Docker cannot give containers a card: the NVIDIA container toolkit is missing or not set up",
            "install the package nvidia-container-toolkit, then: "
            "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker",
        ),
    ),
    (
        r"unresolvable CDI devices?|CDI device injection failed|failed to inject CDI|failed to inject devices"
        r"|(CDI|device) specs?.* (not found|invalid)|unknown device id: \S*nvidia\.com/gpu",
        Cause(
            "Docker cannot give containers a card: its list of cards (CDI) is missing or out of date",
            "write it again: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml; "
            "a driver that was just updated needs a restart of the computer first",
        ),
    ),
    (
        r"libnvidia-ml\.so[.\d]*: cannot open|nvidia-container-cli: |nvidia-container-runtime|nvml error"
        r"|failed to initialize nvml|no such file or directory.*/dev/nvidia|/dev/nvidia.*no such file or directory",
        Cause(
            "Docker cannot give containers a card: the NVIDIA driver does not answer",
            "run nvidia-smi: if it fails, install the driver or restart the computer; "
            "if it works: sudo systemctl restart docker",
        ),
    ),
    (
        r"adding custom device \"/dev/|error gathering device information",
        Cause(
            "this machine lacks a device that the container asks for", "see what Docker needs: invoke doctor"
        ),
    ),
)

DISK: Causes = (
    (
        r"no space left on device|disk quota exceeded|don't have enough free space|\bENOSPC\b",
        Cause("the disk is full", "see what uses it: docker system df; free some: docker builder prune"),
    ),
)

ENGINE: Causes = (
    (
        r"permission denied while trying to connect to the docker|permission denied.*docker\S*\.sock"
        r"|docker\S*\.sock.*permission denied|dial unix \S+: connect: permission denied",
        Cause(
            "this user has no permission to use Docker Engine",
            "sudo usermod --append --groups docker $USER, then log in again",
        ),
    ),
    (
        r"Cannot connect to the Docker daemon|failed to connect to the docker API|error during connect"
        r"|dial unix \S+: connect: (no such file|connection refused)",
        Cause("Docker Engine does not answer", "start it: sudo systemctl start docker"),
    ),
    (
        r"buildx component is missing or broken|the --mount option requires BuildKit|unknown flag: --(progress|mount)"
        r"|unknown command: docker buildx|'buildx' is not a docker command",
        Cause(
            "Docker has no BuildKit",
            "install it: sudo apt install docker-buildx (Docker's own packages: docker-buildx-plugin)",
        ),
    ),
    (
        r"unknown command: docker compose|'compose' is not a docker command|unknown flag: --project-directory"
        r"|unknown shorthand flag: 'f' in -f",
        Cause(
            "Docker Compose is not installed",
            "install it: sudo apt install docker-compose-v2 (Docker's own packages: docker-compose-plugin)",
        ),
    ),
    (
        r"docker-credential-\S+|error getting credentials|error listing credentials",
        Cause(
            "the program that keeps Docker's logins is missing or fails",
            "install it, or remove `credsStore` and `credHelpers` from ~/.docker/config.json "
            "(Docker Desktop leaves them)",
        ),
    ),
    (
        r"no match for platform|no matching manifest for|exec format error"
        r"|platform \S+ does not match|does not provide the specified platform",
        Cause(
            "a base image does not exist for this machine's processor",
            "choose others: --build-base, --runtime-base; or run without an image: --engine embedded",
        ),
    ),
    (
        r"port is already allocated|address already in use",
        Cause(
            "another program uses the port",
            "see which: invoke doctor; or take another: CLAUDE_LOCAL_LLAMA_PORT",
        ),
    ),
    (
        r"bind source path does not exist",
        Cause(
            "a folder that the container needs does not exist",
            "make it, or write build/ again: invoke render",
        ),
    ),
    (
        r"No chain/target/match by that name|unable to insert .*DOCKER|address pools have been fully subnetted"
        r"|non-overlapping IPv4 address pool",
        Cause(
            "Docker cannot set up its network",
            "if a firewall was restarted: sudo systemctl restart docker; "
            "if there are too many networks: docker network prune",
        ),
    ),
)

STARTING: Causes = (*CARDS, *DISK, *ENGINE)
"""For a container that does not start."""


def first_match(text: str, causes: Iterable[tuple[str, Cause]] = STARTING) -> Cause | None:
    """The first of the causes that matches; None if none does."""
    found = (cause for pattern, cause in causes if re.search(pattern, text, re.IGNORECASE | re.MULTILINE))
    return next(found, None)

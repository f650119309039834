"""Checks of the NVIDIA driver, the container toolkit, and whether the image was built for these cards."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from claude_local.build.image.image_pins import DEFAULT_ARCHITECTURES, VARIANTS
from claude_local.checks.doctor.docker import look
from claude_local.checks.doctor.host import Finding, Host, dotted, version_of
from claude_local.foundation.plain_text import first_line

SAFE_TOOLKIT = (1, 17, 8)
"""Up to 1.17.7, an image can take over the host (CVE-2025-23266)."""
ARCHITECTURES_LABEL = "claude-local.cuda-architectures"
NVIDIA_VENDOR = "0x10de"
DISPLAY_CLASS = "0x03"
NO_CARD = Finding("ok", "not needed: no NVIDIA card")
TOOLKIT, SOURCE = "nvidia-container-toolkit", "from NVIDIA's package repository"
TOOLKIT_PAGE = f"the package {TOOLKIT} {SOURCE}"
RUNTIME_REMEDY = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"


@dataclass(frozen=True)
class ImageFacts:
    """CUDA and architectures of the image; those of the pins if it is not built yet."""

    cuda: str
    architectures: str
    """CMAKE_CUDA_ARCHITECTURES."""
    is_built: bool


def has_card(host: Host) -> bool:
    """Whether there is an NVIDIA graphics card on the PCI bus, with or without a driver."""
    devices = (host.root / "sys/bus/pci/devices").glob("*")
    return (host.root / "dev/nvidiactl").exists() or any(
        host.text(f"{device}/vendor") == NVIDIA_VENDOR
        and host.text(f"{device}/class").startswith(DISPLAY_CLASS)
        for device in devices
    )


def driver(host: Host) -> Finding:
    """Whether the driver supports the CUDA version that the image was built with."""
    if not has_card(host):
        return Finding("info", "no NVIDIA card: models run on the CPU")
    reading = host.read_gpus()
    if reading.problem:
        remedy = "install the NVIDIA driver; after an update of the driver, restart the computer"
        return Finding("error", reading.problem, remedy)
    broken = next((gpu for gpu in reading.gpus if gpu.problem), None)
    if broken:
        return Finding(
            "error",
            f"card {broken.index}: {broken.problem}",
            "read the kernel's messages: sudo dmesg | grep -i nvrm",
        )
    cuda = image_facts(host).cuda
    text = f"driver {reading.driver_version} supports CUDA up to {reading.cuda_version}"
    if reading.cuda_version and version_of(reading.cuda_version) < version_of(cuda):
        return Finding("error", f"{text}, but the image needs CUDA {cuda}", "install a newer NVIDIA driver")
    return Finding("ok", text)


def toolkit(host: Host) -> Finding:
    """Whether Docker can pass the cards to containers, with a toolkit version without known security holes."""
    if not has_card(host):
        return NO_CARD
    answer = host.ask("nvidia-ctk", "--version") if host.program("nvidia-ctk") else None
    if answer is None:
        text = "the NVIDIA container toolkit is not installed: containers cannot use the cards"
        return Finding("error", text, f"install {TOOLKIT_PAGE}")
    version = version_of(answer.output)
    if not version:
        problem = answer.problem or "no version in its output"
        return Finding("warning", f"`nvidia-ctk --version` failed: {problem}", f"reinstall {TOOLKIT_PAGE}")
    if version < SAFE_TOOLKIT:
        text = f"{dotted(version)} lets an image take over this machine (CVE-2025-23266)"
        return Finding("error", text, f"update {TOOLKIT} to {dotted(SAFE_TOOLKIT)} or newer, {SOURCE}")
    return _way_into_containers(host, dotted(version))


def _way_into_containers(host: Host, version: str) -> Finding:
    """Whether Docker has the runtime `nvidia`, which our Compose file asks for. CDI alone is a warning."""
    docker = look(host)
    if docker.problem:
        return Finding("info", f"{version}; whether Docker uses it is unknown: Docker does not answer")
    if "nvidia" in docker.runtimes:
        return Finding("ok", f"{version}, registered with Docker as a runtime")
    folders = docker.facts.get("CDISpecDirs") or ["/etc/cdi", "/var/run/cdi"]
    specs = [f for d in folders for f in (host.root / str(d).lstrip("/")).glob("nvidia*")]
    if specs:
        text = f"{version} is set up for CDI only ({specs[0].name}); claude-local needs Docker's runtime `nvidia`"
        return Finding("warning", text, RUNTIME_REMEDY)
    text = f"{version}, not registered with Docker: models would run on the CPU"
    return Finding("error", text, RUNTIME_REMEDY)


def capability(host: Host) -> Finding:
    """Whether the image contains code for every card."""
    if not has_card(host):
        return NO_CARD
    reading = host.read_gpus()
    image = image_facts(host)
    known = [gpu for gpu in reading.gpus if gpu.compute_capability]
    if not known:
        return Finding(
            "info", f"the cards do not report their compute capability: {reading.problem or 'no answer'}"
        )
    if not image.is_built:
        names = ", ".join(f"{gpu.name} ({gpu.compute_capability})" for gpu in known)
        return Finding("info", f"the image is not built yet; invoke build-image builds it for {names}")
    without = [gpu for gpu in known if not covers(image.architectures, gpu.compute_capability or "")]
    if without:
        names = ", ".join(f"{gpu.name} ({gpu.compute_capability})" for gpu in without)
        text = f"the image does not support {names}; it was built for {image.architectures}"
        return Finding("error", text, "rebuild it for your cards: invoke build-image")
    names = ", ".join(f"{gpu.name} ({gpu.compute_capability})" for gpu in known)
    return Finding("ok", f"{names}; the image was built for {image.architectures}")


def covers(architectures: str, capability: str) -> bool:
    """Whether code for these CMAKE_CUDA_ARCHITECTURES runs on a card of this compute capability.

    Machine code runs on cards of the same major version and the same or a newer minor version; with the
    suffix `a`, only on exactly its own version. Without `-real` there is also PTX, which newer cards translate.
    """
    own = int("".join(capability.split(".")[:2]))
    for entry in architectures.split(";"):
        found = re.fullmatch(r"(\d+)([af]?)(-real|-virtual)?", entry.strip())
        if not found:
            continue
        number, suffix, kind = int(found[1]), found[2], found[3]
        same_major = number // 10 == own // 10
        if kind != "-virtual" and same_major and (own == number if suffix == "a" else own >= number):
            return True
        if kind != "-real" and not suffix and own >= number:
            return True
    return False


def image_facts(host: Host) -> ImageFacts:
    """CUDA version and architectures, from the image's environment and labels."""
    answer = host.ask("docker", "image", "inspect", "--format", "{{json .Config}}", host.settings.image)
    config: dict[str, Any] = {}
    if answer.code == 0:
        config = json.loads(first_line(answer.output)) or {}
    environment: dict[str, str] = dict(pair.split("=", 1) for pair in config.get("Env") or [] if "=" in pair)
    labels = config.get("Labels") or {}
    pinned = re.search(r"cuda:(\d+\.\d+)", VARIANTS["cuda"].build_base)
    return ImageFacts(
        cuda=".".join(environment.get("CUDA_VERSION", pinned[1] if pinned else "12.8").split(".")[:2]),
        architectures=labels.get(ARCHITECTURES_LABEL, DEFAULT_ARCHITECTURES),
        is_built=answer.code == 0,
    )

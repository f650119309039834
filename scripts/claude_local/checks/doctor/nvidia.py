"""NVIDIA cards, their driver and the container toolkit, against what the image was built for."""

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
"""Up to 1.17.7 an image could take over the host (CVE-2025-23266)."""
ARCHITECTURES_LABEL = "claude-local.cuda-architectures"
NVIDIA_VENDOR = "0x10de"
DISPLAY_CLASS = "0x03"
NO_CARD = Finding("ok", "no NVIDIA card, nothing to look at")
TOOLKIT_PAGE = "the package nvidia-container-toolkit from NVIDIA's package source"
RUNTIME_REMEDY = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"


@dataclass(frozen=True)
class ImageFacts:
    """What the image was built for; what the pins say where it is not built yet."""

    cuda: str
    architectures: str
    """CMAKE_CUDA_ARCHITECTURES."""
    is_built: bool


def has_card(host: Host) -> bool:
    """Whether an NVIDIA graphics card is on the bus, with a driver or without."""
    devices = (host.root / "sys/bus/pci/devices").glob("*")
    return (host.root / "dev/nvidiactl").exists() or any(
        host.text(f"{device}/vendor") == NVIDIA_VENDOR
        and host.text(f"{device}/class").startswith(DISPLAY_CLASS)
        for device in devices
    )


def driver(host: Host) -> Finding:
    """Whether the driver runs the CUDA that the image was built with."""
    if not has_card(host):
        return Finding("info", "no NVIDIA card: models run on the CPU")
    reading = host.read_gpus()
    if reading.problem:
        return Finding(
            "error", reading.problem, "install NVIDIA's driver, or restart the computer after an update"
        )
    broken = next((gpu for gpu in reading.gpus if gpu.problem), None)
    if broken:
        return Finding("error", f"card {broken.index}: {broken.problem}", "see: sudo dmesg | grep -i nvrm")
    cuda = image_facts(host).cuda
    told = f"driver {reading.driver_version}, up to CUDA {reading.cuda_version}"
    if reading.cuda_version and version_of(reading.cuda_version) < version_of(cuda):
        return Finding("error", f"{told}; the image needs CUDA {cuda}", "install a newer NVIDIA driver")
    return Finding("ok", told)


def toolkit(host: Host) -> Finding:
    """Whether containers get the cards, by a container toolkit without known holes."""
    if not has_card(host):
        return NO_CARD
    answer = host.ask("nvidia-ctk", "--version") if host.program("nvidia-ctk") else None
    if answer is None:
        return Finding("error", "the NVIDIA container toolkit is missing", f"install {TOOLKIT_PAGE}")
    version = version_of(answer.output)
    if not version:
        problem = answer.problem or "it does not say its version"
        return Finding("warning", f"nvidia-ctk: {problem}", f"install {TOOLKIT_PAGE} again")
    if version < SAFE_TOOLKIT:
        text = f"{dotted(version)} lets an image take over this machine (CVE-2025-23266)"
        return Finding("error", text, f"update {TOOLKIT_PAGE} to {dotted(SAFE_TOOLKIT)} or newer")
    return _way_into_containers(host, dotted(version))


def _way_into_containers(host: Host, version: str) -> Finding:
    """The runtime or CDI: Docker needs one of them to hand out the cards."""
    docker = look(host)
    if docker.problem:
        return Finding("info", f"{version}; Docker does not answer, so its runtimes are unknown")
    if "nvidia" in docker.runtimes:
        return Finding("ok", f"{version}, as a runtime of Docker")
    folders = docker.facts.get("CDISpecDirs") or ["/etc/cdi", "/var/run/cdi"]
    specs = [f for d in folders for f in (host.root / str(d).lstrip("/")).glob("nvidia*")]
    if specs:
        text = f"{version} with CDI only ({specs[0].name}): our Compose file asks for the runtime `nvidia`"
        return Finding("warning", text, RUNTIME_REMEDY)
    return Finding(
        "error", f"{version}, but Docker does not know it: models would run on the CPU", RUNTIME_REMEDY
    )


def capability(host: Host) -> Finding:
    """Whether the image has code for every card."""
    if not has_card(host):
        return NO_CARD
    reading = host.read_gpus()
    image = image_facts(host)
    known = [gpu for gpu in reading.gpus if gpu.compute_capability]
    if not known:
        return Finding("info", f"the cards do not say theirs: {reading.problem or 'no answer'}")
    without = [gpu for gpu in known if not covers(image.architectures, gpu.compute_capability or "")]
    if without:
        names = ", ".join(f"{gpu.name} ({gpu.compute_capability})" for gpu in without)
        text = f"the image has no code for {names}: it is built for {image.architectures}"
        return Finding("error", text, "build it for your cards: invoke build-image")
    told = ", ".join(f"{gpu.name} {gpu.compute_capability}" for gpu in known)
    return Finding("ok", f"{told}: in {image.architectures}" + ("" if image.is_built else " (not built yet)"))


def covers(architectures: str, capability: str) -> bool:
    """Whether CMAKE_CUDA_ARCHITECTURES has code that a card of this compute capability runs.

    Machine code runs within a major version from its own minor on, with the suffix `a` on exactly its
    own; without `-real` there is PTX as well, which newer cards translate.
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
    """CUDA version and architectures of the image, from its environment and labels."""
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

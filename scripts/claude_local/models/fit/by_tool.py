"""Runs llama-fit-params from our image to get the memory per device before anything is loaded."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from claude_local.foundation.docker_failures import first_match
from claude_local.foundation.errors import UserError
from claude_local.foundation.plain_text import docker_fields, first_line
from claude_local.machine.processes import Answer, ask
from claude_local.machine.settings import Settings
from claude_local.models.fit.verdicts import CPU, CPU_MARGIN_MIB, MIB, Device
from claude_local.profiles.profile import Profile
from claude_local.server import flags

TIMEOUT_SECONDS = 60
ATTEMPTS = 5

# The flags that affect memory; llama-fit-params rejects most others.
FLAGS = (
    "model", "ctx-size", "parallel", "n-gpu-layers", "fit", "fit-target", "fit-ctx", "split-mode",
    "tensor-split", "main-gpu", "device", "cpu-moe", "n-cpu-moe", "override-tensor", "moe-cache-mib",
    "flash-attn", "cache-type-k", "cache-type-v", "swa-full", "batch-size", "ubatch-size", "load-mode",
    "lazy-mode",
)  # fmt: skip
CANNOT_FIT = "failed to fit"
NOTHING_FITS = "was unable to fit"

# |   - CUDA0 (RTX 4090) | 24081 = 23600 + (2395 =   500 +    1632 +     263) +   133 |
# |   - Host             |                  194 =     1 +      64 +     129           |
ROW = re.compile(
    r"\|\s+- (?P<name>\S+)[^|]*\|\s*(?:\d+ = (?P<free>\d+) \+ \()?"
    r"\s*\d+ =\s*(?P<model>\d+) \+\s*(?P<context>\d+) \+\s*(?P<compute>\d+)"
)


class FitUnavailable(UserError):
    """llama-fit-params cannot run here, or gave no answer."""


@dataclass(frozen=True)
class Layout:
    """The placement of a model by llama-server."""

    devices: tuple[Device, ...]
    context_tokens: int | None
    layers_on_cards: int | None
    """None: all of them, or the number in the profile."""
    expert_layers_on_cpu: int
    largest_context_tokens: int | None
    is_refused: bool = False
    """Whether llama-fit-params found no way to make it fit."""


def lay_out(
    settings: Settings,
    profile: Profile,
    *,
    with_cards: bool,
    fit_target: str = "",
    ram_in_use_mib: int = 0,
) -> Layout:
    """The placement of the model of `profile`. Raises FitUnavailable.

    Without cards the tool counts all RAM as free; `ram_in_use_mib` is the part used by other programs.
    """
    asked = _Asked(settings, with_cards)
    given = _options(profile, fit_target)
    fitted = asked.fit(given)
    layout = asked.measure(_merged(given, fitted or {}))
    return replace(
        layout,
        is_refused=fitted is None,
        largest_context_tokens=asked.largest(given, None if with_cards else ram_in_use_mib),
    )


def parse_devices(text: str) -> tuple[Device, ...]:
    """The devices of a memory breakdown; all kinds of RAM are one device, named CPU."""
    cards: list[Device] = []
    ram = Device(CPU, 0, 0, 0)
    for row in ROW.finditer(text):
        model, context, compute = (int(row[name]) * MIB for name in ("model", "context", "compute"))
        if row["free"] is not None and not row["name"].startswith("CPU"):
            cards.append(Device(row["name"], model, context, compute, int(row["free"]) * MIB))
        else:  # Host, and weights repacked for the CPU: CPU_REPACK
            ram = replace(
                ram,
                weights_bytes=ram.weights_bytes + model,
                cache_bytes=ram.cache_bytes + context,
                compute_bytes=ram.compute_bytes + compute,
            )
    return (*cards, ram)


def parse_fitted(line: str) -> dict[str, str]:
    """The chosen flags by their long names: `-c 8192 -ngl -1 -ts 20,12 -ot "…=CPU"`."""
    names = {"-c": "ctx-size", "-ngl": "n-gpu-layers", "-ts": "tensor-split", "-ot": "override-tensor"}
    tokens = shlex.split(line)
    pairs = dict(zip(tokens[::2], tokens[1::2], strict=False))
    return {names[short]: value for short, value in pairs.items() if short in names}


def expert_layers(override: str) -> int:
    """Number of layers with experts on the CPU, from the overrides that fitting prints."""
    found = [part.split("=")[0] for part in override.split(",") if part.endswith("=CPU")]
    return len({match[1] for part in found if (match := re.search(r"blk\\?\.(\d+)\\?\.", part))})


@dataclass(frozen=True)
class _Asked:
    """A query to our image, and whether its containers get the cards."""

    settings: Settings
    with_cards: bool

    def fit(self, options: Mapping[str, str]) -> dict[str, str] | None:
        """The flags that it would choose; None if it finds no fit."""
        if options.get("fit") == "off":
            return {}
        answer = self._run(options)
        if answer.code == 0:
            return parse_fitted(first_line(answer.output))
        if CANNOT_FIT in answer.errors and NOTHING_FITS in answer.errors:
            return None
        raise _unavailable(answer)

    def measure(self, options: Mapping[str, str]) -> Layout:
        """The memory breakdown per device."""
        devices = self._breakdown({**options, "fit-print": "on", "verbosity": "4"})
        layers = options.get("n-gpu-layers", "-1")
        return Layout(
            devices=devices if self.with_cards else devices[-1:],
            context_tokens=int(options.get("ctx-size", "0")) or None,
            layers_on_cards=int(layers) if layers.isdigit() else None,
            expert_layers_on_cpu=expert_layers(options.get("override-tensor", "")),
            largest_context_tokens=None,
        )

    def _breakdown(self, options: Mapping[str, str]) -> tuple[Device, ...]:
        # Build 11669 does not wait for its logging thread at exit: about 5 % of the answers have no
        # table.
        for _ in range(ATTEMPTS):
            answer = self._run(options)
            if answer.code != 0:
                raise _unavailable(answer)
            devices = parse_devices(answer.errors)
            if any(device.used_bytes for device in devices):
                return devices
        raise FitUnavailable(f"llama-fit-params printed no table in {ATTEMPTS} attempts")

    def largest(self, options: Mapping[str, str], ram_in_use_mib: int | None) -> int | None:
        """The largest context that offloads nothing more; None if no context does."""
        open_options = {**options, "ctx-size": "0", "fit": "on", "fit-ctx": "4096"}
        if ram_in_use_mib is not None:
            open_options["fit-target"] = str(CPU_MARGIN_MIB + ram_in_use_mib)
        answer = self._run(open_options)
        fitted = parse_fitted(first_line(answer.output)) if answer.code == 0 else {}
        if "override-tensor" in fitted or fitted.get("n-gpu-layers", "-1").isdigit():
            return None
        return int(fitted.get("ctx-size", "0")) or None

    def _run(self, options: Mapping[str, str]) -> Answer:
        cards = ["--gpus", "all", "--env", "CUDA_DEVICE_ORDER=PCI_BUS_ID"] if self.with_cards else []
        folder, target = self.settings.models_dir.resolve(), flags.CONTAINER_MODELS_DIR
        mount = docker_fields("type=bind", f"source={folder}", f"target={target}", "readonly")
        argv = [
            *("docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL"),
            *("--pull", "never", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108  inside the container
            *("--user", self.settings.container_user),
            *("--security-opt", "no-new-privileges", "--env", "HOME=/tmp"),
            *("--mount", mount, "--entrypoint", "llama-fit-params"),
            *cards,
            self.settings.image,
            *(token for name, value in options.items() for token in _tokens(name, value)),
        ]
        return ask(argv, timeout_seconds=TIMEOUT_SECONDS)


def _options(profile: Profile, fit_target: str) -> dict[str, str]:
    """The profile's own flags, and our fit target where it has none."""
    own = flags.options(profile, flags.CONTAINER_MODELS_DIR)
    known = {name: value if isinstance(value, str) else "" for name, value in own if name in FLAGS}
    return {**({"fit-target": fit_target} if fit_target else {}), **known}


def _merged(given: Mapping[str, str], fitted: Mapping[str, str]) -> dict[str, str]:
    merged = {**given, **fitted}
    if merged.get("n-gpu-layers") == "-1":
        merged["n-gpu-layers"] = "all"
    return merged


def _tokens(name: str, value: str) -> Sequence[str]:
    return (f"--{name}", value) if value else (f"--{name}",)


def _unavailable(answer: Answer) -> FitUnavailable:
    if cause := first_match(answer.errors):
        return FitUnavailable(cause.sentence, hint=cause.hint)
    lines = [line for line in answer.errors.splitlines() if " E " in line or "rror" in line]
    said = lines[-1] if lines else first_line(answer.errors)
    return FitUnavailable(f"llama-fit-params gave no answer: {answer.problem or said}")

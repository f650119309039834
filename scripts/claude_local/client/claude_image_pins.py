"""The pins of the image with Claude Code (`--sandbox container`). Change pins only here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Shown by `docker image inspect`; the wrapper reads the version from it.
VERSION_LABEL = "claude-local.claude"

# Debian packages: those that the confinement needs, then common tools for building and testing projects.
NEEDED_PACKAGES = ("bash", "ca-certificates", "coreutils", "socat", "tzdata", "util-linux")
TOOL_PACKAGES = (
    "build-essential", "cmake", "curl", "diffutils", "file", "gawk", "git", "jq", "less", "nano", "patch",
    "pkg-config", "procps", "python-is-python3", "python3", "python3-pip", "python3-venv", "ripgrep", "tree",
    "unzip", "vim-tiny", "xz-utils", "zip",
)  # fmt: skip


@dataclass(frozen=True)
class ClientImagePins:
    """The base image and the version of Claude Code."""

    base: str
    """Debian 13 or newer with Node.js and npm: setpriv must support `--seccomp-filter` (util-linux 2.40)."""
    claude: str
    """The version of Claude Code."""
    integrity: dict[str, str]
    """By npm's name of the processor: the checksum of the package with the program."""


# 2026-11-21: the version that the tests use (tests/claude_code/package-lock.json, written by npm).
PINS = ClientImagePins(
    base="node:22-trixie-slim@sha256:7b8a0c89c54499bee567618f96578e1a12a800f062fbdbfd1fb6a443fa6f6284",
    claude="2.1.329",
    integrity={
        "arm64": "sha512-IiG5umFToSCVWqB1lEsxxwIxKgxPXyZ3DRU915v8J4Bz5Q3JpslM0ew1m5yaT+lFXBPvYxmsEgi0XI68XHND0A==",
        "x64": "sha512-+n4lu1ubYAp02Y0X/MAUnxw9yY6SHHZ77F+IoW+V0wVoFuiI9opdH6gofjf14gXJCEYMTNpks7Gn1i8XZTKAWA==",
    },
)


def package(pins: ClientImagePins) -> dict[str, Any]:
    """package.json: only the program for the processor of the build machine."""
    names = {f"@anthropic-ai/claude-code-linux-{cpu}": pins.claude for cpu in pins.integrity}
    return {"name": "claude-local-client", "version": "0.0.0", "private": True, "optionalDependencies": names}


def package_lock(pins: ClientImagePins) -> dict[str, Any]:
    """package-lock.json as npm writes it, without download addresses: npm uses its configured registry."""
    root = package(pins)
    del root["private"]
    locked = {
        f"node_modules/@anthropic-ai/claude-code-linux-{cpu}": {
            "version": pins.claude,
            "integrity": integrity,
            "cpu": [cpu],
            "libc": ["glibc"],
            "optional": True,
            "os": ["linux"],
        }
        for cpu, integrity in pins.integrity.items()
    }
    head = {"name": root["name"], "version": root["version"], "lockfileVersion": 3, "requires": True}
    return {**head, "packages": {"": root, **locked}}

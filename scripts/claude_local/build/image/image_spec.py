"""The requested image, and from it the tag, the build arguments and the exact command. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from claude_local.build.image import image_pins
from claude_local.build.image.image_pins import SourcePin
from claude_local.foundation.errors import UserError

COMMIT_CHARACTERS_IN_TAG = 12
HASH_CHARACTERS_IN_TAG = 8

# Compute capabilities whose newest instructions are available only with the suffix `a`.
ARCHITECTURE_SPECIFIC = {"9.0", "10.0", "10.3", "12.0", "12.1"}


@dataclass(frozen=True)
class ImageSpec:
    """Everything that determines the content of an image, and the number of build jobs."""

    variant: str
    pin: SourcePin
    build_base: str
    runtime_base: str
    architectures: str = ""
    """CMAKE_CUDA_ARCHITECTURES; empty without CUDA."""
    source: Path | None = None
    """A local checkout to build instead of the pinned commit."""
    source_revision: str = ""
    """Revision of that checkout; empty if git does not know it."""
    prebuilt: bool = False
    """Take llama-server from `runtime_base` instead of compiling it."""
    jobs: int = field(default=1, compare=False)

    @property
    def cmake_flags(self) -> tuple[str, ...]:
        if self.prebuilt:
            return ()
        cuda = (f"-DCMAKE_CUDA_ARCHITECTURES={self.architectures}",) if self.architectures else ()
        return (
            *image_pins.CMAKE_FLAGS,
            *image_pins.VARIANTS[self.variant].cmake_flags,
            *cuda,
            *self._version_flags(),
        )

    def _version_flags(self) -> tuple[str, ...]:
        """Upstream counts commits for the build number; a fetched commit has no history, so it is set here."""
        if self.source:
            return ()
        number = self.pin.build.removeprefix("b")
        return (f"-DLLAMA_BUILD_NUMBER={number}", f"-DLLAMA_BUILD_COMMIT={self.pin.commit[:9]}")

    @property
    def revision(self) -> str:
        """The source of `llama-server`, for the label and for people."""
        if self.prebuilt:
            return self.runtime_base
        return f"local {self.source_revision or self.source}" if self.source else self.pin.commit

    def build_args(self) -> dict[str, str]:
        """The arguments of the Dockerfile that affect the result."""
        own = image_pins.VARIANTS[self.variant]
        return {
            "BUILD_BASE": self.build_base,
            "RUNTIME_BASE": self.runtime_base,
            "SOURCE": "source-local" if self.source else "source-git",
            "RESULT": "prebuilt" if self.prebuilt else "compiled",
            "REPOSITORY": self.pin.repository,
            "COMMIT": self.pin.commit,
            "TREE": self.pin.tree or "",
            "REVISION": self.revision,
            "VARIANT": self.variant,
            "CUDA_ARCHITECTURES": self.architectures,
            "CMAKE_FLAGS": " ".join(self.cmake_flags),
            "BUILD_PACKAGES": " ".join((*image_pins.BUILD_PACKAGES, *own.build_packages)),
            "RUNTIME_PACKAGES": " ".join((*image_pins.RUNTIME_PACKAGES, *own.runtime_packages)),
        }


def image_spec(
    variant: str = "cuda",
    *,
    architectures: str = "",
    build_base: str = "",
    runtime_base: str = "",
    source: Path | None = None,
    prebuilt: bool = False,
    commit: str = "",
) -> ImageSpec:
    """The requested image; empty options take the pinned value. Raises UserError for invalid options."""
    own = image_pins.VARIANTS.get(variant)
    if own is None:
        raise UserError(f"no variant `{variant}`", hint=f"known variants: {', '.join(image_pins.VARIANTS)}")
    if source and (prebuilt or commit):
        raise UserError("--source cannot be used with --prebuilt or --to", hint="leave out one of them")
    if prebuilt and not (runtime_base or own.prebuilt):
        raise UserError(
            f"no official {variant} image is pinned",
            hint="name one: --runtime-base NAME@sha256:…; or leave out --prebuilt to compile it",
        )
    return ImageSpec(
        variant=variant,
        pin=_pin(commit),
        build_base=build_base or own.build_base,
        runtime_base=runtime_base or (own.prebuilt if prebuilt else None) or own.runtime_base,
        architectures=_architectures(variant, architectures, prebuilt=prebuilt),
        source=source,
        prebuilt=prebuilt,
    )


def _pin(commit: str) -> SourcePin:
    if commit in ("", image_pins.SOURCE.commit):
        return image_pins.SOURCE
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise UserError(
            f"`{commit}` is not a full commit id",
            hint="give all 40 characters (0-9, a-f): a shorter id can become ambiguous",
        )
    return dataclasses.replace(image_pins.SOURCE, commit=commit, build="b0", tree=None)


def _architectures(variant: str, given: str, *, prebuilt: bool) -> str:
    if variant != "cuda":
        return ""
    default = image_pins.PREBUILT_ARCHITECTURES if prebuilt else image_pins.DEFAULT_ARCHITECTURES
    chosen = given or default
    if not re.fullmatch(r"\d+[af]?(-real|-virtual)?(;\d+[af]?(-real|-virtual)?)*", chosen):
        raise UserError(
            f"`{chosen}` is not a list of CUDA architectures", hint='example: "89-real;120a-real"'
        )
    return chosen


def architectures_of(capabilities: Iterable[str]) -> str:
    """CMAKE_CUDA_ARCHITECTURES for cards of these compute capabilities ("8.9"); "" without cards."""
    numbers = {tuple(int(part) for part in one.split(".")) for one in capabilities}
    names = (f"{major}.{minor}" for major, minor in sorted(numbers))
    return ";".join(f"{name.replace('.', '')}{'a' * (name in ARCHITECTURE_SPECIFIC)}-real" for name in names)


def jobs_for(variant: str, *, cores: int, memory_bytes: int) -> int:
    """How many compilers can run in parallel within the memory; at least one."""
    return max(1, min(cores, memory_bytes // image_pins.VARIANTS[variant].bytes_per_job))


def tag_of(spec: ImageSpec, dockerfile: str, image: str) -> str:
    """The name of the image from this spec and this Dockerfile, in the repository of `image`.

    A different commit, flag, base or line of the Dockerfile gives a different name.
    """
    recipe = json.dumps([dockerfile, spec.build_args()], sort_keys=True)
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:HASH_CHARACTERS_IN_TAG]
    kind = "prebuilt" if spec.prebuilt else "local" if spec.source else spec.pin.commit
    return f"{repository_of(image)}:{kind[:COMMIT_CHARACTERS_IN_TAG]}-{digest}"


def repository_of(image: str) -> str:
    """An image name without its tag. Raises UserError for a name with a digest, which cannot be moved."""
    if "@" in image:
        raise UserError(
            f"the image `{image}` is named by its digest, so it cannot be replaced",
            hint="set CLAUDE_LOCAL_IMAGE to a name with a tag",
        )
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]


def build_argv(spec: ImageSpec, *, tag: str, build_dir: Path, rebuild: str = "") -> list[str]:
    """The exact command. The context is the local checkout; otherwise build/, from which nothing is copied.

    A new value of `rebuild` runs every step again. Docker's --no-cache would also drop the compiler's cache.
    """
    args = {**spec.build_args(), "JOBS": str(spec.jobs), **({"REBUILD": rebuild} if rebuild else {})}
    return [
        *("docker", "build", "--progress", "plain"),
        *("--tag", tag),
        *("--file", str(build_dir / "Dockerfile")),
        *(token for name, value in args.items() for token in ("--build-arg", f"{name}={value}")),
        str(spec.source or build_dir),
    ]

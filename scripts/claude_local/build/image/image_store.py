"""The images on this machine, and the one that `CLAUDE_LOCAL_IMAGE` points to.

Two names are pointers: the image itself, and the same with `-previous` for rollback. There is no other
record. This module runs the `docker` program, which also builds the images.
"""

from __future__ import annotations

import json
from typing import Any

from claude_local.build.image import build_failures
from claude_local.build.image.image_spec import repository_of
from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.machine.processes import run


def image_id(name: str) -> str | None:
    """The id of an image on this machine; None if there is no image with this name."""
    if name == repository_of(name):
        name += ":latest"  # Docker's default tag; without it, the filter would match every tag
    argv = ["docker", "image", "ls", "--no-trunc", "--quiet", "--filter", f"reference={name}"]
    found = _docker(argv, "Docker could not list its images")
    return next(iter(found.split()), None)


def labels(name: str) -> dict[str, str]:
    """The labels of an image."""
    text = _docker(["docker", "image", "inspect", name], f"no image `{name}`")
    config: dict[str, Any] = json.loads(text)[0]["Config"]
    return dict(config.get("Labels") or {})


def describe(name: str) -> str:
    """The source of an image, for people."""
    found = labels(name)
    return found.get("org.opencontainers.image.revision") or "an image without our labels"


def previous_of(image: str) -> str:
    """The name that points to the previous image."""
    tag = image.removeprefix(repository_of(image)).removeprefix(":") or "latest"
    return f"{repository_of(image)}:{tag}-previous"


def point_to(image: str, tag: str) -> bool:
    """Makes `image` point to `tag` and keeps the old image as previous. False if it already pointed there."""
    old, new = image_id(image), image_id(tag)
    if new is None:
        raise EngineFailed(f"there is no image `{tag}`")
    if old == new:
        return False
    if old:
        _tag(old, previous_of(image))
    _tag(new, image)
    return True


def swap_with_previous(image: str) -> None:
    """Swaps `image` and its previous image. Raises UserError if there is no previous image."""
    now, before = image_id(image), image_id(previous_of(image))
    if before is None or before == now:
        raise UserError(
            f"`{image}` has no previous image",
            hint="there is one only after an image was replaced; to build another: invoke upgrade-image",
        )
    _tag(before, image)
    if now:
        _tag(now, previous_of(image))


def _tag(source: str, name: str) -> None:
    _docker(["docker", "tag", source, name], f"could not name an image `{name}`")


def _docker(argv: list[str], failure: str) -> str:
    try:
        return run(argv, failure=failure)
    except EngineFailed as error:
        if cause := build_failures.explain(error.details):
            raise EngineFailed(f"{failure}: {cause.sentence}", hint=cause.hint) from None
        raise

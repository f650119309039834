"""The images on this machine: what is there, and which one `CLAUDE_LOCAL_IMAGE` means.

Two names are pointers: the image itself, and the same with `-previous`, to go back to. There is no other
record. The `docker` program is asked, as it also builds.
"""

from __future__ import annotations

import json
from typing import Any

from claude_local.build.image import build_failures
from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.build.image.image_spec import repository_of
from claude_local.machine.processes import run


def image_id(name: str) -> str | None:
    """The id of an image of this machine; None if there is none of this name."""
    if name == repository_of(name):
        name += ":latest"  # what Docker means by it; as a filter it would mean every tag
    argv = ["docker", "image", "ls", "--no-trunc", "--quiet", "--filter", f"reference={name}"]
    found = _docker(argv, "Docker does not tell which images there are")
    return next(iter(found.split()), None)


def labels(name: str) -> dict[str, str]:
    """The labels of an image."""
    text = _docker(["docker", "image", "inspect", name], f"no image `{name}`")
    config: dict[str, Any] = json.loads(text)[0]["Config"]
    return dict(config.get("Labels") or {})


def describe(name: str) -> str:
    """What an image is made of, for people."""
    found = labels(name)
    return found.get("org.opencontainers.image.revision") or "an image without our labels"


def previous_of(image: str) -> str:
    """The name under which the image before the present one is kept."""
    tag = image.removeprefix(repository_of(image)).removeprefix(":") or "latest"
    return f"{repository_of(image)}:{tag}-previous"


def point_to(image: str, tag: str) -> bool:
    """Makes `image` mean what `tag` is; what it meant before is kept. False if it meant that already."""
    old, new = image_id(image), image_id(tag)
    if new is None:
        raise EngineFailed(f"the image `{tag}` is not there")
    if old == new:
        return False
    if old:
        _tag(old, previous_of(image))
    _tag(new, image)
    return True


def swap_with_previous(image: str) -> None:
    """Makes `image` mean what it meant before, and the other way round. Raises UserError if nothing was."""
    now, before = image_id(image), image_id(previous_of(image))
    if before is None or before == now:
        raise UserError(
            f"there is no image before `{image}`", hint="one is kept by invoke build-image and upgrade-image"
        )
    _tag(before, image)
    if now:
        _tag(now, previous_of(image))


def _tag(source: str, name: str) -> None:
    _docker(["docker", "tag", source, name], f"`{name}` could not be set")


def _docker(argv: list[str], failure: str) -> str:
    try:
        return run(argv, failure=failure)
    except EngineFailed as error:
        if cause := build_failures.explain(error.details):
            raise EngineFailed(f"{failure}: {cause.sentence}", hint=cause.hint) from None
        raise

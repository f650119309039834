"""Tasks about the llama-server image: build, upgrade, roll back."""

from __future__ import annotations

from invoke import Context

from claude_local.cli.task import read_settings, rendered, verb

IMAGE_OPTIONS = {
    "source": "folder of a llama.cpp checkout to build instead of the pinned commit",
    "variant": "cuda, vulkan or cpu",
    "prebuilt": "take the official image, pinned by digest, instead of compiling",
    "architectures": 'CUDA architectures, for instance "89-real;120a-real"; default: those of your cards',
    "jobs": "compilers at once; default: as many as fit into the memory",
    "build_base": "image to compile in",
    "runtime_base": "base image of the result",
    "force": "rebuild an image that exists",
    "dry_run": "print the command and do nothing",
}


@verb(help=dict(IMAGE_OPTIONS))
def build_image(
    c: Context,
    variant: str = "cuda",
    source: str = "",
    prebuilt: bool = False,
    architectures: str = "",
    jobs: int = 0,
    build_base: str = "",
    runtime_base: str = "",
    force: bool = False,
    dry_run: bool = False,
) -> None:
    """Build the llama-server image for your cards from pinned source."""
    from claude_local.build.image import image
    from claude_local.cli import image_console

    spec = image.wanted(
        variant,
        source=source,
        prebuilt=prebuilt,
        architectures=architectures,
        jobs=jobs,
        build_base=build_base,
        runtime_base=runtime_base,
    )
    image_console.build_and_use(rendered()[0], spec, force=force, dry_run=dry_run)


@verb(help={"to": "full id of a llama.cpp commit; default: the pinned one", **IMAGE_OPTIONS})
def upgrade_image(
    c: Context,
    to: str = "",
    variant: str = "cuda",
    source: str = "",
    prebuilt: bool = False,
    architectures: str = "",
    jobs: int = 0,
    build_base: str = "",
    runtime_base: str = "",
    force: bool = False,
    dry_run: bool = False,
) -> None:
    """Build a new image beside the old one, try it, and use it only if all is well."""
    from claude_local.build.image import image
    from claude_local.cli import image_console

    spec = image.wanted(
        variant,
        commit=to,
        source=source,
        prebuilt=prebuilt,
        architectures=architectures,
        jobs=jobs,
        build_base=build_base,
        runtime_base=runtime_base,
    )
    image_console.upgrade_to(*rendered(), spec, force=force, dry_run=dry_run)


@verb()
def rollback_image(c: Context) -> None:
    """Swap the current image and the previous one."""
    from claude_local.build.image import image

    print(image.rollback(read_settings()))

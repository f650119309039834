"""Tests a new image beside the current one; the new image replaces it only if every check passes."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from claude_local.build import build_folder
from claude_local.build.image import build_failures, image_store
from claude_local.checks.upgrade_checks import (
    Check,
    checks,
    probe_profile,
    recorded_tool_sets,
    write_probe_model,
)
from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.lifecycle import up_down
from claude_local.lifecycle.request import Request
from claude_local.machine import ports
from claude_local.machine.files import private_directory
from claude_local.machine.processes import run
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import UPGRADE
from claude_local.profiles.profile import Profile
from claude_local.server.engines.docker import DockerEngine
from claude_local.server.flag_help import missing_flags
from claude_local.server.llama_http import LlamaHttp, server_of_clients

OnCheck = Callable[[Check], object]
"""Called with each result as soon as it is known."""


def try_image(
    settings: Settings,
    profiles: Mapping[str, Profile],
    tag: str,
    on_check: OnCheck,
    tool_sets: Mapping[str, list[dict[str, Any]]] | None = None,
) -> list[Check]:
    """Runs every check on the image and returns the results in order. A running server is not touched."""
    results = []
    for check in _all_checks(
        settings, profiles, tag, recorded_tool_sets() if tool_sets is None else tool_sets
    ):
        results.append(check)
        on_check(check)
    return results


def accept(settings: Settings, tag: str, results: list[Check]) -> str:
    """Makes the new image the current one and returns a message about it.

    Raises EngineFailed if a check failed; the current image is then unchanged.
    """
    failed = [check.name for check in results if not check.passed]
    if failed:
        raise EngineFailed(
            f"{len(failed)} of {len(results)} checks failed; {settings.image} is unchanged",
            details="\n".join(failed),
            hint=f"the new image is kept as {tag}; to remove it: docker image rm {tag}",
        )
    if not image_store.point_to(settings.image, tag):
        return f"{settings.image} is already {tag}; all checks passed"
    return f"{settings.image} is now {tag}; to undo: invoke rollback-image"


def _all_checks(
    settings: Settings,
    profiles: Mapping[str, Profile],
    tag: str,
    tool_sets: Mapping[str, list[dict[str, Any]]],
) -> Iterator[Check]:
    try:
        yield from _flag_checks(profiles, tag)
        with _served(settings, tag) as (http, build_name):
            yield Check("serves a model", True, f"llama-server {build_name}")
            yield from checks(http, tool_sets)
    except UserError as error:
        cause = build_failures.explain(f"{error.message}\n{error.details}")
        yield Check("serves a model", False, cause.sentence if cause else error.message)


def _flag_checks(profiles: Mapping[str, Profile], tag: str) -> Iterator[Check]:
    argv = ["docker", "run", "--rm", "--network=none", "--entrypoint=llama-server", tag, "--help"]
    try:
        text = run(argv, failure="llama-server --help failed")
    except EngineFailed as error:
        yield Check("flags", False, error.message)
        return
    missing = missing_flags(text, profiles)
    for name, flags in missing.items():
        yield Check(f"flags of {name}", False, f"not in this llama-server: {', '.join(flags)}")
    if not missing:
        yield Check("flags", True, f"this llama-server has all flags of {len(profiles)} profiles")


@contextlib.contextmanager
def _served(settings: Settings, tag: str) -> Iterator[tuple[LlamaHttp, str]]:
    """Runs a server of that image with the probe model, in a separate Compose project, on a free port."""
    private_directory(settings.state_dir)
    with tempfile.TemporaryDirectory(prefix=UPGRADE.prefix, dir=settings.state_dir) as folder:
        own, probe = _beside(settings, tag, Path(folder)), probe_profile()
        write_probe_model(own.models_dir / probe.model.file)
        own.models_dir.chmod(0o755)  # the container reads it as another user
        profiles = {probe.name: probe}
        build_folder.refresh(own, profiles)
        engine = DockerEngine(own)
        try:
            up_down.up(own, engine, Request(probe, profiles))
            yield server_of_clients(own), engine.snapshot().build or "of unknown build"
        finally:
            engine.stop()


def _beside(settings: Settings, tag: str, folder: Path) -> Settings:
    port = ports.free_port()
    return dataclasses.replace(
        settings,
        image=tag,
        llama_port=port,
        compose_project=f"claude-local-upgrade-{port}",
        build_dir=folder / "build",
        state_dir=folder / "state",
        models_dir=folder / "models",
        engine="docker",
        external_url="",
        external_key_file=None,
    )

"""llama-server in Docker, in router mode: one container that loads one model at a time, by name.

Compose creates the container (through build/bin/llama-up); the Docker SDK is only used to read; the router's
API only loads and unloads models.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from claude_local.foundation.errors import EngineFailed, EngineUnavailable, StateNotWritten
from claude_local.foundation.snapshot import STOPPED, Snapshot, State
from claude_local.machine import links
from claude_local.machine.files import write_atomic
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import Profile
from claude_local.server import flags
from claude_local.server.engines import compose_scripts, docker_client
from claude_local.server.engines.container_state import how_it_ended, seconds_since, state_of
from claude_local.server.failure_reasons import reason_in
from claude_local.server.llama_http import own_server
from claude_local.server.router import Model, Router, active_model, running_model

ALIAS_ATTEMPTS = 3
REASON_LINES = 200


class DockerEngine:
    """The router container of this checkout's Compose project."""

    name = "docker"
    is_ours = True
    plans_from_file = False
    sees_all_files = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def describe(self) -> str:
        return f"llama-server in Docker, on {self._devices()}, image {self.settings.image}"

    def why_unavailable(self) -> EngineUnavailable | None:
        return docker_client.why_unavailable()

    def why_silent(self) -> str | None:
        return None if docker_client.answers() else "Docker Engine does not answer"

    def check(self, profile: Profile) -> None:
        if not docker_client.has_image(self.settings.image):
            raise EngineUnavailable(
                f"the image `{self.settings.image}` does not exist",
                hint="build it: invoke build-image; or run without it: --engine embedded",
            )
        self._check_links(profile)

    def _check_links(self, profile: Profile) -> None:
        """Raises UserError if a file cannot be seen in the container, which has only the models folder."""
        for file in (shard.file for part in profile.model.files for shard in part.shards()):
            links.check_inside(self.settings.models_dir, file)

    def is_running(self) -> bool:
        try:
            return self._find_container() is not None
        except EngineUnavailable:
            return bool(self._router_models())

    def is_busy(self) -> bool:
        router = self._router()
        return router.is_locked() and router.is_busy()

    def release(self) -> None:
        router = self._router()
        if router.is_locked():
            router.unload_all()

    def activate(self, profile: Profile) -> None:
        """Moves `local-llama` to `profile` and loads it.

        An alias cannot move while its old or new model is loaded. So unload, then read presets with only the new
        section: the router forgets the other models and their aliases, and `local-llama` always means one of the
        two. Repeat if a request loads the new model by its name meanwhile. The other models come back while the
        new one loads, because the router reads the header of each. Without a router, the container is (re)started.
        """
        router = self._router()
        if not self._router_models():
            return compose_scripts.start(self.settings, profile.name)
        for _ in range(ALIAS_ATTEMPTS):
            router.unload_all()
            self._write_presets(profile, alone=True)
            router.read_presets_again()
            if active_model(router.models()).get("id") == profile.name:
                router.load(profile.name)
                return self._bring_back_others(router, profile)
        raise EngineFailed(
            f"llama-server did not make `{profile.name}` the active model",
            hint="a client may keep requesting another profile by name instead of `local-llama`: "
            "end that client and try again",
        )

    def _bring_back_others(self, router: Router, active: Profile) -> None:
        """Ignores failures: the loading model does not need the others, and the next switch repeats this."""
        with contextlib.suppress(StateNotWritten, EngineFailed):
            self._write_presets(active, alone=False)
            router.read_presets_again()

    def stop(self) -> None:
        compose_scripts.stop(self.settings)

    def settle(self) -> None:
        compose_scripts.settle(self.settings)

    def pulse(self) -> Snapshot:
        """The state by the router's list; Docker gives the reason for an empty list or a failed model.

        The router may keep running while Docker Engine does not.
        """
        if models := self._router_models():
            return self._by_router(models)
        container = self._container()
        if container is None:
            return STOPPED
        match state_of(container):
            case "running":
                return self._without_models()
            case "starting":
                return Snapshot(state="starting", engine=self.name, base_url=self.settings.base_url)
            case "gone":
                return STOPPED
        return Snapshot(
            state="failed", engine=self.name, reason=self._reason(container, how_it_ended(container))
        )

    def snapshot(self) -> Snapshot:
        now = self.pulse()
        facts: dict[str, Any] = {}
        if now.loaded_profile and now.state != "loading":
            facts = self._router().facts(now.loaded_profile)
        if now.base_url and (container := self._container()) and container.status == "running":
            facts["uptime_seconds"] = seconds_since(container.attrs["State"]["StartedAt"])
            facts["server_process_id"] = container.attrs["State"].get("Pid") or None
        return dataclasses.replace(now, **facts)

    def log_lines(self, *, tail: int, follow: bool) -> Iterator[str]:
        container = self._container()
        if container is None:
            return
        if not follow:
            yield from docker_client.last_lines(container, tail)
            return
        rest = b""
        for piece in docker_client.following_pieces(container, tail):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line.decode(errors="replace").rstrip("\r") for line in lines)

    def _without_models(self) -> Snapshot:
        if self._router().refuses_our_key():
            reason = f"the server refuses the key in {self.settings.api_key_file}"
            return Snapshot(state="failed", engine=self.name, reason=reason)
        return self._by_router([])

    def _by_router(self, models: list[Model]) -> Snapshot:
        active = active_model(models)
        status = active.get("status", {})
        now = _state(models, status)
        return Snapshot(
            state=now,
            engine=self.name,
            profile=active.get("id"),
            model_file=_after(status.get("args", []), "--model"),
            base_url=self.settings.base_url,
            loaded_profile=running_model(models),
            load_fraction=(status.get("progress") or {}).get("value"),
            reason=self._reason(self._container(), "the model's process ended") if now == "failed" else None,
        )

    def _reason(self, container: Any | None, otherwise: str) -> str:
        if container is None:
            return otherwise
        return reason_in(docker_client.last_lines(container, REASON_LINES), otherwise)

    def _write_presets(self, active: Profile, *, alone: bool) -> None:
        rendered = (self.settings.build_dir / "presets.ini").read_text(encoding="utf-8")
        target = self.settings.runtime_dir / "presets.ini"
        try:
            write_atomic(target, flags.activate(rendered, active.name, alone=alone).encode())
        except OSError as error:
            raise StateNotWritten(f"{target} cannot be written: {error.strerror}") from None

    def _router_models(self) -> list[Model]:
        """The router's list; empty if nothing answers. A server that accepts requests without a key is not ours."""
        router = self._router()
        return [model for model in router.models() if "status" in model] if router.is_locked() else []

    def _router(self) -> Router:
        return Router(own_server(self.settings))

    def _devices(self) -> str:
        with docker_client.connected() as client:
            has_nvidia = "nvidia" in client.info().get("Runtimes", {})
        return "the NVIDIA cards" if has_nvidia else "the CPU (Docker has no NVIDIA runtime)"

    def _container(self) -> Any | None:
        try:
            return self._find_container()
        except EngineUnavailable:
            return None

    def _find_container(self) -> Any | None:
        """Our container, running or not. Raises EngineUnavailable if Docker does not answer."""
        labels = [
            f"com.docker.compose.project={self.settings.compose_project}",
            "com.docker.compose.service=llama",
        ]
        with docker_client.connected() as client:
            found = client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        return found[0] if found else None


def _state(models: list[Model], status: dict[str, Any]) -> State:
    if not models:
        return "starting"
    if status.get("failed") and not running_model(models):
        return "failed"  # otherwise it was killed to make room (flags.STOP_TIMEOUT_SECONDS)
    states: dict[str, State] = {"loaded": "ready", "sleeping": "ready", "loading": "loading"}
    return states.get(status.get("value", ""), "unloaded")


def _after(argv: list[str], flag: str) -> str | None:
    return Path(argv[argv.index(flag) + 1]).name if flag in argv else None

"""The answers of the management API. `routes` lists the calls, `guard` decides which requests may pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import bottle

from claude_local import __version__
from claude_local.foundation import errors
from claude_local.foundation.plain_text import harmless
from claude_local.foundation.snapshot import ModelEntry, ModelList, Snapshot
from claude_local.lifecycle import journal
from claude_local.machine.settings import Settings
from claude_local.management import answers, web_files
from claude_local.management.guard import why_not
from claude_local.management.metrics_text import metrics_text
from claude_local.management.openapi import openapi
from claude_local.management.operations import Job, Operations
from claude_local.management.routes import ROUTES, Body, LogsQuery, Route, StartBody, SwitchBody
from claude_local.management.supervisor import Supervisor
from claude_local.models import file_check
from claude_local.models.fit import plan
from claude_local.models.fit.loads import is_fitted
from claude_local.models.fit.verdicts import Hardware
from claude_local.profiles.profile import Profile
from claude_local.server.engines import registry

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Handlers:
    """The answers. Methods are named in `routes.ROUTES`."""

    def __init__(
        self, settings: Settings, operations: Operations, supervisor: Supervisor, token: str | None
    ) -> None:
        self.settings = settings
        self.operations = operations
        self.supervisor = supervisor
        self.token = token

    def app(self) -> WsgiApp:
        """The whole API as a WSGI application, behind its guard."""
        app = bottle.Bottle()
        for route in ROUTES:
            app.route(route.path, route.method, self._answerer(route))
        for path, file in web_files.files().items():
            app.route(path, "GET", lambda file=file: answers.response(file.content, file.media_type))
        app.default_error_handler = answers.http_error
        return self._guarded(app)

    def health(self) -> dict[str, Any]:
        return {"status": "ok"}

    def models(self) -> dict[str, Any]:
        now, hardware = self.supervisor.watcher.status(), plan.hardware_now()
        profiles = self.operations.profiles().values()
        return asdict(ModelList(tuple(self._model(profile, now, hardware) for profile in profiles)))

    def status(self) -> bytes:
        return self.supervisor.watcher.status_json()

    def metrics(self) -> str:
        watched = self.supervisor
        counts = {"restarts_total": watched.automation.restarts, "listeners": len(watched.publisher.events)}
        return metrics_text(watched.watcher.status(), counts)

    def logs(self, query: LogsQuery) -> dict[str, Any]:
        engine = registry.with_log(self.settings)
        lines = engine.log_lines(tail=query.tail, follow=False)
        return {"engine": engine.name, "lines": [harmless(line) for line in lines]}

    def events(self) -> Iterable[bytes]:
        subscriber = self.supervisor.listen()
        if subscriber is None:
            raise errors.EngineUnavailable("too many listeners", hint="close a dashboard or a page")
        return iter(subscriber)

    def openapi(self) -> dict[str, Any]:
        return openapi(__version__, self.settings.management_port or 0)

    def switch(self, body: SwitchBody) -> dict[str, Any]:
        job = self.operations.switch(body.request(self.operations.profiles()))
        return self._outcome(job, body.wait, done="switched", unchanged="already active")

    def start(self, body: StartBody) -> dict[str, Any]:
        request = body.request(self.operations.profiles(), lambda: journal.served_last(self.settings))
        job = self.operations.start(request)
        return self._outcome(job, body.wait, done="started", unchanged="already active")

    def stop(self, _: Body) -> dict[str, Any]:
        names = self.operations.stop()
        self.supervisor.watcher.look_again()
        return {"outcome": "stopped" if names else "nothing was running", "engines": names}

    def _outcome(self, job: Job, wait: bool, *, done: str, unchanged: str) -> dict[str, Any]:
        """The outcome of a job as the body of the answer, with 202 while it is running."""
        try:
            if not job.wait(until_done=wait):
                bottle.response.status = 202
                return {"outcome": "accepted", "follow": ["/status", "/events"]}
        finally:
            self.supervisor.watcher.look_again()
        status = self.supervisor.watcher.status().to_dict()
        return {"outcome": done if job.has_begun else unchanged, "status": status}

    def _model(self, profile: Profile, now: Snapshot, hardware: Hardware) -> ModelEntry:
        verdict = plan.verdict(self.settings, profile, hardware=hardware, quick=True, is_loaded=True)
        return ModelEntry(
            name=profile.name,
            aliases=tuple(profile.aliases),
            title=profile.title,
            description=profile.description,
            file=profile.model.file,
            size_bytes=file_check.model_size_bytes(self.settings, profile),
            on_disk=(self.settings.models_dir / profile.model.file).is_file(),
            context_tokens=profile.server.ctx_size
            or (None if is_fitted(profile) else verdict.context_tokens),
            tested_on=profile.tested_on,
            verdict=verdict.text,
            active=profile.name == now.profile,
            loaded=profile.name == now.loaded_profile,
        )

    def _guarded(self, app: WsgiApp) -> WsgiApp:
        known: dict[tuple[str, str], Route] = {(route.method, route.path): route for route in ROUTES}
        port = self.settings.management_port or 0

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            head = answers.head(environ)
            route = known.get((head.method, environ["PATH_INFO"]))
            token = self.token if route and route.private else None
            refusal = why_not(head, port=port, token=token, is_known=route is not None)
            if refusal:
                response = answers.refused(refusal)
                start_response(response.status_line, response.headerlist)
                return [response.body] if head.method != "HEAD" else []
            return app(environ, start_response)

        return answer

    def _answerer(self, route: Route) -> Callable[[], Any]:
        method = getattr(self, route.name)

        def answer() -> Any:
            try:
                return answers.response(method(*answers.arguments(route)), route.media_type)
            except errors.UserError as error:
                return answers.refused(answers.refusal(error), error)

        return answer

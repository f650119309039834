"""The current state: the only module that fills a Snapshot, for the commands, the API and the dashboard."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping

from claude_local.foundation.snapshot import STOPPED, Snapshot, Work
from claude_local.lifecycle import journal, lock
from claude_local.lifecycle.transaction import Journal
from claude_local.machine.gpus import GpuReader
from claude_local.machine.sensors import SystemReader
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import Profile
from claude_local.server import probe
from claude_local.server.engines import registry
from claude_local.server.engines.engine import Engine
from claude_local.server.llama_http import server_of_clients
from claude_local.server.log_reader import LogReader


class Readers:
    """The sources of a snapshot: the driver of the cards, the system's counters, the server's log.

    Keep them for repeated snapshots: shares of CPU time are measured between two snapshots.
    """

    def __init__(self, cards: GpuReader | None = None) -> None:
        self.cards = cards or GpuReader()
        self.system = SystemReader()
        self.log = LogReader()

    def close(self) -> None:
        """Closes the driver. The readers can be used again."""
        self.cards.close()


def snapshot(settings: Settings, readers: Readers | None = None) -> Snapshot:
    """The whole state. Without `readers` it has no shares of CPU time."""
    if readers is None:
        with contextlib.closing(Readers()) as once:
            return snapshot(settings, once)
    record = journal.read(settings)
    engine = _engine(settings, record)
    now = _seen(settings, record, engine, lambda engine: engine.snapshot())
    readers.log.read(engine)
    return dataclasses.replace(
        now,
        cards=readers.cards.read(),
        system=readers.system.read(now.server_process_id),
        turns=readers.log.turns,
    )


def pulse(settings: Settings) -> Snapshot:
    """The cheap part of it: state, loaded model, reason of a failure, running command.

    Never asks the model.
    """
    record = journal.read(settings)
    return _seen(settings, record, _engine(settings, record), lambda engine: engine.pulse())


def warnings_of(settings: Settings, now: Snapshot, profiles: Mapping[str, Profile]) -> list[str]:
    """The features of Claude Code that fail with the running model."""
    name = now.profile or ""
    is_tolerant = name in profiles and profiles[name].chat_template == "tolerant"
    return probe.warnings_of(server_of_clients(settings), name, is_tolerant=is_tolerant)


def _engine(settings: Settings, record: Journal) -> Engine | None:
    """The running engine, else the one that the journal names."""
    return registry.running(settings) or registry.named(settings, record.engine)


def _seen(
    settings: Settings, record: Journal, engine: Engine | None, see: Callable[[Engine], Snapshot]
) -> Snapshot:
    held = lock.holder(settings)
    now = see(engine) if engine else STOPPED
    if now == STOPPED and engine and record.serving and (reason := engine.why_silent()):
        now = Snapshot(state="failed", engine=engine.name, reason=reason)
    phase = record.attempt.phase if record.attempt else None
    key_file = settings.client_key_file
    return dataclasses.replace(
        now,
        work=Work(held.purpose, phase, held.since, held.process_id) if held else None,
        last_switch=record.last,
        api_key_file=str(key_file) if key_file else None,
        command=str(settings.build_dir / "bin" / "claude-local"),
    )

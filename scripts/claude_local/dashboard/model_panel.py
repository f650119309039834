"""The panel about the model: profile, state, slots, speed, reuse of prompts, switch. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.text import Text

from claude_local.dashboard.scene import Scene
from claude_local.foundation import figures
from claude_local.foundation.figures import number
from claude_local.foundation.snapshot import LastSwitch, SlotUse, Snapshot, Work

STATE_STYLES = {"ready": "green", "failed": "red", "stopped": "dim"}
PHASES = ("waiting", "stopping", "starting", "verifying")
LABEL_COLUMNS = 10
REASON_ROWS = 3


def state(now: Snapshot) -> Text:
    """A dot and the state, in the colour of the state."""
    return Text(f"● {now.state}", style=STATE_STYLES.get(now.state, "yellow"))


def model(scene: Scene, width: int, rows: int) -> list[Text]:
    """Everything about the model, the most important first, in at most `rows` rows."""
    lines = [line for label, line in _labelled(scene, width - LABEL_COLUMNS) for line in _with(label, line)]
    return lines[:rows]


def small_model(scene: Scene, width: int) -> list[Text]:
    """The most important facts in few rows: the switch or a failure, the context, the speed."""
    now = scene.now
    if now.work:
        return [timeline(now.work, now, scene.time), *_slots(now, width)]
    if now.reason:
        return _reason(now.reason, width)
    if now.state == "stopped":
        return [Text("no model is running. Press m to choose one.")]
    cache = Text("  ").join(filter(None, [_cache(now), _broken_prefix(now)]))
    return [*_slots(now, width), Text("  ").join([_speed(now), _queue(now)]), cache]


def timeline(work: Work, now: Snapshot, time: float) -> Text:
    """The progress of a switch: its phases, the current one marked, the time, how much is loaded."""
    line = Text(f"{work.purpose}: ")
    phases = PHASES if work.phase in PHASES else (work.phase,) if work.phase else ()
    reached = phases.index(work.phase) if work.phase in phases else -1
    for position, phase in enumerate(phases):
        style = "bold yellow" if position == reached else "dim" if position > reached else ""
        line.append(" ▸ " if position else "", style="dim")
        line.append(str(phase), style=style)
    line.append(f"  {figures.duration(max(0.0, time - work.since))}")
    if now.load_fraction is not None:
        line.append(f"  {figures.percent(now.load_fraction)} loaded")
    return line


def _labelled(scene: Scene, width: int) -> Iterator[tuple[str, Text | list[Text]]]:
    now = scene.now
    if now.work:
        yield "command", timeline(now.work, now, scene.time)
    if now.reason:
        yield "reason", _reason(now.reason, width)
    if now.state == "stopped" and not now.work:
        yield "", Text("no model is running. Press m to choose one.")
    if now.profile:
        yield "profile", _profile(now)
    if now.slot_uses or now.context_tokens_per_slot:
        yield "context", _slots(now, width)
    if now.state == "ready":
        yield "speed", _speed(now)
        yield "queue", _queue(now)
        yield "cache", _cache(now)
    if broken := _broken_prefix(now):
        yield "", [Text(row, style="yellow") for row in textwrap.wrap(broken.plain, max(10, width))[:2]]
    if any(value is not None for value in scene.history.generation_tokens_per_second):
        yield "tokens/s", _speed_line(scene, width)
    if now.last_switch:
        yield "switched" if now.last_switch.from_profile else "started", last_switch(now.last_switch)


def _with(label: str, lines: Text | list[Text]) -> list[Text]:
    """Lines with a label before the first one."""
    several = lines if isinstance(lines, list) else [lines]
    return [
        Text((label if position == 0 else "").ljust(LABEL_COLUMNS), style="bold").append_text(_plain(line))
        for position, line in enumerate(several)
    ]


def _plain(line: Text) -> Text:
    """The line with its base style as a span, so that a label before it keeps its own style."""
    framed = Text()
    framed.append_text(line)
    return framed


def _reason(reason: str, width: int) -> list[Text]:
    """The reason of a failure in up to three rows: the most important line after a failure."""
    return [Text(row, style="red") for row in textwrap.wrap(reason, max(10, width))[:REASON_ROWS]]


def _profile(now: Snapshot) -> Text:
    line = Text(now.profile or "")
    if now.uptime_seconds is not None:
        line.append(f"  up {figures.duration(now.uptime_seconds)}")
    if now.loaded_profile and now.loaded_profile != now.profile:
        line.append(f" (in memory: {now.loaded_profile})", style="yellow")
    elif now.model_file:
        line.append(f"  {now.model_file}", style="dim")
    return line


def _slots(now: Snapshot, width: int) -> list[Text]:
    """Used and total context of each slot."""
    if not now.slot_uses:
        room = now.context_tokens_per_slot
        return [Text(f"{room:,} tokens in {now.slots_in_words}")] if room else []
    return [_slot(position, slot, width) for position, slot in enumerate(now.slot_uses)]


def _slot(position: int, slot: SlotUse, width: int) -> Text:
    line = Text(f"slot {position} ", style="")
    fraction = slot.used_tokens / slot.context_tokens if slot.context_tokens else None
    style = "yellow" if (fraction or 0) > 0.9 else "blue"
    line.append(figures.bar(fraction, max(4, min(40, width - 33))), style=style)
    line.append(f" {slot.used_tokens:,} of {slot.context_tokens:,}")
    line.append(" ● busy" if slot.busy else "", style="green")
    return line


def _speed(now: Snapshot) -> Text:
    """The figures of the last turn, or the server's own average before the first turn."""
    last = now.turns[-1] if now.turns else None
    prompt = last.prompt_tokens_per_second if last else now.prompt_tokens_per_second
    answer = last.generation_tokens_per_second if last else now.generation_tokens_per_second
    return Text(f"prompt {number(prompt)}, answer {number(answer, digits=1)} tokens/s")


def _queue(now: Snapshot) -> Text:
    waiting = number(now.requests_waiting)
    line = Text(f"{number(now.slots_busy)} of {number(now.slots)} busy, {waiting} waiting")
    line.stylize("yellow" if now.requests_waiting else "")
    return line


def _cache(now: Snapshot) -> Text:
    """The reused shares of the last prompts, newest last; an exclamation mark for a low share."""
    if not now.turns:
        return Text(f"reused {figures.percent(now.cache_hit_fraction)}")
    line = Text("reused")
    for turn in now.turns[-6:]:
        share = turn.cached_tokens / turn.prompt_tokens if turn.prompt_tokens else None
        line.append(" ")
        line.append(figures.percent(share), style="yellow" if turn.reason else "green")
        line.append("!" if turn.reason else "", style="yellow")
    return line


def _broken_prefix(now: Snapshot) -> Text | None:
    """The newest turn that has a reason for reading its prompt again, with that reason."""
    for turn in reversed(now.turns):
        if turn.reason:
            share = figures.percent(turn.cached_tokens / turn.prompt_tokens)
            return Text(f"! {share} of {turn.prompt_tokens:,}: {turn.reason}", style="yellow")
    return None


def _speed_line(scene: Scene, width: int) -> Text:
    values = scene.history.generation_tokens_per_second
    top = max((value for value in values if value is not None), default=0.0)
    return Text(figures.sparkline(values, max(0, width - 2), top=top), style="cyan")


def last_switch(last: LastSwitch) -> Text:
    """How the last switch ended."""
    way = f"{last.from_profile} → {last.to_profile}" if last.from_profile else last.to_profile
    line = Text(f"{way} in {last.seconds:.1f} s: ")
    line.append(last.outcome_in_words, style="green" if last.outcome == "switched" else "red")
    line.append(f" ({last.reason})" if last.reason else "")
    return line

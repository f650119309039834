"""The content of tests/screens/: the dashboard as text in many states and sizes, drawn from fixed snapshots.

Update it with `python tests/support/dashboard_screens.py`, then review `git diff tests/screens`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from claude_local.dashboard.ansi import AnsiWriter  # noqa: E402  the path comes first
from claude_local.dashboard.log_view import LogView  # noqa: E402
from claude_local.dashboard.panel_layout import frame  # noqa: E402
from claude_local.dashboard.scene import History, LogTail, Scene  # noqa: E402
from claude_local.dashboard.view_state import View  # noqa: E402
from claude_local.foundation.plain_text import harmless  # noqa: E402
from claude_local.foundation.samples import GpuReading, SystemSample  # noqa: E402
from claude_local.foundation.snapshot import STOPPED, LastSwitch, ModelEntry, SlotUse, Snapshot, Work  # noqa: E402
from claude_local.machine.gpus import GpuReader  # noqa: E402
from claude_local.server.prompt_reuse import TurnReader  # noqa: E402
from support.nvml_replay import NvmlReplay  # noqa: E402

SCREENS = ROOT / "tests" / "screens"
LOG_LINES = (ROOT / "tests" / "data" / "turns.log").read_text().splitlines()
NOW = 1_800_000_000.0
SIZES = ((60, 20), (80, 24), (120, 40), (200, 60))


def gpus(name: str) -> GpuReading:
    """The cards of a recorded machine."""
    return GpuReader(NvmlReplay(name)).read()


def _turns() -> TurnReader:
    reader = TurnReader()
    for line in LOG_LINES:
        reader.feed(line)
    return reader


READY = Snapshot(
    state="ready",
    engine="docker",
    profile="qwen3.8-27b",
    model_file="Qwen3.8-27B-UD-Q4_K_XL.gguf",
    base_url="http://127.0.0.1:8080",
    build="b11669",
    loaded_profile="qwen3.8-27b",
    context_tokens_per_slot=131072,
    slots=1,
    slots_busy=1,
    slot_uses=(SlotUse(131072, 34120, busy=True),),
    requests_waiting=2,
    cache_hit_fraction=0.94,
    uptime_seconds=8000,
    last_switch=LastSwitch("demo", "qwen3.8-27b", 12.34, "switched", ended_at=NOW - 8000),
    turns=_turns().turns,
    cards=gpus("rtx-4090-and-rtx-5070-ti"),
    system=SystemSample(37.2, 2.31, 20 * 2**30, 64 * 2**30, 0, 8 * 2**30, 143.0, 5 * 2**30),
)
LOADING = replace(
    READY,
    state="loading",
    profile="glm-4.7-flash-q4",
    loaded_profile="glm-4.7-flash-q4",
    slots=None,
    slots_busy=None,
    slot_uses=(),
    context_tokens_per_slot=None,
    load_fraction=0.62,
    turns=(),
    last_switch=None,
    work=Work("switch glm-4.7-flash-q4", "verifying", since=NOW - 9.5, process_id=4711),
)


def model(
    name: str,
    description: str,
    aliases: tuple[str, ...],
    size_bytes: int | None,
    context_tokens: int | None,
    on_disk: bool,
    verdict: str,
) -> ModelEntry:
    return ModelEntry(
        name=name,
        aliases=aliases,
        title=name,
        description=description,
        file=f"{name}.gguf",
        size_bytes=size_bytes,
        on_disk=on_disk,
        context_tokens=context_tokens,
        tested_on=None,
        verdict=verdict,
        active=False,
        loaded=False,
    )


MODELS = (
    model("demo", "Random weights, for trying.", (), 5_400_000, 131072, True, "fits"),
    model(
        "glm-4.7-flash-q4",
        "Quick, good with tools.",
        ("glm", "glm-flash-q4"),
        17_300_000_000,
        None,
        True,
        "fits",
    ),
    model("gpt-oss-120b", "Large.", ("gpt-oss",), 63_400_000_000, 131072, True, "offloads 12 GB to CPU"),
    model(
        "qwen3-next-80b",
        "Larger than this machine.",
        (),
        47_000_000_000,
        262144,
        False,
        "perhaps does not fit: about 59.5 GB, room for 58.2 GB",
    ),
    model("qwen3.8-27b", "Dense, careful.", ("qwen",), 17_000_000_000, 131072, True, "fits"),
)
HISTORY = History(
    {0: tuple(float(second * 7 % 101) for second in range(240)), 1: (None,) * 200 + (50.0,) * 20},
    tuple(float(second % 35) for second in range(240)),
)
SCENE = Scene(READY, LogTail(0, tuple(LOG_LINES)), MODELS, HISTORY, time=NOW)
HOSTILE_LOG = LogTail(
    1000,
    tuple(
        harmless(line)
        for line in (
            "\x1b[2J\x1b[31mcleared?\x1b[0m",
            "a\rb\x07c\x08d\x9b31me",
            "title \x1b]0;owned\x07 link \x1b]8;;x\x1b\\",
            "right to left \u202e and hidden \u200b\u200d",
            "tab\tand 漢字 and 👍",
            "half \ud83d of a pair",
            "x" * 5000,
            "[red]markup[/red] stays as it is",
        )
    ),
)


@dataclass(frozen=True)
class Drawing:
    """One state, in several sizes."""

    scene: Scene = SCENE
    view: View = field(default_factory=View)
    sizes: tuple[tuple[int, int], ...] = ((80, 24),)
    ascii_only: bool = False

    def text(self, columns: int, rows: int) -> str:
        """The screen without styles."""
        writer = AnsiWriter(colors=False, ascii_only=self.ascii_only)
        return "\n".join(writer.plain(frame(self.scene, self.view, columns, rows))) + "\n"


def _with(**changes: object) -> Scene:
    return replace(SCENE, now=replace(READY, **changes))  # type: ignore[arg-type]  # names of fields


SCROLLED = View(log=LogView(bottom=20, search="timing"))
DRAWINGS = {
    "serving": Drawing(sizes=(*SIZES, (30, 8), (12, 3), (1, 1))),
    "serving-ascii": Drawing(sizes=SIZES, ascii_only=True),
    "compact-by-choice": Drawing(view=View(layout="compact"), sizes=((120, 40),)),
    "full-by-choice": Drawing(view=View(layout="full"), sizes=((80, 24),)),
    "switching": Drawing(replace(SCENE, now=LOADING), sizes=SIZES),
    "failed": Drawing(
        _with(
            state="failed",
            reason="out of memory on GPU 0: no room for a buffer of 21.3 GB (19.8 GB were free before loading)",
            slot_uses=(),
            turns=(),
        ),
        sizes=SIZES,
    ),
    "stopped": Drawing(Scene(STOPPED, time=NOW), sizes=SIZES),
    "server-away": Drawing(
        replace(SCENE, trouble="trying again: the management API on 127.0.0.1:8081 does not answer"),
        sizes=((60, 20), (120, 40)),
    ),
    "no-gpu": Drawing(_with(cards=gpus("no-driver")), sizes=SIZES),
    "mig": Drawing(_with(cards=gpus("mig")), sizes=((80, 24), (120, 40))),
    "lost-card": Drawing(_with(cards=gpus("lost-card")), sizes=((60, 20), (120, 40))),
    "few-sensors": Drawing(_with(cards=gpus("few-sensors")), sizes=((80, 24), (120, 40))),
    "eight-cards": Drawing(
        _with(cards=GpuReading(gpus("rtx-4090-and-rtx-5070-ti").gpus * 4)),
        sizes=((60, 20), (80, 24), (120, 40)),
    ),
    "four-slots": Drawing(
        _with(slots=4, slot_uses=tuple(SlotUse(32768, 8192 * n, busy=n == 1) for n in range(4))),
        sizes=((80, 24), (120, 40)),
    ),
    "other-model-in-memory": Drawing(_with(loaded_profile="demo"), sizes=((120, 40),)),
    "went-back": Drawing(
        _with(
            last_switch=LastSwitch(
                "qwen3.8-27b", "demo", 3.2, "went back", NOW, "`demo` did not load: the file is damaged"
            )
        ),
        sizes=((120, 40),),
    ),
    "hostile-log": Drawing(replace(SCENE, log=HOSTILE_LOG), View(only_log=True), ((60, 20), (80, 24))),
    "log-only": Drawing(view=View(only_log=True), sizes=((80, 24),)),
    "log-scrolled": Drawing(view=SCROLLED),
    "log-filtered": Drawing(view=View(log=LogView(filter="release"))),
    "log-filter-typed": Drawing(view=View(entry="filter", typed="rel", log=LogView(filter="rel"))),
    "log-filter-without-hit": Drawing(view=View(log=LogView(filter="nothing like it"))),
    "log-shifted": Drawing(view=View(log=LogView(shift_columns=40))),
    "picker": Drawing(view=View(dialog="picker", picked=2), sizes=SIZES),
    "picker-not-downloaded": Drawing(
        view=View(dialog="picker", picked=3), sizes=((60, 20), (80, 24), (30, 8))
    ),
    "picker-narrowed": Drawing(view=View(dialog="picker", typed="glm", picked=0)),
    "picker-without-hit": Drawing(view=View(dialog="picker", typed="llama")),
    "picker-scrolled": Drawing(
        replace(SCENE, models=tuple(replace(MODELS[0], name=f"model-{n:02}") for n in range(40))),
        View(dialog="picker", picked=30),
    ),
    "help": Drawing(view=View(dialog="help"), sizes=SIZES),
    "asked-to-leave": Drawing(view=View(dialog="leave"), sizes=((60, 20),)),
    "asked-to-stop": Drawing(view=View(dialog="stop"), sizes=((60, 20),)),
    "refused": Drawing(
        replace(SCENE, notice="another command is running: `switch glm` (process 4711), for 3 s")
    ),
    "refused-with-a-hint": Drawing(
        replace(
            SCENE,
            notice="the model file of profile `glm-4.7-flash-q4` is missing: /home/me/claude-local/models/"
            "GLM-4.7-Flash-UD-Q4_K_XL.gguf\nhint: download it: invoke pull glm-4.7-flash-q4",
        ),
        sizes=((30, 8), (60, 20), (80, 24)),
    ),
}


def drawn() -> dict[str, str]:
    """Every screen, by file name."""
    return {
        f"{name}-{columns}x{rows}.txt": drawing.text(columns, rows)
        for name, drawing in DRAWINGS.items()
        for columns, rows in drawing.sizes
    }


def main() -> None:
    """Replaces tests/screens/ with the current drawings."""
    SCREENS.mkdir(exist_ok=True)
    for old in SCREENS.glob("*.txt"):
        old.unlink()
    for name, text in drawn().items():
        (SCREENS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""The panels about the machine: graphics cards, CPU and memory. Pure."""

from __future__ import annotations

from rich.text import Text

from claude_local.dashboard.scene import History, Scene
from claude_local.foundation import figures
from claude_local.foundation.figures import number
from claude_local.foundation.samples import GpuSample, SystemSample

HOT_CELSIUS = 85
FULL_FRACTION = 0.97
ROWS_PER_CARD = 3
ONE_ROW_COLUMNS = 96
NAME_PREFIXES = ("NVIDIA GeForce ", "NVIDIA ")


def gpus(scene: Scene, width: int, rows: int) -> list[Text]:
    """All cards, with three rows each if they fit, else one; without cards one line says why."""
    reading = scene.now.cards
    if reading is None or not reading.gpus:
        return [Text(no_gpus(scene), style="dim")]
    if rows >= ROWS_PER_CARD * len(reading.gpus):
        return [
            line
            for position, gpu in enumerate(reading.gpus)
            for line in _large_card(gpu, position, scene.history, width)
        ]
    lines = [_small_card(gpu, width) for gpu in reading.gpus]
    if len(lines) > rows:
        return [*lines[: rows - 1], Text(f"… {len(lines) - rows + 1} more", style="dim")]
    return lines


def no_gpus(scene: Scene) -> str:
    """One line on why no graphics card is shown."""
    if scene.now.cards is None:
        return "GPU: not measured yet"
    return f"GPU: {scene.now.cards.problem or 'none'}"


def has_gpus(scene: Scene) -> bool:
    """Whether there is any card to show."""
    return bool(scene.now.cards and scene.now.cards.gpus)


def system(scene: Scene, width: int) -> list[Text]:
    """CPU, memory and the server's share, three rows."""
    sample = scene.now.system or SystemSample()
    bar_width = max(6, min(24, width - 52))
    cpu = Text("CPU  ")
    cpu.append(_bar(_fraction(sample.cpu_percent, 100), bar_width))
    cpu.append(f" {number(sample.cpu_percent, '%'):>5}  load {number(sample.load_1_minute, digits=2)}")
    memory = Text("RAM  ")
    memory.append(_bar(_fraction(sample.memory_used_bytes, sample.memory_total_bytes), bar_width))
    memory.append(f" {_of(sample.memory_used_bytes, sample.memory_total_bytes)} GiB  {_swap(sample)}")
    return [cpu, memory, Text(f"server  {_server(sample)}")]


def small_system(scene: Scene, width: int) -> list[Text]:
    """CPU, memory and the server's share in one row, or two where the screen is narrow."""
    sample = scene.now.system or SystemSample()
    cpu = f"CPU {number(sample.cpu_percent, '%')} load {number(sample.load_1_minute, digits=2)}"
    memory = f"RAM {_of(sample.memory_used_bytes, sample.memory_total_bytes)} GiB"
    if width >= ONE_ROW_COLUMNS:
        return [Text("  ".join((cpu, memory, _swap(sample), f"server {_server(sample)}")))]
    return [Text(f"{cpu}  server {_server(sample)}"), Text(f"{memory}  {_swap(sample)}")]


def _large_card(gpu: GpuSample, position: int, history: History, width: int) -> list[Text]:
    title = Text(f"{gpu.index} ", style="dim")
    title.append(_name(gpu), style="bold")
    if gpu.problem:
        return [title, Text(f"  {gpu.problem}", style="red"), Text("")]
    title.append(f"  {number(gpu.utilization_percent, '%')}")
    title.append(f"  {number(gpu.temperature_celsius, ' °C')}", style=_heat(gpu))
    title.append(f"  {_power(gpu)}  {_clocks(gpu)}")
    memory = Text("  VRAM ")
    memory.append(_bar(_memory_fraction(gpu), max(6, min(40, width - 27))))
    memory.append(f" {_of(gpu.memory_used_bytes, gpu.memory_total_bytes)} GiB")
    past = history.gpu_utilization_percent.get(position, ())
    line = Text("  use  ")
    line.append(figures.sparkline(past, max(0, width - 9), top=100), style="cyan")
    return [title, memory, line]


def _small_card(gpu: GpuSample, width: int) -> Text:
    line = Text(f"{gpu.index} ", style="dim")
    name_width = 20 if width >= 78 else 11
    line.append(_short(_name(gpu), name_width).ljust(name_width), style="bold")
    if gpu.problem:
        line.append(f" {gpu.problem}", style="red")
        return line
    line.append(" ")
    line.append(_bar(_memory_fraction(gpu), max(4, min(20, width - name_width - 41))))
    line.append(f" {_of(gpu.memory_used_bytes, gpu.memory_total_bytes):>9} GiB")
    line.append(f" {number(gpu.utilization_percent, '%'):>4}")
    line.append(f" {number(gpu.temperature_celsius, '°'):>3}", style=_heat(gpu))
    line.append(f" {_power(gpu)}")
    return line


def _name(gpu: GpuSample) -> str:
    name = gpu.name or "unnamed card"
    for prefix in NAME_PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"


def _power(gpu: GpuSample) -> str:
    return f"{number(gpu.power_watts)}/{number(gpu.power_limit_watts)} W"


def _clocks(gpu: GpuSample) -> str:
    return f"{number(gpu.graphics_clock_mhz)}/{number(gpu.memory_clock_mhz)} MHz"


def _heat(gpu: GpuSample) -> str:
    return "red" if (gpu.temperature_celsius or 0) >= HOT_CELSIUS else ""


def _memory_fraction(gpu: GpuSample) -> float | None:
    return _fraction(gpu.memory_used_bytes, gpu.memory_total_bytes)


def _fraction(used: float | None, total: float | None) -> float | None:
    return None if used is None or not total else used / total


def _bar(fraction: float | None, width: int) -> Text:
    style = "yellow" if (fraction or 0) >= FULL_FRACTION else "green"
    return Text(figures.bar(fraction, width), style=style)


def _of(used_bytes: int | None, total_bytes: int | None) -> str:
    return f"{figures.gib(used_bytes)}/{figures.gib(total_bytes)}"


def _swap(sample: SystemSample) -> str:
    if sample.swap_total_bytes == 0:
        return "no swap"
    return f"swap {_of(sample.swap_used_bytes, sample.swap_total_bytes)} GiB"


def _server(sample: SystemSample) -> str:
    cpu = number(sample.container_cpu_percent, "%")
    return f"{cpu} of a core {figures.gib(sample.container_memory_bytes)} GiB"

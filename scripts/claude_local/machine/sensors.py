"""CPU and memory of the machine and of the server's processes."""

from __future__ import annotations

import time

import psutil

from claude_local.foundation.samples import SystemSample


class SystemReader:
    """Reads the machine repeatedly; CPU shares cover the time since the previous reading."""

    def __init__(self) -> None:
        self._cpu: tuple[float, float] | None = None
        self._server: tuple[int, float, float] | None = None

    def read(self, server_pid: int | None = None) -> SystemSample:
        """The machine now. `server_pid` is the root process of the server; its children are included."""
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        seconds, resident_bytes = _processes(server_pid) if server_pid else (None, None)
        return SystemSample(
            cpu_percent=self._cpu_percent(),
            load_1_minute=psutil.getloadavg()[0],
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
            swap_used_bytes=swap.used,
            swap_total_bytes=swap.total,
            container_cpu_percent=self._server_percent(server_pid, seconds),
            container_memory_bytes=resident_bytes,
        )

    def _cpu_percent(self) -> float | None:
        times = psutil.cpu_times()
        # Linux includes guest time in `user` as well.
        total = sum(times) - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0)
        idle = times.idle + getattr(times, "iowait", 0)
        before, self._cpu = self._cpu, (total, idle)
        if before is None or total <= before[0]:
            return None
        busy = 1 - (idle - before[1]) / (total - before[0])
        return round(100 * min(1.0, max(0.0, busy)), 1)

    def _server_percent(self, pid: int | None, cpu_seconds: float | None) -> float | None:
        if pid is None or cpu_seconds is None:
            self._server = None
            return None
        now = time.monotonic()
        before, self._server = self._server, (pid, now, cpu_seconds)
        if before is None or before[0] != pid or now <= before[1]:
            return None
        return round(max(0.0, 100 * (cpu_seconds - before[2]) / (now - before[1])), 1)


def _processes(pid: int) -> tuple[float | None, int | None]:
    """CPU seconds and resident bytes of a process with its children; None if it is gone or inaccessible."""
    try:
        first = psutil.Process(pid)
        family = [first, *first.children(recursive=True)]
    except psutil.Error:
        return None, None
    seconds, resident_bytes = 0.0, 0
    for process in family:
        try:
            times = process.cpu_times()
            resident_bytes += process.memory_info().rss
        except psutil.Error:
            continue  # ended meanwhile
        seconds += times.user + times.system
    return seconds, resident_bytes

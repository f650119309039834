"""Reads the graphics cards from NVIDIA's driver (NVML). The only importer of pynvml.

Nothing here raises: a missing driver, a missing sensor, MIG and a card that fell off the bus are all
results to show.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from claude_local.foundation.samples import GpuReading, GpuSample

NO_CARD_FOUND = "no NVIDIA card found"


class GpuReader:
    """Reads all GPUs repeatedly. Opens the driver's library at the first reading.

    `library` is pynvml, or its replacement in a test.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = library
        self._is_open = False
        self._seen: dict[int, GpuSample] = {}

    def read(self) -> GpuReading:
        """All GPUs now. If there are none, `problem` says why."""
        try:
            nvml = self._open()
            count: int = nvml.nvmlDeviceGetCount()
        except Exception as error:  # the driver may raise anything; the dashboard must keep running
            self.close()
            return GpuReading(problem=self._problem(error))
        gpus = tuple(gpu for index in range(count) for gpu in self._card(nvml, index))
        return GpuReading(
            gpus=gpus,
            driver_version=_ask(nvml, nvml.nvmlSystemGetDriverVersion),
            cuda_version=_cuda_version(_ask(nvml, nvml.nvmlSystemGetCudaDriverVersion)),
            problem=None if gpus else NO_CARD_FOUND,
        )

    def close(self) -> None:
        """Closes the driver's library; the next reading opens it again."""
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(self._library.NVMLError):
                self._library.nvmlShutdown()

    def _open(self) -> Any:
        if self._library is None:
            import pynvml

            self._library = pynvml
        if not self._is_open:
            self._library.nvmlInit()
            self._is_open = True
        return self._library

    def _card(self, nvml: Any, index: int) -> tuple[GpuSample, ...]:
        """One sample for the card, or one per MIG instance."""
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            card = _sample(nvml, handle, index)
            self._seen[index] = card
            if not _is_in_mig_mode(nvml, handle):
                return (card,)
            instances = tuple(_mig_instances(nvml, handle, card))
            return instances or (replace(card, problem="MIG is on, but there are no MIG instances"),)
        except Exception as error:  # show the other cards anyway
            known = self._seen.get(index, GpuSample(index))
            return (GpuSample(index, known.uuid, known.name, problem=self._problem(error)),)

    def _problem(self, error: Exception) -> str:
        nvml = self._library
        if nvml is None or not isinstance(error, nvml.NVMLError):
            return f"cannot query the NVIDIA driver: {error}"
        return {
            nvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver on this machine",
            nvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
            nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the NVIDIA driver was updated: restart the computer",
            nvml.NVML_ERROR_NO_PERMISSION: "no permission to query the NVIDIA driver",
            nvml.NVML_ERROR_GPU_IS_LOST: "fell off the bus: restart the computer",
            nvml.NVML_ERROR_RESET_REQUIRED: "needs a reset: restart the computer",
        }.get(error.value, f"NVIDIA driver: {error}")


def read_gpus(library: Any = None) -> GpuReading:
    """Reads all GPUs once and closes the driver."""
    reader = GpuReader(library)
    try:
        return reader.read()
    finally:
        reader.close()


def _sample(nvml: Any, handle: Any, index: int) -> GpuSample:
    """One card. A missing sensor is None; raises NVMLError if the card is gone."""

    def ask(function: Callable[..., Any], *arguments: Any) -> Any:
        return _ask(nvml, function, handle, *arguments)

    memory = ask(nvml.nvmlDeviceGetMemoryInfo)
    utilization = ask(nvml.nvmlDeviceGetUtilizationRates)
    capability = ask(nvml.nvmlDeviceGetCudaComputeCapability)
    display = ask(nvml.nvmlDeviceGetDisplayActive)
    return GpuSample(
        index=index,
        uuid=ask(nvml.nvmlDeviceGetUUID),
        name=ask(nvml.nvmlDeviceGetName),
        memory_used_bytes=memory and memory.used,
        memory_total_bytes=memory and memory.total,
        utilization_percent=utilization and utilization.gpu,
        power_watts=_thousandth(ask(nvml.nvmlDeviceGetPowerUsage)),
        power_limit_watts=_thousandth(ask(nvml.nvmlDeviceGetEnforcedPowerLimit)),
        temperature_celsius=ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
        graphics_clock_mhz=ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_GRAPHICS),
        memory_clock_mhz=ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM),
        compute_capability=".".join(map(str, capability)) if capability else None,
        # "Active" means that the card holds memory for a display, with or without a monitor.
        drives_display=None if display is None else bool(display),
    )


def _ask(nvml: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """The driver's answer, or None if this card or driver does not support the question."""
    try:
        return function(*arguments)
    except nvml.NVMLError as error:
        if error.value in (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED):
            raise
        return None


def _is_in_mig_mode(nvml: Any, handle: Any) -> bool:
    current_and_pending = _ask(nvml, nvml.nvmlDeviceGetMigMode, handle)
    return bool(current_and_pending) and current_and_pending[0] == nvml.NVML_DEVICE_MIG_ENABLE


def _mig_instances(nvml: Any, handle: Any, card: GpuSample) -> Iterator[GpuSample]:
    """One sample per instance: its own name and memory, the card's clocks.

    Power and temperature are the whole card's, so only its first instance has them: a sum stays true.
    """
    for position in range(_ask(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        instance = _ask(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, position)
        if instance is None:
            continue
        memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, instance)
        yield replace(
            card,
            uuid=_ask(nvml, nvml.nvmlDeviceGetUUID, instance),
            name=_ask(nvml, nvml.nvmlDeviceGetName, instance),
            memory_used_bytes=memory and memory.used,
            memory_total_bytes=memory and memory.total,
            utilization_percent=None,
        )
        card = replace(card, power_watts=None, power_limit_watts=None, temperature_celsius=None)


def _thousandth(value: int | None) -> float | None:
    return None if value is None else value / 1000


def _cuda_version(number: int | None) -> str | None:
    """`13.0` from NVML's 13000."""
    return None if number is None else f"{number // 1000}.{number % 1000 // 10}"

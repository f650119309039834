"""gpus: graphics cards from recorded NVML values of several machines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from claude_local.foundation.samples import GpuReading, GpuSample
from claude_local.machine.gpus import GpuReader, read_gpus
from support.nvml_replay import NvmlReplay

MIB = 2**20
RTX_4090 = GpuSample(
    index=0,
    uuid="GPU-5a1c2f60-0b3d-4e58-9c77-2f1f6c0d9a41",
    name="NVIDIA GeForce RTX 4090",
    memory_used_bytes=21_873 * MIB,
    memory_total_bytes=24_564 * MIB,
    utilization_percent=87,
    power_watts=312.456,
    power_limit_watts=450.0,
    temperature_celsius=61,
    graphics_clock_mhz=2745,
    memory_clock_mhz=10501,
    compute_capability="8.9",
    drives_display=False,
)
RTX_5070_TI = GpuSample(
    index=1,
    uuid="GPU-c20f8d17-6f0e-4a0b-8f6e-91d2a7b3e8c5",
    name="NVIDIA GeForce RTX 5070 Ti",
    memory_used_bytes=12_950 * MIB,
    memory_total_bytes=16_303 * MIB,
    utilization_percent=42,
    power_watts=145.21,
    power_limit_watts=300.0,
    temperature_celsius=55,
    graphics_clock_mhz=2820,
    memory_clock_mhz=13801,
    compute_capability="12.0",
    drives_display=True,
)


def read(name: str) -> GpuReading:
    return GpuReader(NvmlReplay(name)).read()


def test_two_different_cards_are_read_with_all_their_sensors() -> None:
    assert read("rtx-4090-and-rtx-5070-ti") == GpuReading(
        gpus=(RTX_4090, RTX_5070_TI), driver_version="580.95.05", cuda_version="13.0"
    )


def test_a_sensor_that_a_card_lacks_is_unknown() -> None:
    assert read("few-sensors").gpus == (
        GpuSample(index=0, uuid=RTX_5070_TI.uuid, name="NVIDIA GB10", compute_capability="12.1"),
    )


@pytest.mark.parametrize(
    ("recording", "problem"),
    [
        ("no-driver", "no NVIDIA driver on this machine"),
        ("driver-not-loaded", "the NVIDIA driver is not loaded"),
        ("driver-updated", "the NVIDIA driver was updated: restart the computer"),
    ],
)
def test_without_a_working_driver_one_line_says_why(recording: str, problem: str) -> None:
    assert read(recording) == GpuReading(problem=problem)


def test_a_driver_without_cards_says_so() -> None:
    reading = read("driver-without-cards")

    assert (reading.gpus, reading.problem) == ((), "no NVIDIA card found")


@pytest.mark.parametrize("recording", ["lost-card", "unreachable-card"])
def test_a_card_that_is_lost_from_the_beginning_leaves_the_other_one_readable(recording: str) -> None:
    assert read(recording).gpus == (
        RTX_4090,
        GpuSample(index=1, problem="fell off the bus: restart the computer"),
    )


def test_a_card_that_falls_off_the_bus_keeps_its_name() -> None:
    library = NvmlReplay("rtx-4090-and-rtx-5070-ti")
    reader = GpuReader(library)
    reader.read()

    library.cards[1] = NvmlReplay("lost-card").cards[1]

    assert reader.read().gpus[1] == GpuSample(
        index=1,
        uuid=RTX_5070_TI.uuid,
        name=RTX_5070_TI.name,
        problem="fell off the bus: restart the computer",
    )


def test_each_mig_instance_is_a_sample_with_its_own_memory() -> None:
    card = GpuSample(
        index=0,
        power_watts=61.23,
        power_limit_watts=400.0,
        temperature_celsius=34,
        graphics_clock_mhz=210,
        memory_clock_mhz=1215,
        compute_capability="8.0",
        drives_display=False,
    )

    assert read("mig").gpus == (
        replace(
            card,
            uuid="MIG-7a3dfb0d-46c2-5ad4-9e28-1c8d1f6a4b9e",
            name="NVIDIA A100-SXM4-40GB MIG 3g.20gb",
            memory_used_bytes=18_012 * MIB,
            memory_total_bytes=19_968 * MIB,
        ),
        replace(
            card,
            power_watts=None,  # the whole card's, as its temperature: reported once, so that a sum stays true
            power_limit_watts=None,
            temperature_celsius=None,
            uuid="MIG-1b0a4f55-8dd4-5a51-b5f4-60b4ddc5e2f7",
            name="NVIDIA A100-SXM4-40GB MIG 1g.5gb",
            memory_used_bytes=14 * MIB,
            memory_total_bytes=4_864 * MIB,
        ),
    )


def test_a_card_in_mig_mode_without_instances_says_so() -> None:
    (card,) = read("mig-without-instances").gpus

    assert card.problem == "MIG is on, but there are no MIG instances"


def test_a_driver_that_comes_later_is_found_by_the_next_reading() -> None:
    library = NvmlReplay("no-driver")
    reader = GpuReader(library)
    assert reader.read().gpus == ()

    arrived = NvmlReplay("rtx-4090-and-rtx-5070-ti")
    library.answers, library.cards = arrived.answers, arrived.cards

    assert reader.read().gpus == (RTX_4090, RTX_5070_TI)


def test_an_unexpected_error_becomes_a_line_too() -> None:
    class Broken(NvmlReplay):
        def nvmlDeviceGetCount(self) -> int:  # noqa: N802
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)

    assert GpuReader(Broken("mig")).read() == GpuReading(problem="NVIDIA driver: Unknown Error")


def test_many_readings_open_the_library_once_and_close_shuts_it_down() -> None:
    library = NvmlReplay("mig")
    reader = GpuReader(library)
    for _ in range(3):
        reader.read()
    assert library.opened == 1

    reader.close()

    assert library.opened == 0


@pytest.mark.parametrize("recording", ["rtx-4090-and-rtx-5070-ti", "driver-without-cards"])
def test_a_single_reading_closes_the_library(recording: str) -> None:
    library = NvmlReplay(recording)

    assert read_gpus(library) == read(recording)
    assert library.opened == 0


if Path("/dev/nvidiactl").exists():

    @pytest.mark.gpu
    def test_the_real_library_reads_the_cards_of_this_machine() -> None:
        reading = GpuReader().read()

        assert reading.problem is None
        for gpu in reading.gpus:
            assert gpu.uuid and gpu.name and gpu.compute_capability, gpu
            assert 0 <= (gpu.memory_used_bytes or 0) <= (gpu.memory_total_bytes or 0), gpu

else:

    def test_the_real_library_on_a_machine_without_cards_reports_a_missing_driver() -> None:
        assert GpuReader().read() == GpuReading(problem="no NVIDIA driver on this machine")

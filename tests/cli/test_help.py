"""`--help` behind a task shows its help, also where the task wants a value first."""

from __future__ import annotations

import pytest

from support.machine import Machine


@pytest.mark.parametrize("asks", ["--help", "-h"])
@pytest.mark.parametrize("task", ["pull", "switch", "add-profile", "up"])
def test_every_task_has_a_help(machine: Machine, task: str, asks: str) -> None:
    shown = machine.invoke_ok(task, asks)

    assert "Docstring:" in shown and "Options:" in shown
    assert f" {task} " in shown.splitlines()[0]

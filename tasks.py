"""What you can ask for: `invoke --list`. The tasks stand in scripts/claude_local/cli/, by subject."""

from __future__ import annotations

import sys
from pathlib import Path

from invoke import Collection

sys.path.insert(0, str(Path(__file__).resolve().parent / "scripts"))

from claude_local.cli import client_tasks, file_tasks, image_tasks, model_tasks, profile_tasks, project_tasks
from claude_local.cli.task import tasks_of

namespace = Collection(
    *tasks_of(model_tasks, profile_tasks, file_tasks, client_tasks, image_tasks, project_tasks)
)
namespace.configure({"run": {"echo": False}})

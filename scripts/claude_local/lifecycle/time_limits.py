"""How long a start or a switch waits, and how often it looks. Loading itself has no limit: large files take minutes."""

from __future__ import annotations

IDLE_LIMIT_SECONDS = 120.0
"""How long a switch waits for running replies by default, in the API and in commands."""

SILENCE_LIMIT_SECONDS = 120.0
"""How long an engine may report neither success nor failure."""

UNLOADED_LIMIT_SECONDS = 5.0
"""How long a model that should load may be absent from memory."""

FOLLOW_LIMIT_SECONDS = 0.1
"""How long following `/model` waits for a model that is answering again. The next look decides anew."""

FIRST_POLL_SECONDS = 0.01
POLL_SECONDS = 0.15

"""Every entry of the state folder, by name, and what `uninstall --purge` does with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StateEntry:
    """One file or folder in the state folder."""

    name: str
    """May contain a `*` as a wildcard."""
    holds: str
    is_folder: bool = False
    kept_because: str = ""
    """Why a purge keeps it; "" if a purge removes it."""

    def below(self, state_dir: Path) -> Path:
        """Its path in a state folder."""
        return state_dir / self.name

    def all_below(self, state_dir: Path) -> list[Path]:
        """The existing paths of this entry and of its kind (file or folder), links included."""
        found = sorted(state_dir.glob(self.name)) if "*" in self.name else [self.below(state_dir)]
        return [path for path in found if (path.is_dir() if self.is_folder else path.is_file())]

    @property
    def prefix(self) -> str:
        """The fixed beginning of its names."""
        return self.name.partition("*")[0]


LLAMA = StateEntry(
    "llama", "what llama-server's container reads: presets, chat templates, API key", is_folder=True
)
EMBEDDED = StateEntry("embedded", "the embedded engine's process and log", is_folder=True)
SESSIONS = StateEntry(
    "sessions", "records of confined sessions; that of an interrupted session is kept", is_folder=True
)
MANAGEMENT = StateEntry("management", "the management API's process and log", is_folder=True)
UPGRADE = StateEntry("upgrade-*", "an image under test when `upgrade-image` was killed", is_folder=True)
LOCK = StateEntry("lock", "the command that is starting, stopping or switching now")
JOURNAL = StateEntry("journal.json", "the wanted model, and the last switch")
SPEEDS = StateEntry("speeds.json", "the measured speed of each model on this machine")
CHECKSUMS = StateEntry("checksums.json", "checksums of model files")
CHECKSUMS_LOCK = StateEntry("checksums.lock", "held while checksums.json is written")
BUILD_LOG = StateEntry("build-image.log", "the output of the last `build-image`")
MANIFEST = StateEntry("install.json", "what `install-claude-local` wrote")
HALF_WRITTEN = StateEntry(".*.tmp", "temporary files of a command that was killed while writing")
QUARANTINE = StateEntry(
    "quarantine",
    "files from sessions that other programs would execute or obey",
    is_folder=True,
    kept_because="these files are from your projects; put them back (claude-local quarantine), or delete them yourself",
)
PRIVATE_CLIENT = StateEntry(
    "claude-local",
    "Claude Code's folder, if the state folder is `.state/` in the checkout",
    is_folder=True,
    kept_because="CLAUDE_LOCAL_CLIENT_DIR names another folder; delete this one yourself",
)

ENTRIES = (
    *(LLAMA, EMBEDDED, SESSIONS, MANAGEMENT, UPGRADE),
    *(LOCK, JOURNAL, SPEEDS, CHECKSUMS, CHECKSUMS_LOCK, BUILD_LOG, MANIFEST, HALF_WRITTEN),
    *(QUARANTINE, PRIVATE_CLIENT),
)
"""In the order of removal by a purge."""

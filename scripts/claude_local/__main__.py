"""What our own long-running processes are started as: `python -m claude_local serve CHECKOUT STATE_DIR`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from claude_local.foundation.errors import UserError
from claude_local.machine.setting_descriptor import PREFIX
from claude_local.machine.settings import load_settings


def main() -> None:
    """Runs the server named by the first argument, with the settings of the environment."""
    match sys.argv[1:]:
        case ["serve", root, state_dir]:
            _serve(Path(root), state_dir)
        case _:
            sys.exit("usage: python -m claude_local serve CHECKOUT STATE_DIR")


def _serve(root: Path, state_dir: str) -> None:
    from claude_local.management import server_process

    environment = {**os.environ, PREFIX + "STATE_DIR": state_dir}
    try:
        server_process.serve(load_settings(environment, root, user_id=os.getuid(), group_id=os.getgid()))
    except UserError as error:
        sys.exit(error.describe())


if __name__ == "__main__":
    main()

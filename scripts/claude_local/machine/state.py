"""State that outlives a command: the state folder and the API key. None of it is in build/."""

from __future__ import annotations

import secrets

from claude_local.foundation.errors import UserError
from claude_local.machine.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.machine.settings import Settings

KEY_BYTES = 32
KEY_HINT = "correct the file, or CLAUDE_LOCAL_EXTERNAL_KEY_FILE; unset it if the server needs no key"


def prepare(settings: Settings) -> None:
    """Creates the state folders (0700) and the API key (0600) if they are missing."""
    private_directory(settings.state_dir)
    private_directory(settings.runtime_dir)
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    key_file = settings.api_key_file
    # An empty key would silently disable llama-server's authentication.
    if not key_file.is_file() or not key_file.read_text().strip():
        write_atomic(key_file, secrets.token_hex(KEY_BYTES).encode(), mode=PRIVATE_FILE)
    key_file.chmod(PRIVATE_FILE)


def api_key(settings: Settings) -> str:
    """The key of this machine's llama-server, or "" before the first start."""
    try:
        return settings.api_key_file.read_text().strip()
    except FileNotFoundError:
        return ""


def client_key(settings: Settings) -> str:
    """The key that clients send: ours, or that of an external server; "local" if that needs no key.

    Our key is never sent to an external server. Raises UserError for a key file that is unreadable or has no key.
    """
    if not settings.is_external:
        return api_key(settings)
    file = settings.external_key_file
    if file is None:
        return "local"
    try:
        key = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"the key file {file} cannot be read: {why}", hint=KEY_HINT) from None
    if not (key.isascii() and key.isprintable() and key):
        raise UserError(f"the key file {file} does not hold one line with a key", hint=KEY_HINT)
    return key

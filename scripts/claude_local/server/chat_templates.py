"""Makes the chat templates of profiles with `chat_template: tolerant`.

Claude Code puts system messages into the middle of a conversation. The templates of several models then raise
"System message must be at the beginning", and every request fails. A tolerant template is the model's own
template after a few lines that move such messages into the user's turn.
"""

from __future__ import annotations

from pathlib import Path

from claude_local.foundation.errors import UserError
from claude_local.foundation.gguf_header import read_header
from claude_local.machine.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import Profile
from claude_local.server.flags import chat_template_file

PRELUDE = Path("_chat") / "later_system_messages.jinja"


def prepare(settings: Settings, profile: Profile) -> None:
    """Writes the tolerant template of a profile that uses one, unless the existing file is up to date.

    Raises UserError if the model file has no chat template.
    """
    if profile.chat_template == "own":
        return
    target = Path(chat_template_file(profile, str(settings.runtime_dir)))
    model = settings.models_dir / profile.model.file
    seen = model.stat()
    origin = f"{{#- with tools, from {model.name}, {seen.st_size} bytes, {seen.st_mtime_ns} -#}}\n"
    if target.is_file() and target.read_text(encoding="utf-8").startswith(origin):
        return
    private_directory(target.parent)
    text = origin + prelude(settings) + read_chat_template(model, profile.name)
    write_atomic(target, text.encode(), mode=PRIVATE_FILE)


def prelude(settings: Settings) -> str:
    """The lines that make the template after them tolerant."""
    return (settings.templates_dir / PRELUDE).read_text(encoding="utf-8").rstrip("\n")


def read_chat_template(model: Path, name: str) -> str:
    """The template that llama-server uses for requests with tools, from the GGUF file of profile `name`.

    Raises UserError if it has none.
    """
    template = read_header(model).tool_template
    if template is None:
        raise UserError(
            f"the model of profile `{name}` has no chat template of its own",
            hint=f"remove `chat_template: tolerant` from profiles/{name}.yaml",
        )
    return template

"""Makes the chat templates of profiles with `chat_template: tolerant`.

Claude Code puts system messages into the middle of a conversation, and after Esc it sends the result of a tool and a
question in one turn. The templates of several models refuse that, and every later request fails. A tolerant
template is the model's own template after a few lines that give it turns that it takes (templates/_chat). Which
lines it needs is found out by rendering it (`template_check.py`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from claude_local.foundation.errors import UserError
from claude_local.foundation.gguf_header import read_header
from claude_local.machine.files import PRIVATE_FILE, private_directory, write_atomic
from claude_local.machine.settings import Settings
from claude_local.profiles.profile import Profile
from claude_local.server.flags import chat_template_file
from claude_local.server.template_check import CHOICES, check, prelude


def prepare(settings: Settings, profile: Profile) -> None:
    """Writes the tolerant template of a profile that uses one, unless the existing file is up to date.

    Raises UserError if the model file has no chat template.
    """
    if profile.chat_template == "own":
        return
    target = Path(chat_template_file(profile, str(settings.runtime_dir)))
    model = settings.models_dir / profile.model.file
    lines = hashlib.sha256("".join(prelude(settings, parts) for parts in CHOICES).encode()).hexdigest()[:8]
    size, time_ns = model.stat().st_size, model.stat().st_mtime_ns
    origin = f"{{#- with tools, from {model.name}, {size} bytes, {time_ns}, and {lines} -#}}\n"
    if target.is_file() and target.read_text(encoding="utf-8").startswith(origin):
        return
    private_directory(target.parent)
    own = read_chat_template(model, profile.name)
    text = origin + prelude(settings, check(settings, own).parts) + own
    write_atomic(target, text.encode(), mode=PRIVATE_FILE)


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

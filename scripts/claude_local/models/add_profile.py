"""Writes a commented profile for a model from its file and its hub, after the user has confirmed it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from claude_local.foundation import figures
from claude_local.foundation.errors import UserError
from claude_local.foundation.gguf_header import SHARD, GgufHeader
from claude_local.machine.files import write_atomic
from claude_local.machine.settings import Settings
from claude_local.models.profile_sources import Source, find_source
from claude_local.profiles.edit import text_diff, value_text
from claude_local.profiles.load import DEFAULTS_FILE, find_profile, load_profiles
from claude_local.profiles.profile import Profile
from claude_local.server.template_check import Verdict, check

USUAL_CONTEXT = 131072
GOOD_CONTEXT = 65536
MAX_NAME = 63


@dataclass(frozen=True)
class Proposal:
    """A profile before it is written."""

    name: str
    file: Path
    text: str

    @property
    def diff(self) -> str:
        return text_diff("", self.text, self.file)


def propose(settings: Settings, profiles: Mapping[str, Profile], source: str, name: str | None) -> Proposal:
    """The profile for `source`, checked like any profile. Writes nothing; only headers are read from a hub."""
    found = find_source(settings, source)
    chosen = name or _name(str(found.model["file"]))
    taken = {known for profile in profiles.values() for known in (profile.name, *profile.aliases)}
    if chosen in taken:
        other = find_profile(profiles, chosen).name
        raise UserError(
            f"`{chosen}` is already a name of profile `{other}`", hint="choose another name: --name NAME"
        )
    verdict = check(settings, found.header.chat_template)
    text = profile_text(source, chosen, found, verdict)
    _check(settings, chosen, text)
    return Proposal(chosen, settings.profiles_dir / f"{chosen}.yaml", text)


def write(proposal: Proposal) -> None:
    """Writes the profile. Raises UserError if the file exists by now."""
    if proposal.file.exists() or proposal.file.is_symlink():
        raise UserError(f"{proposal.file} already exists", hint="choose another name: --name NAME")
    write_atomic(proposal.file, proposal.text.encode())


def profile_text(origin: str, name: str, source: Source, verdict: Verdict) -> str:
    """The YAML of a profile, with comments on the source of each value."""
    return "\n".join(_lines(origin, name, source, verdict)) + "\n"


def _lines(origin: str, name: str, source: Source, verdict: Verdict) -> Iterator[str]:
    header = source.header
    yield from _comment(f"Written by `invoke add-profile {origin}`. This profile has not been run yet.")
    yield "#"
    yield from _comment(f"Model: {_facts(header)}.")
    yield from _comment(
        f"Sampling: {source.sampling_from or 'not specified; the defaults of llama-server apply'}."
    )
    yield from _comment(f"Chat template, tried with Claude Code's messages: {verdict.reason.rstrip('.')}.")
    yield from _comment(f"Will it fit here: `invoke plan --model {name}`.")
    yield f"title: {value_text(_title(source))}"
    yield f"description: {value_text(_description(source))}   # add what it is good for"
    yield ""
    if verdict.wants == "tolerant":
        yield from ("chat_template: tolerant", "")
    yield "model:"
    yield from (f"  {key}: {value_text(value)}" for key, value in source.model.items())
    if source.projector:
        yield "  # To let it see images:"
        yield "  # mmproj:"
        yield f"  #   file: {value_text('mmproj-' + _stem(str(source.model['file'])) + '.gguf')}"
        yield f"  #   hub_file: {value_text(source.projector)}"
    yield from _server_lines(source)


def _server_lines(source: Source) -> Iterator[str]:
    can = source.header.context_length
    lines = [f"  {name}: {value_text(value)}" for name, value in source.sampling.items()]
    if can:
        note = f"the model can take {can}" if can > USUAL_CONTEXT else "the maximum of the model"
        small = "; Claude Code needs 65536 to work well" if can < GOOD_CONTEXT else ""
        lines.insert(0, f"  ctx_size: {min(can, USUAL_CONTEXT)}   # {note}{small}")
    if lines:
        yield from ("", "server:", *lines)


def _facts(header: GgufHeader) -> str:
    experts = (
        f"{header.expert_count} experts, {header.expert_used_count} active" if header.expert_count else ""
    )
    heads = header.head_count_kv if isinstance(header.head_count_kv, int) else None
    cache = f"{heads} KV heads of {header.key_length}" if heads and header.key_length else ""
    window = f"sliding window of {header.sliding_window}" if header.sliding_window else ""
    layers = f"{header.n_layers} layers" if header.n_layers else ""
    return ", ".join(filter(None, (header.architecture, header.file_type, layers, experts, cache, window)))


def _title(source: Source) -> str:
    name = source.header.name or _stem(str(source.model["file"]))
    return f"{name} ({_quant(source)})"[:100]


def _quant(source: Source) -> str:
    """The quantisation in the file name, which is more specific than the header (UD-Q4_K_XL)."""
    found = re.search(
        r"(?:UD-)?(?:I?Q\d\w*|MXFP4\w*|NVFP4|BF16|F16|F32)$", _stem(str(source.model["file"])), re.I
    )
    return found[0] if found else source.header.file_type


def _description(source: Source) -> str:
    kind = "MoE" if source.header.expert_count else "Dense"
    size = figures.size(source.size_bytes)
    return f"{kind} model ({source.header.architecture}), {size} file."


def _stem(file: str) -> str:
    return SHARD.sub("", file.rsplit("/", 1)[-1]).removesuffix(".gguf")


def _name(file: str) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", _stem(file).lower()).strip("-._")[:MAX_NAME]
    return name or "model"


def _comment(text: str) -> Iterator[str]:
    """One line of comment; no text from an untrusted file can end it."""
    yield "# " + "".join(c if c.isprintable() else " " for c in text)[:300]


def _check(settings: Settings, name: str, text: str) -> None:
    """Raises ProfileError if the text is not a valid profile: names in a model file can be arbitrary."""
    with tempfile.TemporaryDirectory() as folder:
        defaults = settings.profiles_dir / DEFAULTS_FILE
        shutil.copy(defaults, folder)
        (Path(folder) / f"{name}.yaml").write_text(text, encoding="utf-8")
        load_profiles(Path(folder))

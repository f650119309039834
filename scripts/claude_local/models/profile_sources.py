"""The sources of a new profile's facts: a local GGUF file, or one in a hub repository."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_local.foundation import figures
from claude_local.foundation.errors import HubFailed, UserError
from claude_local.foundation.gguf_header import SHARD, GgufHeader, header_of, read_model, shard_names
from claude_local.machine.settings import Settings
from claude_local.models import hub, remote_parts

PREFERRED = ("Q4_K_M", "UD-Q4_K_XL", "Q4_K_XL", "MXFP4", "Q4_0", "Q8_0")
SMALL_FILE_BYTES = 64 * 1024
REMOTE_SOURCE = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?::(?P<choice>[^:]+))?")

# The name of a value in a card or file, and in llama-server.
GGUF_SAMPLING = {name: name for name in ("temp", "top_k", "top_p", "min_p")} | {
    "penalty_repeat": "repeat_penalty"
}
CARD_SAMPLING = {name: name for name in ("top_k", "top_p", "min_p", "presence_penalty")} | {
    "temperature": "temp",
    "repetition_penalty": "repeat_penalty",
}
LIMITS = {
    "temp": 5.0,
    "top_k": 1000,
    "top_p": 1.0,
    "min_p": 1.0,
    "repeat_penalty": 3.0,
    "presence_penalty": 3.0,
}


@dataclass(frozen=True)
class Source:
    """A model that a profile can be written for."""

    header: GgufHeader
    model: Mapping[str, str | int | list[str]]
    """Values for the profile's `model` section."""
    size_bytes: int
    sampling: Mapping[str, float]
    sampling_from: str
    """Source of the sampling values; "" if there are none."""
    projector: str | None = None
    """Path of an image projector in the same repository."""


def find_source(settings: Settings, source: str) -> Source:
    """The model that `source` names: a path, or `owner/name`, `owner/name:QUANT`, `owner/name:FILE`."""
    path = Path(source).expanduser()
    if path.is_file() or source.startswith(("/", "./", "../", "~")):
        return _local(settings, path.absolute())
    found = REMOTE_SOURCE.fullmatch(source)
    if not found:
        raise UserError(
            f"`{source}` is neither a file nor a repository",
            hint="for instance: owner/name:Q4_K_M, or models/some.gguf",
        )
    return _remote(found["repo"], found["choice"] or "")


def _local(settings: Settings, path: Path) -> Source:
    header = read_model(path)
    inside = _within(settings.models_dir, path)
    if inside is None:
        raise UserError(
            f"{path} is not in {settings.models_dir}, the only folder that llama-server reads",
            hint=f"move it there, or set CLAUDE_LOCAL_MODELS_DIR={path.parent}",
        )
    sampling, said_by = _file_sampling(header)
    model: dict[str, str | int | list[str]] = {"file": str(inside)}
    return Source(header, model, header.file_bytes, sampling, said_by)


def _within(folder: Path, path: Path) -> Path | None:
    """The path relative to the folder, also if links lead to one of them; None if it lies elsewhere."""
    for one, other in ((path, folder), (path.parent.resolve() / path.name, folder.resolve())):
        if one.is_relative_to(other):
            return one.relative_to(other)
    return None


def _remote(repo: str, choice: str) -> Source:
    seen = hub.repository(repo)
    path = choose_file(repo, seen.sizes, choice)
    shards = [hub.find(hub.Place(repo, name, seen.commit)) for name in shard_names(path)]
    with remote_parts.open_part(shards[0]) as stream:
        name = f"{repo}/{path}"
        header = header_of(stream, shards[0].size_bytes, name, hint="choose another file of the repository")
    size = sum(shard.size_bytes for shard in shards)
    sums = [shard.sha256 for shard in shards if shard.sha256]
    model: dict[str, str | int | list[str]] = {"repo": repo, "revision": seen.commit, "file": path}
    if len(sums) == len(shards):
        model |= {"sha256": sums[0], **({"more_sha256": sums[1:]} if sums[1:] else {})}
    sampling, said_by = _file_sampling(header)
    if not sampling:
        sampling, said_by = _card_sampling(repo, seen)
    projector = next((n for n in sorted(seen.sizes) if _is_projector(n)), None)
    return Source(header, {**model, "size_bytes": size}, size, sampling, said_by, projector)


def choose_file(repo: str, sizes: Mapping[str, int], choice: str) -> str:
    """The (first) GGUF file of a repository for `choice`: a path, a quantisation, or "" for a usual one.

    Raises UserError that lists the available files.
    """
    files = sorted(name for name in sizes if _is_model(name))
    if choice in files:
        return choice
    if not choice and len(files) == 1:
        return files[0]
    for quant in (choice,) if choice else PREFERRED:
        named = [name for name in files if _has_quant(name, quant)]
        if len(named) == 1:
            return named[0]
        if named:
            raise UserError(f"`{quant}` matches several files in {repo}", hint=_offer(repo, named, sizes))
    what = f"no GGUF file for `{choice}`" if choice else "none of the usual quantisations"
    if not files:
        raise UserError(
            f"{repo} has no GGUF files",
            hint="choose a repository with GGUF files; their names often end in -GGUF",
        )
    raise UserError(f"{repo} has {what}", hint=_offer(repo, files, sizes))


def _offer(repo: str, files: list[str], sizes: Mapping[str, int]) -> str:
    lines = [f"choose one: invoke add-profile {repo}:{files[0]}"]
    lines += [f"{repo}:{name}  {figures.size(sizes[name])}" for name in files[:40]]
    return "\n".join([*lines, f"and {len(files) - 40} more"] if len(files) > 40 else lines)


def _is_model(name: str) -> bool:
    shard = SHARD.search(name)
    first = not shard or int(shard["number"]) == 1
    return name.endswith(".gguf") and first and not _is_projector(name) and "imatrix" not in name.lower()


def _is_projector(name: str) -> bool:
    return name.endswith(".gguf") and name.rsplit("/", 1)[-1].lower().startswith("mmproj")


def _has_quant(name: str, quant: str) -> bool:
    """Whether the file name has the quantisation as a whole word: `Q4_K_M` does not match `UD-Q4_K_M`."""
    file = SHARD.sub(".gguf", name.rsplit("/", 1)[-1])
    before = r"[-._]" if quant.upper().startswith("UD-") else r"(?<!UD)[-._]"
    return bool(re.search(rf"{before}{re.escape(quant)}\.gguf$", file, re.IGNORECASE))


def _file_sampling(header: GgufHeader) -> tuple[dict[str, float], str]:
    given = {name: header.metadata.get(f"general.sampling.{name}") for name in GGUF_SAMPLING}
    sampling = _usable(given, GGUF_SAMPLING)
    return sampling, "the file itself (general.sampling)" if sampling else ""


def _card_sampling(repo: str, seen: hub.Repository) -> tuple[dict[str, float], str]:
    """Sampling from generation_config.json of this repository or of its base model; else from the card."""
    base = seen.card.get("base_model")
    bases = [name for name in (base if isinstance(base, list) else [base]) if isinstance(name, str)]
    for name in [repo, *bases[:1]]:
        sampling = _usable(_generation_config(name), CARD_SAMPLING)
        if sampling:
            return sampling, f"generation_config.json of {name}"
    inference = seen.card.get("inference")
    parameters = inference.get("parameters") if isinstance(inference, dict) else None
    sampling = _usable(parameters if isinstance(parameters, dict) else {}, CARD_SAMPLING)
    return sampling, f"model card of {repo}" if sampling else ""


def _generation_config(repo: str) -> dict[str, Any]:
    try:
        text = remote_parts.read_text(hub.Place(repo, "generation_config.json"), limit_bytes=SMALL_FILE_BYTES)
        given = json.loads(text or "{}")
    except (HubFailed, ValueError, RecursionError):  # optional
        return {}
    return given if isinstance(given, dict) else {}


def _usable(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """The values that llama-server accepts, under its names and in a fixed order."""
    found: dict[str, float] = {}
    for name, ours in sorted(names.items(), key=lambda pair: list(LIMITS).index(pair[1])):
        value = given.get(name)
        # Check the limits first: an integer in JSON can be too large to convert.
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LIMITS[ours]:
            found[ours] = int(value) if ours == "top_k" else round(float(value), 4)
    return found

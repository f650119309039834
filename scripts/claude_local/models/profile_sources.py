"""The sources of a new profile's facts: a local GGUF file, or one in a hub repository."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_local.foundation import file_choice
from claude_local.foundation.errors import HubFailed, UserError
from claude_local.foundation.gguf_header import SHARD, GgufHeader, header_of, read_model, shard_names
from claude_local.foundation.gguf_purpose import check_model, check_purpose
from claude_local.machine.links import below
from claude_local.machine.settings import Settings
from claude_local.models import hub, remote_parts
from claude_local.models.model_check import check_file_reachable

GENERIC_NAMES = ("model", "ggml-model", "gguf-model")
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
    projector: Mapping[str, str] | None = None
    """Values for its `mmproj` section: an image projector in the same place."""
    draft: Mapping[str, str] | None = None
    """The same for its `draft` section."""


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
    check_model(header, str(path))
    file = below(settings.models_dir, path)
    if file is None:
        raise UserError(
            f"{path} is not in {settings.models_dir}, the only folder that llama-server reads",
            hint=f"move it there, or set CLAUDE_LOCAL_MODELS_DIR={path.parent}",
        )
    check_file_reachable(settings, file)
    sampling, said_by = _file_sampling(header)
    folder = Path(file).parent
    beside = [str(folder / other.name) for other in path.parent.glob("*.gguf")]
    projector = file_choice.projector_for(file, (n for n in beside if file_choice.is_named_like(file, n)))
    offered = {"file": projector} if projector else None
    return Source(header, {"file": file}, header.file_bytes, sampling, said_by, offered)


def _remote(repo: str, choice: str) -> Source:
    seen = hub.repository(repo)
    path = file_choice.choose_file(repo, seen.sizes, choice)
    shards = [hub.find(hub.Place(repo, name, seen.commit)) for name in shard_names(path)]
    with remote_parts.open_part(shards[0]) as stream:
        name = f"{repo}/{path}"
        header = header_of(stream, shards[0].size_bytes, name, hint="choose another file of the repository")
    check_purpose(header, name)
    if len(shards) == 1:
        check_model(header, name)
    size = sum(shard.size_bytes for shard in shards)
    sums = [shard.sha256 for shard in shards if shard.sha256]
    model: dict[str, str | int | list[str]] = {"repo": repo, "revision": seen.commit, **_places(repo, path)}
    if len(sums) == len(shards):
        model |= {"sha256": sums[0], **({"more_sha256": sums[1:]} if sums[1:] else {})}
    sampling, said_by = _file_sampling(header)
    if not sampling:
        sampling, said_by = _card_sampling(repo, seen)
    return Source(
        header,
        {**model, "size_bytes": size},
        size,
        sampling,
        said_by,
        projector=_beside(repo, path, file_choice.projector_for(path, seen.sizes), "mmproj"),
        draft=_beside(repo, path, file_choice.draft_for(path, seen.sizes), "draft"),
    )


def _places(repo: str, path: str) -> dict[str, str]:
    """The file on disk and on the hub."""
    folder = _folder(repo, path)
    return {"file": f"{folder}{path}", "hub_file": path} if folder else {"file": path}


def _beside(repo: str, model: str, path: str | None, prefix: str) -> dict[str, str] | None:
    """A file beside the model, renamed after it: many repositories call theirs `mmproj-F16.gguf`."""
    return {"file": f"{_folder(repo, model)}{prefix}-{stem(model)}.gguf", "hub_file": path} if path else None


def _folder(repo: str, path: str) -> str:
    """The repository's name as a folder for names such as `model.gguf`, which other repositories have too."""
    return f"{repo.rsplit('/', 1)[-1]}/" if stem(path).lower() in GENERIC_NAMES else ""


def stem(file: str) -> str:
    """The name of a model file without folder, shard number and extension."""
    return SHARD.sub("", file.rsplit("/", 1)[-1]).removesuffix(".gguf")


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

"""Which file of a repository is the model, and which is its projector or draft model: from names and sizes alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from claude_local.foundation import figures
from claude_local.foundation.errors import UserError
from claude_local.foundation.gguf_header import SHARD
from claude_local.foundation.quantisation import QUANT, quant_of, quant_text

PREFERRED = ("Q4_K_M", "UD-Q4_K_XL", "Q4_K_XL", "MXFP4", "Q4_0", "Q8_0")
PREFERRED_PROJECTORS = ("F16", "BF16", "Q8_0", "F32")
PROJECTOR = re.compile(r"mm-?proj|projector", re.IGNORECASE)
DRAFT = re.compile(r"(?<![a-z0-9])(?:draft|drafter|eagle-?3?|dflash|dspark)(?![a-z0-9])", re.IGNORECASE)
DRAFT_FOLDERS = ("mtp", "draft", "drafts", "drafter", "assistant")
MTP_HEAD = re.compile(r"mtp[-._]", re.IGNORECASE)
MTP = re.compile(r"(?<![a-z0-9])mtp(?![a-z0-9])", re.IGNORECASE)
PART = re.compile(r"\.gguf[.-](?:part|split|chunk)|\.gguf\.[a-z]$|-chunk-\d+-of-\d+\.gguf$", re.IGNORECASE)
DRAFT_SHARE = 4
"""A file named MTP is a draft model if another file is this many times as large; else it is a model with a head."""
OFFERED = 40


def choose_file(repo: str, sizes: Mapping[str, int], choice: str) -> str:
    """The (first) GGUF file of a repository for `choice`: a path, a quantisation, or "" for a usual one.

    Raises UserError that lists the available files.
    """
    files = models_in(sizes)
    named = _by_name(repo, sizes, choice)
    if named:
        return named
    if not choice and len(files) == 1:
        return files[0]
    for quant in (choice,) if choice else PREFERRED:
        found = _plainest([name for name in files if quant_of(name) and quant_of(name) == quant_of(quant)])
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"`{quant}` matches several files in {repo}", hint=_offer(repo, found, sizes))
    raise _nothing(repo, sizes, files, choice)


def models_in(sizes: Mapping[str, int]) -> list[str]:
    """The first files of the models, sorted; no projectors, draft models or importance matrices."""
    return sorted(name for name in sizes if _kind(name, sizes) == "model")


def projector_for(model: str, names: Iterable[str]) -> str | None:
    """The projector that belongs to a model: near it, named like it, in a usual precision; None without one."""
    found = [name for name in names if _is_first(name) and PROJECTOR.search(name)]
    return max(found, key=lambda name: (*_nearness(model, name), _precision(name), name), default=None)


def draft_for(model: str, sizes: Mapping[str, int]) -> str | None:
    """The draft model beside a model, in the same quantisation if there is one; None without one."""
    found = [name for name in sizes if _kind(name, sizes) == "draft"]
    return max(
        found,
        key=lambda name: (
            *_nearness(model, name),
            quant_of(name) == quant_of(model),
            quant_of(name) == "Q8_0",
            name,
        ),
        default=None,
    )


def is_named_like(model: str, name: str) -> bool:
    """Whether all words of `name` but its kind and quantisation are in the name of the model."""
    words = _words(name)
    return bool(words) and words <= _words(model)


def _kind(name: str, sizes: Mapping[str, int]) -> str:
    """`model`, `projector`, `draft`, `matrix`, or "" for anything else, such as a later shard."""
    if not _is_first(name) or PART.search(name):
        return ""
    file = name.rsplit("/", 1)[-1]
    if PROJECTOR.search(name):
        return "projector"
    if "imatrix" in file.lower() and not QUANT.search(file):
        return "matrix"
    folders = {folder.lower() for folder in name.split("/")[:-1]}
    is_draft = folders & set(DRAFT_FOLDERS) or DRAFT.search(file) or MTP_HEAD.match(file)
    if is_draft or _is_small_mtp(name, sizes):
        return "draft"
    return "model"


def _is_small_mtp(name: str, sizes: Mapping[str, int]) -> bool:
    """Whether a file with MTP in its name is small beside the model that it belongs to."""
    if not MTP.search(name.rsplit("/", 1)[-1]):
        return False
    others = (size for other, size in sizes.items() if other.endswith(".gguf") and not MTP.search(other))
    return sizes[name] * DRAFT_SHARE <= max(others, default=0)


def _is_first(name: str) -> bool:
    shard = SHARD.search(name)
    return name.endswith(".gguf") and (not shard or int(shard["number"]) == 1)


def _by_name(repo: str, sizes: Mapping[str, int], choice: str) -> str:
    """The file that `choice` names with its path, or alone if that is clear; "" if it names none."""
    named = [name for name in sizes if choice in (name, name.rsplit("/", 1)[-1]) and choice]
    if choice in sizes:
        named = [choice]
    if len(named) != 1 or not choice.endswith(".gguf"):
        return ""
    kind = _kind(named[0], sizes)
    if kind in ("projector", "matrix"):
        what = {"projector": "a projector for images or sound", "matrix": "an importance matrix"}[kind]
        raise UserError(
            f"{named[0]} in {repo} is {what}, not a model", hint=_offer(repo, models_in(sizes), sizes)
        )
    return named[0] if kind else ""


def _plainest(names: list[str]) -> list[str]:
    """Only the names that end with their quantisation, if any does: the others are variants."""
    plain = [name for name in names if SHARD.sub("", name).removesuffix(".gguf").endswith(quant_text(name))]
    return plain or names


def _nearness(model: str, name: str) -> tuple[int, int, int]:
    """How near the folders are, how many words of the names agree and how few differ: more is nearer."""
    pairs = zip(model.split("/")[:-1], name.split("/")[:-1], strict=False)
    shared = sum(1 for ours, theirs in pairs if ours == theirs)
    ours, theirs = _words(model), _words(name)
    return -len(theirs - ours), shared, len(ours & theirs)


def _words(name: str) -> set[str]:
    """The words of a file name without its kind and quantisation."""
    file = SHARD.sub("", name.rsplit("/", 1)[-1]).removesuffix(".gguf")
    file = MTP.sub(" ", DRAFT.sub(" ", PROJECTOR.sub(" ", QUANT.sub(" ", file))))
    return {word for word in re.split(r"[^a-z0-9]+", file.lower()) if word and word not in ("model", "it")}


def _precision(name: str) -> int:
    quant = quant_of(name)
    known = quant in PREFERRED_PROJECTORS
    return len(PREFERRED_PROJECTORS) - PREFERRED_PROJECTORS.index(quant) if known else 0


def _nothing(repo: str, sizes: Mapping[str, int], files: list[str], choice: str) -> UserError:
    if files:
        what = f"no GGUF file for `{choice}`" if choice else "none of the usual quantisations"
        return UserError(f"{repo} has {what}", hint=_offer(repo, files, sizes))
    others = sorted(name for name in sizes if _kind(name, sizes))
    if others:
        what = ", ".join(sorted({_kind(name, sizes) for name in others}))
        kinds = what.replace("matrix", "importance matrix").replace("draft", "draft model")
        return UserError(f"{repo} has no model, only: {kinds}", hint="\n".join(_list(repo, others, sizes)))
    if any(PART.search(name) for name in sizes):
        return UserError(
            f"{repo} has its GGUF files cut into pieces, which llama-server cannot load",
            hint="choose a repository with whole files or with shards (-00001-of-)",
        )
    return UserError(
        f"{repo} has no GGUF files",
        hint="choose a repository with GGUF files; their names often end in -GGUF",
    )


def _offer(repo: str, files: list[str], sizes: Mapping[str, int]) -> str:
    if not files:
        return "choose another repository"
    return "\n".join((f"choose one: invoke add-profile {repo}:{files[0]}", *_list(repo, files, sizes)))


def _list(repo: str, files: list[str], sizes: Mapping[str, int]) -> Iterator[str]:
    yield from (f"{repo}:{name}  {figures.size(sizes[name])}" for name in files[:OFFERED])
    if len(files) > OFFERED:
        yield f"and {len(files) - OFFERED} more"

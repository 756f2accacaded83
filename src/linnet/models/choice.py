"""Which file of a repository is meant, and which one suits this machine when only the repository is named.

Hides how repositories are laid out: parts of split models, projectors and importance matrices that are no models,
and names that lead elsewhere. The facts about the machine are given; nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linnet.errors import InputInvalid, ModelNotFound, OutOfMemory
from linnet.hardware import budget
from linnet.models import quantisation

CONTEXT = 4_096
"""Tokens that must fit beside the weights: what a model is opened with when nobody says otherwise."""

WANTED_SPEED = 10.0
"""Tokens a second: as fast as most people read."""

_CACHE_LEAST, _CACHE_SHARE = 128 << 20, 8
"""Room left for the cache of that context before the header is here: bytes, and one part in so many of the weights.
SmolLM2-135M takes 94 MiB, a 7B model with grouped heads 512 MiB."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub tells of it: `size` in bytes; `sha256` is None where the hub does not know it."""

    path: str
    size: int
    sha256: str | None

    @property
    def quantisation(self) -> str | None:
        return quantisation.of_name(self.path)


@dataclass(frozen=True)
class Host:
    """What matters of a machine: memory that can be taken in bytes, memory speed in GB/s; None is unknown."""

    memory: int | None = None
    bandwidth: float | None = None


@dataclass(frozen=True)
class Chosen:
    """`reason` says in a sentence why this file."""

    file: RemoteFile
    reason: str


def choose(files: Sequence[RemoteFile], selector: str | None, host: Host) -> Chosen:
    """The file that a selector means (a path ending in .gguf, or a quantisation), or the one that suits the host.

    Raises ModelNotFound, InputInvalid for a part of a split model or a selector that means several files, and
    OutOfMemory where nothing fits.
    """
    if selector is not None and selector.lower().endswith(".gguf"):
        return Chosen(_whole(_of_path(files, selector)), "named")
    models = [file for file in files if _is_model(file.path)]
    if not models:
        raise ModelNotFound("the repository has no .gguf file", hint="Choose a repository with GGUF files.")
    if selector is not None:
        return Chosen(_of_quantisation(models, selector), f"the file in {selector}")
    whole = [file for file in models if not quantisation.shard_of(file.path)]
    if not whole:
        _whole(models[0])
    if len(whole) == 1:
        return Chosen(whole[0], "the only whole model in the repository")
    return _suited(whole, host)


# --- what is named -------------------------------------------------------------------------------


def _is_model(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(".gguf") and not any(word in name for word in ("mmproj", "imatrix"))


def _of_path(files: Sequence[RemoteFile], path: str) -> RemoteFile:
    for file in files:
        if file.path == path:
            return file
    names = [file.path for file in files if file.path.lower().endswith(".gguf")]
    raise ModelNotFound(f"the repository has no file {path!r}", hint=_there_are(names), files=names[:20])


def _of_quantisation(models: Sequence[RemoteFile], wanted: str) -> RemoteFile:
    found = [file for file in models if file.quantisation == wanted]
    whole = [file for file in found if not quantisation.shard_of(file.path)]
    if not found:
        kinds = sorted({file.quantisation for file in models if file.quantisation})
        raise ModelNotFound(f"the repository has no file in {wanted}", hint=_there_are(kinds), quantisations=kinds)
    if len(whole) > 1:
        names = [file.path for file in whole]
        raise InputInvalid(f"{len(whole)} files are in {wanted}", hint=f"Name one: {', '.join(names[:8])}.")
    return whole[0] if whole else _whole(found[0])


def _whole(file: RemoteFile) -> RemoteFile:
    """A part of a split model cannot be used: the worker is handed one open file and may open no other."""
    shard = quantisation.shard_of(file.path)
    if shard is None:
        return file
    hint = "Choose a quantisation in one file, or join the parts with `llama-gguf-split --merge` and use the path."
    message = f"{file.path!r} is part {shard[0]} of {shard[1]} of a split model, which cannot be used"
    raise InputInvalid(message, hint=hint, file=file.path)


def _there_are(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"There are: {', '.join(names[:8])}{more}." if names else "There is no .gguf file."


# --- what suits ----------------------------------------------------------------------------------


def _suited(files: Sequence[RemoteFile], host: Host) -> Chosen:
    """The most precise up to 8 bits that fits and is fast enough; else the smallest of at least four bits."""
    fitting = sorted((file for file in files if _fits(file, host)), key=_rank)
    if not fitting:
        least = min(files, key=lambda file: file.size)
        why = _fit(least, host).why
        raise OutOfMemory(f"no file of the repository fits: {least.path}, the smallest, does not: {why}")
    room = "memory is unknown" if host.memory is None else f"{budget.size(host.memory)} are available"
    fast = [file for file in fitting if _speed(file, host) >= WANTED_SPEED]
    if fast:
        best = fast[0]
        speed = "" if host.bandwidth is None else f" and gives {WANTED_SPEED:.0f} tokens/s or more"
        return Chosen(best, f"the most precise up to 8 bits that fits{speed} ({room})")
    sound = [file for file in fitting if file.quantisation in quantisation.FOUR_BITS]
    best = min(sound, key=lambda file: file.size) if sound else fitting[0]
    kind = "the smallest of at least 4 bits" if sound else "the most precise that fits"
    return Chosen(best, f"{kind}: about {_speed(best, host):.1f} tokens/s by memory speed ({room})")


def _rank(file: RemoteFile) -> tuple[int, int]:
    order = quantisation.PREFERRED
    kind = file.quantisation
    return (order.index(kind) if kind in order else len(order), file.size)


def _fit(file: RemoteFile, host: Host) -> budget.Fit:
    cache = max(_CACHE_LEAST, file.size // _CACHE_SHARE)
    return budget.fit(file.size, cache // CONTEXT, host.memory, CONTEXT)


def _fits(file: RemoteFile, host: Host) -> bool:
    return _fit(file, host).fits


def _speed(file: RemoteFile, host: Host) -> float:
    """Tokens a second at most: every weight is read once for each token."""
    return host.bandwidth * 1e9 / file.size if host.bandwidth else float("inf")

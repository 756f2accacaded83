"""Which file is loaded: the one that was named, or an encoding of it that was made for this machine.

A stand-in that is damaged, gone, or too large for the memory that is left is passed over with a note: it is faster
than the original and nothing else, so nothing may fail for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from linnet.errors import ModelError
from linnet.hardware import budget
from linnet.hardware.footprint import DEFAULT_CACHE, Shape, footprint
from linnet.hardware.machine import Machine
from linnet.models import encodings, store
from linnet.models.encodings import Encodings
from linnet.models.gguf import ModelFile, open_model
from linnet.models.integrity import checked_header
from linnet.models.shape import shape_of
from linnet.models.store import Located
from linnet.settings import ModelSettings, WhichEncoding


@dataclass(frozen=True)
class StandIn:
    """An open, verified file in place of the original, the SHA-256 of that one, and what answers tell of it."""

    file: ModelFile
    original: str
    label: str


def wanted(
    asked: str, located: Located, models: Mapping[str, ModelSettings] | None, general: WhichEncoding
) -> WhichEncoding:
    """What is set for a model, by what the user called it or by its own name; else for all."""
    own = [models[name].encoding for name in (asked, located.name) if models and name in models]
    return next((encoding for encoding in own if encoding), general)


def stand_in(
    located: Located,
    original: ModelFile,
    context: int,
    machine: Machine,
    cache: str = DEFAULT_CACHE,
    usable: int | None = None,
) -> tuple[StandIn | None, str]:
    """`(file, note)`: None without a note where none was made for this machine, with one where it cannot be used.

    `context` is in tokens, with keys and values stored as `cache`. `usable` are the bytes that a worker may take
    (None: what the machine has for it). Whoever gets the file closes it.
    """
    kept = Encodings()
    if not kept.any_stored():
        return None, ""
    sha256 = located.sha256 or store.fingerprint(original)
    found, note = kept.for_host(sha256, encodings.host(machine), encodings.engine())
    if found is None or found.sha256 is None:
        return None, note
    instead = f"the {found.type} encoding made for this machine was passed over for the original"
    path = kept.blob(found.sha256)
    try:
        file = open_model(path)
    except ModelError as error:
        return None, f"{instead}: {error.message}"
    try:
        header = checked_header(file)
        store.verify(Located(path, f"{found.name} in {found.type}", found.sha256), file)
        short = _short(shape_of(header, machine.features or ()), context, cache, machine, usable)
        if not short:
            return StandIn(file, sha256, found.label), ""
        note = f"{instead}: {short}"
    except ModelError as error:
        note = f"{instead}: {error.message}"
    except BaseException:
        file.close()
        raise
    file.close()
    return None, note


def _short(shape: Shape, context: int, cache: str, machine: Machine, usable: int | None) -> str:
    """Why a worker with the whole context is too large; "" if it fits."""
    if usable is None:
        fit = budget.plan(shape, machine.memory_available, context, cache)
        return "" if fit.fits else fit.why
    needed = footprint(shape, context, cache).needed
    if needed <= usable:
        return ""
    return f"{context} tokens need {budget.size(needed)}, {budget.size(max(0, usable))} are usable"

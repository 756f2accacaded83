"""Whether a file is one that the engine may see: its header read, and held against what the engine takes.

A file is a model, or an adapter that changes one, as it says of itself.

A file that passes may still be refused by the engine, which knows the shape of every tensor; it then says so and
does not die. What the weights themselves hold is not looked at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from linnet.errors import ModelInvalid
from linnet.models import adapters, dimensions, encoders, vocabulary, weights
from linnet.models.adapters import AdapterInfo
from linnet.models.architectures import ENCODERS, RUNNABLE
from linnet.models.faults import Broken, Fault, Faults, shown
from linnet.models.fields import Fields
from linnet.models.gguf import Header, ModelFile, read_header, survey


@dataclass(frozen=True, slots=True)
class Report:
    """What a file is, and what is wrong with it. `size` in bytes, `context` in tokens.

    `quantisation` is the type that takes most of the bytes; None and zero stand for what the file does not say.
    `kind` is "model" or "adapter"; `adapter` is what a sound adapter changes of its model.
    """

    size: int
    architecture: str | None
    name: str | None
    quantisation: str | None
    tensors: int
    parameters: int
    context: int | None
    vocabulary: int
    faults: tuple[Fault, ...]
    kind: str = "model"
    adapter: AdapterInfo | None = None

    @property
    def sound(self) -> bool:
        return not self.faults

    def describe(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__slots__ if name not in ("faults", "adapter")}
        adapter = {"adapter": self.adapter.describe()} if self.adapter else {}
        return {**values, **adapter, "sound": self.sound, "faults": [fault.describe() for fault in self.faults]}


def examine(file: ModelFile, base: Header | None = None) -> Report:
    """Everything that is wrong with a file, up to the limit. Raises nothing for what is in it.

    With the header of a sound model as `base`, the file has to be an adapter of it.
    """
    header, faults = survey(file.fileno())
    if header is None:
        return Report(file.size, None, None, None, 0, 0, None, 0, faults)
    if not faults:
        faults = _faults(header)
    if not faults and base is not None:
        faults = adapters.faults_with(header, base)
    return _report(header, faults)


def checked_header(file: ModelFile) -> Header:
    """The header of a model that a worker may be given. Raises ModelInvalid for the first fault."""
    header = sound_header(file)
    if adapters.is_adapter(header):
        message = "the file is an adapter: it changes a model, and is none by itself"
        raise ModelInvalid(message, hint="Name it behind its model: MODEL+ADAPTER, such as default+./adapter.gguf.")
    return header


def sound_header(file: ModelFile) -> Header:
    """The header of a model, or of an adapter. Raises ModelInvalid for the first fault."""
    header = read_header(file.fileno())
    for fault in _faults(header):
        raise fault.error()
    return header


def _faults(header: Header) -> tuple[Fault, ...]:
    return adapters.faults_of(header) if adapters.is_adapter(header) else faults_of(header)


def faults_of(header: Header) -> tuple[Fault, ...]:
    """What the engine would stumble over in the header of a model that is well formed."""
    faults = Faults()
    try:
        fields = Fields(header, faults)
        _check_kind(fields)
        dimensions.check(fields)
        known = vocabulary.check(fields)
        weights.check(fields, faults, known)
        if header.architecture in ENCODERS:
            encoders.check(fields, known)
    except Broken as end:
        faults.end(end)
    return faults.found()


def _check_kind(fields: Fields) -> None:
    """A whole model, for an architecture that the engine runs."""
    kind = fields.text("general.type")
    if kind is not None and kind != "model":
        fields.blame("general.type", f"it is a file of type {shown(kind)}, not a model")
    if fields.header.architecture not in RUNNABLE | ENCODERS:
        key = "general.architecture"
        fields.blame(key, f"the engine does not run the architecture {shown(fields.header.architecture)}")
    fields.text("general.name")
    if (fields.header.integer("split.count") or 1) > 1:
        fields.blame("split.count", f"it is one of {fields.header.integer('split.count')} parts of a model")


# --- what it is ----------------------------------------------------------------------------------


def _report(header: Header, faults: tuple[Fault, ...]) -> Report:
    bytes_of: Counter[str] = Counter()
    for tensor in header.tensors:
        bytes_of[tensor.type] += tensor.size
    most = bytes_of.most_common(1)
    return Report(
        size=header.file_size,
        architecture=header.architecture or None,
        name=header.text("general.name"),
        quantisation=most[0][0] if most else None,
        tensors=len(header.tensors),
        parameters=sum(tensor.elements for tensor in header.tensors),
        context=header.integer(f"{header.architecture}.context_length"),
        vocabulary=len(header.texts("tokenizer.ggml.tokens")),
        faults=faults,
        kind="adapter" if adapters.is_adapter(header) else "model",
        adapter=adapters.info(header) if adapters.is_adapter(header) and not faults else None,
    )

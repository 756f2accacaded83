"""Every model and adapter that can be named without a path: stored, half fetched, in a package, Linnet's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from linnet.errors import InputInvalid, ModelError, ModelNotFound
from linnet.hardware import probe
from linnet.models import catalogue, encodings, family, gguf, quantisation, store
from linnet.models.encodings import Encodings
from linnet.models.shelf import Incomplete, Kind, Record, Shelf

State: TypeAlias = Literal["complete", "incomplete", "fetching"]


@dataclass(frozen=True)
class Kept:
    """An encoding of a model for a machine: `size` in bytes; `here` says whether it is loaded on this one."""

    name: str
    type: str
    size: int
    date: str
    here: bool


@dataclass(frozen=True)
class Model:
    """A model, or an adapter for models of an `architecture`.

    `size` is that of the whole file and `have` what is here of it, in bytes. `revision` is what was asked for and
    `commit` what that meant, `stored` the time in seconds since 1970; they are None where there is none.
    `incomplete` ones go on with `models pull SOURCE`; one that is `fetching` is being pulled by the process `owner`.
    """

    name: str
    state: State
    size: int
    have: int
    quantisation: str
    family: str
    source: str
    path: str | None = None
    sha256: str | None = None
    revision: str | None = None
    commit: str | None = None
    stored: float | None = None
    owner: int | None = None
    kind: Kind = "model"
    architecture: str = "unknown"
    encodings: tuple[Kept, ...] = ()


def inventory(shelf: Shelf | None = None) -> list[Model]:
    """What is complete first: known, shipped, stored, each by name. No file is read but the headers of the former."""
    shelf = shelf or Shelf()
    packaged = [model for name in catalogue.entries() if (model := _packaged(name))]
    kept = _kept(shelf)
    shipped = [adapter for name in catalogue.adapters() if (adapter := _shipped(name))]
    whole = [*packaged, *shipped, *(_stored(shelf, one) for one in shelf.records())]
    with_kept = (replace(model, encodings=tuple(kept.get(model.sha256 or "", ()))) for model in whole)
    return [*with_kept, *map(_half, shelf.incomplete())]


def strays(found: list[Model], shelf: Shelf | None = None) -> list[Kept]:
    """Encodings of files that are none of these models: used by path, or removed meanwhile."""
    named = {model.sha256 for model in found}
    return [one for sha256, each in _kept(shelf or Shelf()).items() if sha256 not in named for one in each]


def _kept(shelf: Shelf) -> dict[str, list[Kept]]:
    """By the hash of the original."""
    made = Encodings(shelf.root / "encodings")
    records = [one for one in made.records() if one.sha256 and made.blob(one.sha256).is_file()]
    here = (encodings.host(probe.probe()), encodings.engine()) if records else ("", "")
    found: dict[str, list[Kept]] = {}
    for one in records:
        kept = Kept(one.name, one.type, one.size, one.date, (one.machine, one.engine) == here)
        found.setdefault(one.original, []).append(kept)
    return found


def check_removable(name: str) -> None:
    """Raises InputInvalid for a known model or adapter: the package that carries it is not ours to change."""
    if name in catalogue.adapters() and not Shelf().find(name):
        message = f"the adapter {name!r} ships with Linnet, and is not in the store"
        raise InputInvalid(message, hint="Leave it out of a model's name, and it is not used.", name=name)
    try:
        proper, entry = catalogue.find(name)
    except ModelNotFound:
        return
    message = f"the model {proper!r} belongs to the package {entry.package!r}, not to the store"
    raise InputInvalid(message, hint=f"Remove the package: pip uninstall {entry.package}", name=name)


def _packaged(name: str) -> Model | None:
    """A known model, if its package is installed and its file sound."""
    entry = catalogue.entries()[name]
    return _in_file(name, f"pkg:{entry.package}:{Path(entry.file).name}", entry.sha256)


def _shipped(name: str) -> Model | None:
    """An adapter that ships, if its file is sound."""
    entry = catalogue.adapters()[name]
    return _in_file(name, f"with Linnet, for {entry.base}", entry.sha256, kind="adapter")


def _in_file(name: str, source: str, sha256: str, kind: Kind = "model") -> Model | None:
    """What the header of its file says of what has this name. An adapter's architecture is its model's."""
    try:
        located = store.locate(name)
        with gguf.open_model(located.path) as file:
            header = gguf.read_header(file.fileno())
    except ModelError:
        return None
    size, encoded = header.file_size, quantisation.of_header(header)
    spoken = family.detect(header).name if kind == "model" else ""
    path, made = str(located.path), header.architecture
    return Model(name, "complete", size, size, encoded, spoken, source, path, sha256, kind=kind, architecture=made)


def _stored(shelf: Shelf, record: Record) -> Model:
    path = str(shelf.blob(record.sha256))
    return _of(record, "complete", record.size, path=path, stored=record.stored)


def _half(one: Incomplete) -> Model:
    return _of(one.record, "incomplete" if one.owner is None else "fetching", one.have, owner=one.owner)


def _of(
    record: Record,
    state: State,
    have: int,
    path: str | None = None,
    stored: float | None = None,
    owner: int | None = None,
) -> Model:
    return Model(
        record.name,
        state,
        record.size,
        have,
        record.quantisation,
        record.family,
        record.source,
        path,
        record.sha256,
        record.revision,
        record.commit,
        stored,
        owner,
        record.kind,
        record.architecture,
    )

"""Make a model of another type out of one that is here, and store it under a name of its own."""

from __future__ import annotations

import math
from collections.abc import Callable

from linnet.errors import InputInvalid, StorageFull
from linnet.hardware.budget import size
from linnet.limits import LIMITS
from linnet.models import catalogue, encodings, family, gguf, locks, naming, quantisation, store
from linnet.models.encodings import Encodings, Making
from linnet.models.gguf import Header
from linnet.models.integrity import checked_header
from linnet.models.pull import free_bytes
from linnet.models.shelf import Record, Shelf
from linnet.models.store import Located
from linnet.protocol import Kind
from linnet.runtime import encoder


def encode_as(
    model: str,
    kind: Kind,
    name: str | None = None,
    *,
    threads: int = 1,
    disk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Record, encoder.Encoded]:
    """The stored model (`NAME-KIND` if no name is given), and how it was made. `disk` bounds its bytes.

    Raises what is wrong with the model, InputInvalid for a name that is taken (also one that was taken meanwhile) or
    a type that the file has already, StorageFull before anything is written where there is no room, and what
    `encoder.encode` raises. After an error nothing is left.
    """
    located, shelf = store.locate(model), Shelf()
    wanted = naming.check_name(name) if name else naming.default_name(f"{located.name}-{kind}.gguf")
    _check_free(shelf, wanted)
    with gguf.open_model(located.path) as file:
        header = checked_header(file)
        sha256 = store.verify(located, file) or store.fingerprint(file)
        if quantisation.of_header(header).lower() == kind:
            raise InputInvalid(f"{located.name} is in {kind} already", hint="Name another type.")
        shelf.prepare()
        _check_room(shelf, encoder.estimate(header, kind), disk, wanted)
        with Encodings(shelf.root / "encodings").making() as made:
            done = encoder.encode(file.fileno(), made.fd, kind, threads, most=disk, progress=progress)
            record = _record(wanted, made, located, sha256, gguf.read_header(made.fd))
            with locks.exclusive(shelf.lock(record.sha256)):
                return shelf.publish(record, made.path, new=True), done


def _record(name: str, made: Making, located: Located, sha256: str, header: Header) -> Record:
    return Record(
        name,
        made.sha256(),
        made.size,
        f"encoded from {located.name}, SHA-256 {sha256}, by {encodings.engine()}",
        quantisation=quantisation.of_header(header),
        architecture=header.architecture,
        family=family.detect(header).name,
    )


def _check_free(shelf: Shelf, name: str) -> None:
    if name in catalogue.names():
        message = f"the name {name!r} is the name of a known model or adapter"
        raise InputInvalid(message, hint="Give another name with --as.", name=name)
    shelf.check_free(name)


def _check_room(shelf: Shelf, need: int, disk: int | None, name: str) -> None:
    usable = min(free_bytes(shelf.root) - LIMITS.disk_spare_bytes, math.inf if disk is None else disk)
    if need > usable:
        message = f"{name} takes about {size(need)} of disk, {size(int(max(0, usable)))} may be used in {shelf.root}"
        raise StorageFull(message, needed=need, usable=int(usable))

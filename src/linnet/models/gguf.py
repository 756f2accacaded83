"""Reads the header of a GGUF file, and believes nothing in it.

Hides the format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian)
and its bounds: every count and length is held against a limit and against the bytes that are left before
anything is allocated for it. Weights are never read. Whether the engine can live with what the header says
is the business of `integrity.py`.
"""

from __future__ import annotations

import io
import math
import os
import stat
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TypeAlias

from linnet.errors import ModelInvalid, ModelNotFound
from linnet.limits import LIMITS
from linnet.models.cursor import Cursor, broken
from linnet.models.faults import Broken, Fault, Faults, shown
from linnet.models.tensor_types import TENSOR_TYPES
from linnet.models.texts import Texts

# --- the face ------------------------------------------------------------------------------------

Value: TypeAlias = "int | float | bool | str | Texts | list[str] | array[int] | array[float]"
"""Files have Texts, headers made by hand may have lists. Arrays stay as compact as in the file; booleans in arrays
are the numbers 0 and 1."""


class ModelFile:
    """A regular file, open for reading: what was checked through it is what a worker is handed later."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._raw = io.FileIO(fd)

    def fileno(self) -> int:
        return self._raw.fileno()

    @property
    def size(self) -> int:
        """In bytes, as it is now."""
        return os.fstat(self.fileno()).st_size

    def close(self) -> None:
        self._raw.close()

    def __enter__(self) -> ModelFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Field(NamedTuple):
    """Where the value of a metadata key begins, and of which type it is: `u32`, `str`, `f32[]`."""

    where: int
    kind: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """`dimensions` in elements, the fastest first; `offset` from the start of the data; `size` in bytes.

    `where` is the byte in the file at which its description begins.
    """

    name: str
    dimensions: tuple[int, ...]
    type: str
    offset: int
    size: int
    where: int = field(default=0, compare=False)

    @property
    def elements(self) -> int:
        return math.prod(self.dimensions)


@dataclass(frozen=True)
class Header:
    """All that stands before the weights. `data_offset` and `file_size` are in bytes."""

    version: int
    architecture: str
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...]
    alignment: int
    data_offset: int
    file_size: int
    fields: dict[str, Field] = field(default_factory=dict, compare=False, repr=False)

    def text(self, key: str) -> str | None:
        """The string under this key; None if there is none or it is something else."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def texts(self, key: str) -> Sequence[str]:
        """The strings under this key, such as the vocabulary; empty if there are none."""
        value = self.metadata.get(key)
        return value if isinstance(value, Texts | list) else ()


def open_model(path: str | Path) -> ModelFile:
    """Open a model file. Raises ModelNotFound if there is none, ModelInvalid for all but a regular file.

    What is not a file at all, such as a folder or a pipe, is a mistake in the command and ends it as one.
    Without O_NONBLOCK the opening of a pipe that nobody writes to would never return.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise ModelNotFound(f"there is no model file {str(path)!r}", path=str(path)) from error
    except OSError as error:
        if (mode := _mode(path)) is not None and not stat.S_ISREG(mode):
            raise _no_file(path, mode) from error
        raise ModelInvalid(f"{str(path)!r} cannot be opened: {error.strerror}", path=str(path)) from error
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        raise _no_file(path, mode)
    return ModelFile(Path(path), fd)


def read_header(fd: int) -> Header:
    """The header of the file behind a descriptor, whose own position stays as it is.

    Raises ModelInvalid for the first fault; its details are those of a Fault.
    """
    header, faults = survey(fd)
    if faults or header is None:
        raise faults[0].error()
    return header


def survey(fd: int) -> tuple[Header | None, tuple[Fault, ...]]:
    """The header, and every fault up to the one behind which nothing is understood: then there is no header.

    With faults, the header is for showing and for nothing else.
    """
    faults, header = Faults(), None
    try:
        header = _header(Cursor(fd, faults), faults)
        _check_layout(header, faults)
    except Broken as end:
        faults.end(end)
    return header, faults.found()


def _mode(path: str | Path) -> int | None:
    try:
        return Path(path).stat().st_mode
    except OSError:
        return None


def _no_file(path: str | Path, mode: int) -> ModelNotFound:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a directory", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    return ModelNotFound(f"{str(path)!r} is {kind}, not a regular file", path=str(path))


# --- the parts of the header ---------------------------------------------------------------------

_KEY_BYTES = 65_535  # the longest key, by the specification
_NAME_BYTES = 63  # the longest tensor name: the engine's field of 64 holds a zero too
_KEY_SIZE = 8 + 1 + 4 + 1  # the smallest metadata entry: length, key, type, value
_TENSOR_SIZE = 8 + 1 + 4 + 4 + 8  # the smallest tensor: length, name, dimensions, type, offset
_ENTRY_MEMORY, _TENSOR_MEMORY = 384, 512  # what Python takes for one of them, names and values apart


def _header(cursor: Cursor, faults: Faults) -> Header:
    version, tensor_count, key_count = _preamble(cursor)
    metadata, fields = _metadata(cursor, faults, key_count)
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        faults.add(24, "there is no general.architecture among the metadata", "general.architecture")
        architecture = ""
    alignment = _alignment(metadata, fields, faults)
    tensors = _tensors(cursor, faults, tensor_count)
    start = -(-cursor.position // alignment) * alignment
    return Header(version, architecture, metadata, tuple(tensors), alignment, start, cursor.size, fields)


def _preamble(cursor: Cursor) -> tuple[int, int, int]:
    """Version, number of tensors, number of metadata keys."""
    magic = cursor.take(4, "the magic number")
    if magic != b"GGUF":
        raise broken(0, f"it begins with {magic!r}, not b'GGUF'")
    version = cursor.word("the version")
    if version not in (2, 3):
        reason = ": big-endian files cannot be read" if version & 0xFFFF == 0 else ""
        raise broken(4, f"version {version} is not one of 2 and 3{reason}")
    tensors = cursor.count("the number of tensors", LIMITS.gguf_tensors, _TENSOR_SIZE)
    return version, tensors, cursor.count("the number of metadata keys", LIMITS.gguf_keys, _KEY_SIZE)


def _metadata(cursor: Cursor, faults: Faults, count: int) -> tuple[dict[str, Value], dict[str, Field]]:
    metadata: dict[str, Value] = {}
    fields: dict[str, Field] = {}
    for _ in range(count):
        where = cursor.position
        key = cursor.string("a metadata key", _KEY_BYTES)
        cursor.charge(_ENTRY_MEMORY)
        faults.about = key
        kind_at, value = cursor.position, _value(cursor, faults, shown(key))
        faults.about = None
        if not key or key in metadata or "\0" in key:
            wrong = "is empty, holds a zero byte or stands there twice"
            faults.add(where, f"the metadata key {shown(key)} {wrong}", key)
        else:
            metadata[key], fields[key] = value[0], Field(kind_at, value[1])
    return metadata, fields


_STRING, _ARRAY, _BOOLEAN = 8, 9, 7
_NUMBERS = {
    0: ("u8", "B"), 1: ("i8", "b"), 2: ("u16", "H"), 3: ("i16", "h"), 4: ("u32", "I"), 5: ("i32", "i"),
    6: ("f32", "f"), 7: ("bool", "B"), 10: ("u64", "Q"), 11: ("i64", "q"), 12: ("f64", "d"),
}  # fmt: skip
"""Value types of the specification -> their names, and codes of `struct` and `array`, which agree in size."""
_SCALARS = {kind: struct.Struct("<" + code) for kind, (_, code) in _NUMBERS.items()}


def _value(cursor: Cursor, faults: Faults, key: str) -> tuple[Value, str]:
    where = cursor.position
    kind = cursor.word(f"the type of {key}")
    if kind == _STRING:
        return cursor.string(key), "str"
    if kind == _ARRAY:
        return _array(cursor, faults, key)
    if kind not in _SCALARS:
        raise broken(where, f"{key} has the unknown value type {kind}")
    (value,) = _SCALARS[kind].unpack(cursor.take(_SCALARS[kind].size, key))
    if kind != _BOOLEAN:
        return value, _NUMBERS[kind][0]
    if value > 1:
        faults.add(cursor.position - 1, f"{key} is a boolean of value {value}")
    return bool(value), "bool"


def _array(cursor: Cursor, faults: Faults, key: str) -> tuple[Value, str]:
    where = cursor.position
    kind = cursor.word(f"the element type of {key}")
    if kind == _STRING:
        return cursor.strings(key), "str[]"
    if kind not in _SCALARS:
        what = "arrays, which no model needs" if kind == _ARRAY else f"the unknown value type {kind}"
        raise broken(where, f"{key} is an array of {what}")
    name, code = _NUMBERS[kind]
    values = cursor.numbers(key, code)
    if kind == _BOOLEAN and values and max(values) > 1:
        faults.add(where, f"{key} has a boolean of value {max(values)}")
    return values, f"{name}[]"


def _alignment(metadata: dict[str, Value], fields: dict[str, Field], faults: Faults) -> int:
    """Mapped weights must lie as the engine's own buffers do: on multiples of 32 bytes."""
    key = "general.alignment"
    value, least = metadata.get(key, _ALIGNMENT), _ALIGNMENT
    if not isinstance(value, int) or isinstance(value, bool) or value < least or value & (value - 1):
        where = fields[key].where
        faults.add(where, f"{key} is {shown(str(value))}, not a power of two of {least} or more", key)
        return _ALIGNMENT
    return value


_ALIGNMENT = 32  # the specification's default


# --- tensors -------------------------------------------------------------------------------------


def _tensors(cursor: Cursor, faults: Faults, count: int) -> list[Tensor]:
    found: dict[str, Tensor] = {}
    for _ in range(count):
        tensor = _tensor(cursor, faults)
        if not tensor.name or tensor.name in found or "\0" in tensor.name:
            wrong = "is empty, holds a zero byte or stands there twice"
            faults.add(tensor.where, f"the tensor name {tensor.name!r} {wrong}", tensor.name)
        found[tensor.name] = tensor
    return list(found.values())


def _tensor(cursor: Cursor, faults: Faults) -> Tensor:
    begin = cursor.position
    name = cursor.string("a tensor name", _NAME_BYTES)
    cursor.charge(_TENSOR_MEMORY)
    where = cursor.position
    rank = cursor.word(f"the number of dimensions of {name!r}")
    if rank > LIMITS.gguf_dimensions:
        raise broken(where, f"tensor {name!r} has {rank} dimensions, the limit is {LIMITS.gguf_dimensions}", name)
    dimensions = struct.unpack(f"<{rank}Q", cursor.take(8 * rank, f"the dimensions of {name!r}"))
    if not all(0 < size < 1 << 63 for size in dimensions):
        faults.add(where, f"tensor {name!r} has the impossible dimensions {dimensions}", name)
    where = cursor.position
    number = cursor.word(f"the type of tensor {name!r}")
    kind = TENSOR_TYPES.get(number)
    if kind is None:
        raise broken(where, f"tensor {name!r} has the unknown type {number}", name)
    if dimensions and dimensions[0] % kind.block:
        what = f"rows of {dimensions[0]}, not whole {kind.name} blocks of {kind.block}"
        faults.add(where, f"tensor {name!r} has {what}", name)
    offset = cursor.long(f"the offset of tensor {name!r}")
    size = -(-math.prod(dimensions) // kind.block) * kind.size
    return Tensor(name, dimensions, kind.name, offset, size, begin)


def _check_layout(header: Header, faults: Faults) -> None:
    """The engine takes tensors that lie one behind the other, padded to the alignment, and inside the file."""
    alignment, expected, outside = header.alignment, 0, 0
    for tensor in header.tensors:
        name, where = tensor.name, tensor.where
        end = header.data_offset + tensor.offset + tensor.size
        outside += end > header.file_size
        if end > header.file_size and outside == 1:
            faults.add(where, f"tensor {name!r} would end at byte {end}, the file has {header.file_size}", name)
        if tensor.offset % alignment:
            faults.add(where, f"tensor {name!r} begins at {tensor.offset}, not aligned to {alignment}", name)
        if tensor.offset != expected:
            wrong = "overlaps the one before it" if tensor.offset < expected else "leaves a gap before it"
            faults.add(where, f"tensor {name!r} begins at {tensor.offset}, not at {expected}: it {wrong}", name)
        expected = -(-(tensor.offset + tensor.size) // alignment) * alignment
    if outside > 1:
        faults.add(header.file_size, f"the weights of {outside - 1} other tensors lie outside the file too")

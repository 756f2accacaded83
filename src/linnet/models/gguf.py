"""Reads the header of a GGUF file, and believes nothing in it.

Hides the format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian)
and its bounds: every count and length is held against a limit and against the bytes that are left before
anything is allocated for it. The file is read with `pread`, never mapped, so that one that is cut short
meanwhile is an error and not a SIGBUS. Weights are never read. Every fault is a ModelInvalid whose
details are `where` (byte offset in the file) and `what`.
"""

from __future__ import annotations

import io
import math
import os
import stat
import struct
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from linnet.errors import ModelInvalid, ModelNotFound
from linnet.limits import LIMITS

# --- the face ------------------------------------------------------------------------------------

Value: TypeAlias = "int | float | bool | str | list[str] | array[int] | array[float]"
"""Arrays of numbers stay as compact as in the file; booleans in arrays are the numbers 0 and 1."""


class ModelFile:
    """A regular file, open for reading: what was checked through it is what a worker is handed later."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._raw = io.FileIO(fd)

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()

    def __enter__(self) -> ModelFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Tensor:
    """`dimensions` in elements, the fastest first; `offset` from the start of the data; `size` in bytes."""

    name: str
    dimensions: tuple[int, ...]
    type: str
    offset: int
    size: int


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

    def text(self, key: str) -> str | None:
        """The string under this key; None if there is none or it is something else."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def texts(self, key: str) -> list[str]:
        """The strings under this key, such as the vocabulary; empty if there are none."""
        value = self.metadata.get(key)
        return value if isinstance(value, list) else []


def open_model(path: str | Path) -> ModelFile:
    """Open a model file. Raises ModelNotFound if there is none, ModelInvalid for all but a regular file.

    Without O_NONBLOCK the opening of a pipe that nobody writes to would never return.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise ModelNotFound(f"there is no model file {str(path)!r}", path=str(path)) from error
    except OSError as error:
        raise ModelInvalid(f"{str(path)!r} cannot be opened: {error.strerror}", path=str(path)) from error
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        raise ModelInvalid(f"{str(path)!r} is {_kind(mode)}, not a regular file", path=str(path))
    return ModelFile(Path(path), fd)


def read_header(fd: int) -> Header:
    """The header of the file behind a descriptor, whose own position stays as it is."""
    reader = _Reader(fd)
    version, tensor_count, key_count = _preamble(reader)
    metadata = _metadata(reader, key_count)
    alignment = _alignment(metadata)
    infos = _tensor_infos(reader, tensor_count)
    start = -(-reader.position // alignment) * alignment
    for where, tensor in infos:
        _check_extent(tensor, where, start, alignment, reader.size)
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise _fault(24, "there is no general.architecture among the metadata")
    tensors = tuple(tensor for _, tensor in infos)
    return Header(version, architecture, metadata, tensors, alignment, start, reader.size)


def _fault(where: int, what: str) -> ModelInvalid:
    return ModelInvalid(f"not a valid GGUF file, at byte {where}: {what}", where=where, what=what)


def _shown(text: str) -> str:
    """For a message: quoted, and no longer than a line."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a directory", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


# --- reading forward -----------------------------------------------------------------------------

_CHUNK = 1 << 20
_COUNT, _WORD = struct.Struct("<Q"), struct.Struct("<I")


class _Reader:
    """Takes bytes one after the other; counts what they will occupy in memory."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size
        self.position = 0
        self._memory = 0
        self._buffer = b""
        self._start = 0

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes, which are known to be in the file before they are read."""
        if count > self.size - self.position:
            left = self.size - self.position
            raise _fault(self.position, f"{what} needs {count} bytes, the file has {left} more")
        begin = self.position - self._start
        if begin + count > len(self._buffer):
            self._fill(max(count, _CHUNK), count)
            begin = 0
        self.position += count
        return self._buffer[begin : begin + count]

    def word(self, what: str) -> int:
        return int(_WORD.unpack(self.take(4, what))[0])

    def count(self, what: str, limit: int, size: int) -> int:
        """A 64-bit count of things that take at least `size` bytes each."""
        where = self.position
        count = int(_COUNT.unpack(self.take(8, what))[0])
        if count > limit:
            raise _fault(where, f"{what} is {count}, the limit is {limit}")
        if count * size > self.size - self.position:
            left = self.size - self.position
            raise _fault(where, f"{what} is {count} of at least {size} bytes, the file has {left} bytes more")
        return count

    def string(self, what: str, limit: int = LIMITS.gguf_string_bytes) -> str:
        length = self.count(f"the length of {what}", limit, 1)
        self.charge(64 + 4 * length)  # a Python string: its head, and up to 4 bytes a character
        where = self.position
        try:
            return self.take(length, what).decode()
        except UnicodeDecodeError as error:
            raise _fault(where + error.start, f"{what} is not UTF-8") from error

    def charge(self, count: int) -> None:
        self._memory += count
        if self._memory > LIMITS.gguf_memory:
            raise _fault(self.position, f"the header would take over {LIMITS.gguf_memory} bytes of memory, the limit")

    def _fill(self, wanted: int, needed: int) -> None:
        pieces, got = [], 0
        while got < needed:
            try:
                piece = os.pread(self._fd, wanted - got, self.position + got)
            except OSError as error:
                raise _fault(self.position + got, f"the file cannot be read: {error.strerror}") from error
            if not piece:
                raise _fault(self.position + got, "the file was cut short while it was read")
            pieces.append(piece)
            got += len(piece)
        self._buffer, self._start = b"".join(pieces), self.position


# --- the parts of the header ---------------------------------------------------------------------

_KEY_BYTES = 65_535  # the longest key, by the specification
_NAME_BYTES = 64  # the longest tensor name, by the specification
_KEY_SIZE = 8 + 1 + 4 + 1  # the smallest metadata entry: length, key, type, value
_TENSOR_SIZE = 8 + 1 + 4 + 4 + 8  # the smallest tensor: length, name, dimensions, type, offset


def _preamble(reader: _Reader) -> tuple[int, int, int]:
    """Version, number of tensors, number of metadata keys."""
    magic = reader.take(4, "the magic number")
    if magic != b"GGUF":
        raise _fault(0, f"it begins with {magic!r}, not b'GGUF'")
    version = reader.word("the version")
    if version not in (2, 3):
        reason = ": big-endian files cannot be read" if version & 0xFFFF == 0 else ""
        raise _fault(4, f"version {version} is not one of 2 and 3{reason}")
    tensors = reader.count("the number of tensors", LIMITS.gguf_tensors, _TENSOR_SIZE)
    return version, tensors, reader.count("the number of metadata keys", LIMITS.gguf_keys, _KEY_SIZE)


def _metadata(reader: _Reader, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(count):
        where = reader.position
        key = reader.string("a metadata key", _KEY_BYTES)
        if not key or key in metadata:
            raise _fault(where, f"the metadata key {_shown(key)} is empty or stands there twice")
        metadata[key] = _value(reader, _shown(key))
    return metadata


_STRING, _ARRAY, _BOOLEAN = 8, 9, 7
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
"""Value types of the specification -> codes of `struct` and `array`, which agree in size for these."""
_SCALARS = {kind: struct.Struct("<" + code) for kind, code in _NUMBERS.items()}


def _value(reader: _Reader, key: str) -> Value:
    where = reader.position
    kind = reader.word(f"the type of {key}")
    if kind == _STRING:
        return reader.string(key)
    if kind == _ARRAY:
        return _array(reader, key)
    if kind not in _SCALARS:
        raise _fault(where, f"{key} has the unknown value type {kind}")
    (value,) = _SCALARS[kind].unpack(reader.take(_SCALARS[kind].size, key))
    if kind != _BOOLEAN:
        return float(value) if isinstance(value, float) else int(value)
    if value > 1:
        raise _fault(reader.position - 1, f"{key} is a boolean of value {value}")
    return bool(value)


def _array(reader: _Reader, key: str) -> Value:
    where = reader.position
    kind = reader.word(f"the element type of {key}")
    if kind == _STRING:
        count = reader.count(f"the number of strings in {key}", LIMITS.gguf_strings, 8)
        what = f"a string of {key}"
        return [reader.string(what) for _ in range(count)]
    if kind not in _SCALARS:
        what = "arrays, which no model needs" if kind == _ARRAY else f"the unknown value type {kind}"
        raise _fault(where, f"{key} is an array of {what}")
    return _numbers(reader, key, kind)


def _numbers(reader: _Reader, key: str, kind: int) -> array[Any]:
    size = _SCALARS[kind].size
    count = reader.count(f"the number of elements in {key}", LIMITS.gguf_array, size)
    reader.charge(count * size)
    where = reader.position
    values: array[Any] = array(_NUMBERS[kind])
    values.frombytes(reader.take(count * size, key))
    if sys.byteorder == "big":
        values.byteswap()
    if kind == _BOOLEAN and count and max(values) > 1:
        raise _fault(where, f"{key} has a boolean of value {max(values)}")
    return values


def _alignment(metadata: dict[str, Value]) -> int:
    value = metadata.get("general.alignment", 32)  # the specification's default
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0 or value & (value - 1):
        raise _fault(24, f"general.alignment is {value!r}, not a power of two")
    return value


# --- tensors -------------------------------------------------------------------------------------

_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8),
    28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
"""Tensor type -> name, elements of a block, bytes of a block. As `ggml_type_size` of llama.cpp has it."""


def _tensor_infos(reader: _Reader, count: int) -> list[tuple[int, Tensor]]:
    """Each tensor, with the place of its description in the file."""
    infos, names = [], set()
    for _ in range(count):
        where = reader.position
        tensor = _tensor(reader)
        if not tensor.name or tensor.name in names:
            raise _fault(where, f"the tensor name {tensor.name!r} is empty or stands there twice")
        names.add(tensor.name)
        infos.append((where, tensor))
    return infos


def _tensor(reader: _Reader) -> Tensor:
    name = reader.string("a tensor name", _NAME_BYTES)
    reader.charge(512)  # the value made of it
    where = reader.position
    rank = reader.word(f"the number of dimensions of {name!r}")
    if rank > LIMITS.gguf_dimensions:
        raise _fault(where, f"tensor {name!r} has {rank} dimensions, the limit is {LIMITS.gguf_dimensions}")
    dimensions = struct.unpack(f"<{rank}Q", reader.take(8 * rank, f"the dimensions of {name!r}"))
    if not all(0 < size < 1 << 63 for size in dimensions):
        raise _fault(where, f"tensor {name!r} has the impossible dimensions {dimensions}")
    where = reader.position
    kind = reader.word(f"the type of tensor {name!r}")
    if kind not in _TYPES:
        raise _fault(where, f"tensor {name!r} has the unknown type {kind}")
    type_name, block, block_size = _TYPES[kind]
    if dimensions and dimensions[0] % block:
        what = f"rows of {dimensions[0]}, not whole {type_name} blocks of {block}"
        raise _fault(where, f"tensor {name!r} has {what}")
    (offset,) = _COUNT.unpack(reader.take(8, f"the offset of tensor {name!r}"))
    size = -(-math.prod(dimensions) // block) * block_size
    return Tensor(name, dimensions, type_name, offset, size)


def _check_extent(tensor: Tensor, where: int, start: int, alignment: int, file_size: int) -> None:
    if tensor.offset % alignment:
        raise _fault(where, f"tensor {tensor.name!r} begins at {tensor.offset}, not aligned to {alignment}")
    end = start + tensor.offset + tensor.size
    if end > file_size:
        raise _fault(where, f"tensor {tensor.name!r} would end at byte {end}, the file has {file_size}")

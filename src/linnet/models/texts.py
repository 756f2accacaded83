"""Many short strings in little memory: a vocabulary of 262,144 tokens in 3 MB instead of 25."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import overload


class Texts(Sequence[str]):
    """Strings that stand one behind the other in `data`; string i ends before byte `ends[i]`.

    Bytes that are not UTF-8 come out as replacement characters: a file with such a string is refused elsewhere.
    """

    __slots__ = ("_data", "ends")

    def __init__(self, data: bytes | bytearray = b"", ends: array[int] | None = None) -> None:
        self._data = data
        self.ends = array("I") if ends is None else ends

    def __len__(self) -> int:
        return len(self.ends)

    def raw(self, index: int) -> bytes:
        start = self.ends[index - 1] if index else 0
        return bytes(self._data[start : self.ends[index]])

    def raws(self) -> Iterator[bytes]:
        """The bytes of each, in order."""
        data, start = self._data, 0
        for end in self.ends:
            yield bytes(data[start:end])
            start = end

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.raw(range(len(self))[index]).decode(errors="replace")

    def __iter__(self) -> Iterator[str]:
        return (raw.decode(errors="replace") for raw in self.raws())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Texts):
            return self._data == other._data and self.ends == other.ends
        return isinstance(other, list) and list(self) == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Texts({len(self)} strings)"

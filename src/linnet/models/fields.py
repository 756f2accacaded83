"""The metadata of a header, read as the engine reads it: each field of the one type that it takes there.

Whatever is of another type, or out of range, becomes a fault with the place of its value; the value is then
None, as if the field were not there.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable

from linnet.limits import LIMITS
from linnet.models.faults import Faults, shown
from linnet.models.gguf import Header, Value
from linnet.models.texts import Texts

KEYS_AT = 24
"""Where the metadata begin: the place of what is missing from them."""


class Fields:
    """The fields of one header. `prefixed` makes a key of the architecture's, such as `llama.block_count`."""

    def __init__(self, header: Header, faults: Faults) -> None:
        self.header = header
        self._faults = faults
        self._blamed: set[str] = set()

    def prefixed(self, name: str) -> str:
        return f"{self.header.architecture}.{name}"

    def blame(self, key: str, what: str) -> None:
        """A fault at a field: the first one only, for the others may come from it."""
        if key in self._blamed:
            return
        self._blamed.add(key)
        field = self.header.fields.get(key)
        self._faults.add(field.where if field else KEYS_AT, what, key)

    def require(self, key: str) -> None:
        if key not in self.header.metadata:
            self.blame(key, f"there is no {key}")

    def integer(self, key: str, least: int = 0, most: int = LIMITS.model_size) -> int | None:
        value = self._of_kind(key, "u32")
        return value if isinstance(value, int) and self._within(key, value, least, most) else None

    def number(self, key: str, least: float = -math.inf, *, above: float = -math.inf) -> float | None:
        """A finite number, at least `least` and greater than `above`."""
        value = self._of_kind(key, "f32")
        if not isinstance(value, float):
            return None
        if math.isfinite(value) and value >= least and value > above:
            return value
        bound = f"above {above:g}" if above > least else f"of {least:g} or more"
        self.blame(
            key, f"{key} is {value}, not a finite number" + (f" {bound}" if max(least, above) > -math.inf else "")
        )
        return None

    def flag(self, key: str) -> bool | None:
        value = self._of_kind(key, "bool")
        return value if isinstance(value, bool) else None

    def text(self, key: str, options: Iterable[str] = ()) -> str | None:
        value = self._of_kind(key, "str")
        if not isinstance(value, str):
            return None
        known = tuple(options)
        if known and value not in known:
            self.blame(key, f"{key} is {shown(value)}, not one of {', '.join(known)}")
            return None
        return value

    def texts(self, key: str) -> Texts | None:
        value = self._of_kind(key, "str[]")
        return value if isinstance(value, Texts) else None

    def numbers(self, key: str, *kinds: str) -> array[int] | array[float] | None:
        value = self._of_kind(key, *(f"{kind}[]" for kind in kinds))
        return value if isinstance(value, array) else None

    def per_block(self, key: str, blocks: int, *, most: int = LIMITS.model_size) -> list[int] | None:
        """One number for all blocks, or an array of one each."""
        if self.kind(key) not in ("u32[]", "i32[]", "bool[]"):
            value = self.integer(key, 0, most)
            return None if value is None else [value] * blocks
        values = self.numbers(key, "u32", "i32", "bool") or ()
        if len(values) != blocks:
            self.blame(key, f"{key} has {len(values)} values for {blocks} blocks")
            return None
        if not all(self._within(key, int(value), 0, most) for value in values):
            return None
        return [int(value) for value in values]

    def kind(self, key: str) -> str | None:
        field = self.header.fields.get(key)
        return field.kind if field else None

    def _of_kind(self, key: str, *kinds: str) -> Value | None:
        kind = self.kind(key)
        if kind is None or kind in kinds:
            return self.header.metadata.get(key)
        self.blame(key, f"{key} is of type {kind}, not {' or '.join(kinds)}")
        return None

    def _within(self, key: str, value: int, least: int, most: int) -> bool:
        if least <= value <= most:
            return True
        self.blame(key, f"{key} is {value}, not one of {least} to {most}")
        return False

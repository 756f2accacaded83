"""Vectors of texts as values: the rows themselves, where they come from, and how they are made."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic.dataclasses import dataclass

from linnet.limits import LIMITS
from linnet.messages import STRICT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unpacked(data: Any) -> Any:
    return base64.b64decode(data, validate=True) if isinstance(data, str) else data


Data = Annotated[bytes, BeforeValidator(_unpacked), PlainSerializer(_packed, str, when_used="json")]
"""Bytes; base64 where they are JSON."""


@dataclass(frozen=True, config=STRICT)
class Vectors:
    """Rows of `width` 32-bit floats, little-endian, one after the other; each row has length 1."""

    width: int = Field(ge=1, le=LIMITS.vector_width)
    data: Data = Field(max_length=4 * LIMITS.vector_width * LIMITS.embedded_texts, repr=False)

    def __post_init__(self) -> None:
        if len(self.data) % (4 * self.width):
            raise ValueError(f"{len(self.data)} bytes are no whole rows of {self.width} numbers")

    def __len__(self) -> int:
        return len(self.data) // (4 * self.width)

    def array(self) -> NDArray[np.float32]:
        """Shape (texts, width), read-only."""
        import numpy as np

        return np.frombuffer(self.data, "<f4").reshape(-1, self.width)


@dataclass(frozen=True, config=STRICT)
class Embeds:
    """What a Model's vectors are: `width` numbers (0: its server knows), and where they come from. `trained` says
    that they were made for comparing texts; what else a model holds of one is less of a likeness (docs/embed.md)."""

    width: int
    source: str
    trained: bool


@dataclass(frozen=True, config=STRICT)
class Pooling:
    """How a text's vector comes of the states that a model has of its tokens.

    `how`: the mean of all, the first (`cls`) or the last. `layer` is the block whose output they are, -1 for what the
    model makes of the last one. `whole` says that a text is read as one, to its end, and so within one step; `window`
    is the longest one in tokens. `only` says that the model does nothing else. `centre` (one row of 16-bit floats)
    is taken off a vector, and then what it has of the directions `leave_out` (rows of length 1).
    """

    how: Literal["mean", "cls", "last"]
    width: int = Field(ge=1, le=LIMITS.vector_width)
    window: int = Field(ge=1, le=LIMITS.embedded_tokens)
    layer: int = Field(default=-1, ge=-1)
    whole: bool = False
    only: bool = False
    centre: Data = b""
    leave_out: Data = b""

"""What the engine without a model is to do, as values: say bytes, die, hang, flood, eat, garble."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from linnet.messages import STRICT


@dataclass(frozen=True, config=STRICT)
class Say:
    """Emit these bytes (hexadecimal), one token each; a token's id is its byte."""

    hex: str
    do: Literal["say"] = "say"


@dataclass(frozen=True, config=STRICT)
class Die:
    """End by this signal, or with this exit status when the signal is 0."""

    signal: int = 0
    status: int = 0
    do: Literal["die"] = "die"


@dataclass(frozen=True, config=STRICT)
class Hang:
    """Stop making progress for so many seconds, beating no heart."""

    seconds: float
    do: Literal["hang"] = "hang"


@dataclass(frozen=True, config=STRICT)
class Flood:
    """Send so many pieces of one byte each as fast as the pipe takes them."""

    pieces: int
    do: Literal["flood"] = "flood"


@dataclass(frozen=True, config=STRICT)
class Echo:
    """Emit the bytes of the request's own prompt, so that an answer shows whose it is."""

    do: Literal["echo"] = "echo"


@dataclass(frozen=True, config=STRICT)
class Eat:
    """Take so many MiB of memory, and give them back."""

    mib: int
    do: Literal["eat"] = "eat"


@dataclass(frozen=True, config=STRICT)
class Garble:
    """Send these raw bytes (hexadecimal) in place of a record."""

    hex: str
    do: Literal["garble"] = "garble"


@dataclass(frozen=True, config=STRICT)
class Deed:
    """Run this Python in the worker, as native code of a hostile file might, and say what it calls `say` with."""

    python: str
    do: Literal["deed"] = "deed"


Action = Annotated[Say | Echo | Die | Hang | Flood | Eat | Garble | Deed, Field(discriminator="do")]


@dataclass(frozen=True, config=STRICT)
class Script:
    """What the scripted engine does for every request, in order.

    Everything but what is said happens only in the workers whose start number is listed in `generations`
    (1 is the first start; empty means in all), and `poison`, if set, only to requests that contain it.
    `load` happens while loading.
    """

    actions: tuple[Action, ...] = ()
    load: tuple[Action, ...] = ()
    generations: tuple[int, ...] = ()
    poison: str = ""
    seconds_per_token: float = 0.0

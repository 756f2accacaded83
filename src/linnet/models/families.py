"""The families that Linnet tells apart, as data. Hides where they are kept: `families.toml`, beside this file."""

from __future__ import annotations

import tomllib
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from linnet.messages import STRICT
from linnet.requests import Sampling

State: TypeAlias = Literal["on", "off", "free"]
"""Whether a model thinks before it answers; `free`: its prompt leaves it to the model."""


@dataclass(frozen=True, config=STRICT)
class Turns:
    """A way to mark turns: the text that opens one, tokens that end one, and a template to speak with."""

    opening: str
    ends: tuple[str, ...]
    template: str


@dataclass(frozen=True, config=STRICT)
class Notation:
    """A model whose template has all the `signs` writes its calls in `dialect`; "" for one that cannot be read."""

    signs: tuple[str, ...]
    dialect: str


@dataclass(frozen=True, config=STRICT)
class Advice:
    """Sampling, who recommends it, and what they recommend beside it that the engine does not have."""

    sampling: Sampling = Sampling()
    source: str = "unknown"
    beside: str = ""


@dataclass(frozen=True, config=STRICT)
class Mark:
    """What must all be so in a header; what is empty says nothing."""

    architecture: tuple[str, ...] = ()
    pre: tuple[str, ...] = ()
    turns: str = ""
    tokens: tuple[str, ...] = ()
    template: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    numbers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class Row:
    """A family: any one of its marks is enough. The other fields are those of `linnet.models.family.Family`."""

    title: str
    marks: tuple[Mark, ...] = ()
    dialect: str = ""
    stops: tuple[str, ...] = ()
    joint: str = "\n"
    thinks: State = "free"
    advice: Advice = Advice()
    thoughtful: Advice | None = None


@dataclass(frozen=True, config=STRICT)
class Table:
    """`families` in the order in which they are tried."""

    turns: dict[str, Turns]
    notations: tuple[Notation, ...]
    families: dict[str, Row]


@cache
def table() -> Table:
    data = tomllib.loads(Path(__file__).with_name("families.toml").read_text(encoding="utf-8"))
    return TypeAdapter(Table).validate_python(data)

"""The models and adapters that Linnet knows by name. Hides where they are listed: `catalogue.toml`, beside this."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from linnet.errors import ModelNotFound
from linnet.messages import STRICT
from linnet.models.shelf import Digest
from linnet.settings import ModelSettings


@dataclass(frozen=True, config=STRICT)
class Entry:
    """A known model: the distribution that carries it and the path of the file within, its hash and size.

    `sha256` is lower-case hexadecimal, `size` in bytes. `settings` are defaults of this very model, over those of
    its family.
    """

    title: str
    package: str
    file: str
    sha256: Digest
    size: Annotated[int, Field(gt=0)]
    licence: str
    source: str
    aliases: tuple[str, ...] = ()
    settings: ModelSettings = ModelSettings()


@dataclass(frozen=True, config=STRICT)
class Carried:
    """An adapter that ships with Linnet, for the known model `base`: hash and size as of an `Entry`."""

    title: str
    base: str
    sha256: Digest
    size: Annotated[int, Field(gt=0)]


def entries() -> dict[str, Entry]:
    """Every known model by its name, in the order of the file."""
    return _catalogue().models


def adapters() -> dict[str, Carried]:
    """Every adapter that ships with Linnet, by its name."""
    return _catalogue().adapters


def adapter_file(name: str) -> Path:
    """The file of an adapter that ships; its card lies beside it, as Markdown."""
    return Path(__file__).with_name("carried") / f"{name}.gguf"


def names() -> frozenset[str]:
    """What nothing else may be called: names and aliases of models, and those of adapters."""
    models = (name for proper, entry in entries().items() for name in (proper, *entry.aliases))
    return frozenset((*models, *adapters()))


@dataclass(frozen=True, config=STRICT)
class _Catalogue:
    models: dict[str, Entry]
    adapters: dict[str, Carried]


@cache
def _catalogue() -> _Catalogue:
    data = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))
    return TypeAdapter(_Catalogue).validate_python(data)


def find(name: str) -> tuple[str, Entry]:
    """The proper name and the entry for a name or an alias. Raises ModelNotFound with the nearest name."""
    names = {alias: proper for proper, entry in entries().items() for alias in (proper, *entry.aliases)}
    if name in names:
        return names[name], entries()[names[name]]
    near = difflib.get_close_matches(name[:100].lower(), names, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(names)}"
    raise ModelNotFound(f"no model is called {name[:100]!r}{guess}", name=name[:100], near=near)

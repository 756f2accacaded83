"""What a training is made of, out of a TOML file and options: unknown keys are errors with a near match.

name = "general"
base = "smollm2-135m"
examples = 20000
made = 2600

[recipe]
seed = 1
minutes = 600
rank = 16
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from linnet.errors import InputInvalid
from linnet.evals.training.plan import Recipe
from linnet.faults import first_fault
from linnet.models import naming

A_MINUTE = 400
"""Examples made up for each minute of learning: more than are used."""


@dataclass(frozen=True)
class Making:
    """`name` is the adapter's, "" for one that goes by its tools' file. `count` examples are made up, 0 for as many
    as the time may take; `made` is how many tools are made up where there are none."""

    recipe: Recipe = field(default_factory=Recipe)
    name: str = ""
    base: str = "smollm2-135m"
    count: int = 0
    made: int = 0

    @property
    def examples(self) -> int:
        return self.count or max(1_000, int(A_MINUTE * self.recipe.minutes))

    def named(self, files: Iterable[str], examples: Path | None) -> str:
        """The adapter's name, by the file that is learned from where it has none. Raises InputInvalid."""
        file = next(iter(files), str(examples) if examples else "")
        if not self.name and not file:
            raise InputInvalid(
                "there is nothing to learn", hint="Give --tools FILE, --examples FILE or --recipe FILE."
            )
        return naming.check_name(self.name) if self.name else naming.default_name(f"{Path(file).stem}.gguf")


_RECIPE, _MAKING = TypeAdapter(Recipe), TypeAdapter(Making)


def making_of(path: Path | None, options: Mapping[str, Any]) -> Making:
    """What the file says, and over it the options by name. Raises InputInvalid for what cannot be meant."""
    told = _read(path) if path else {}
    inner = told.pop("recipe", {})
    if not isinstance(inner, dict):
        raise InputInvalid(f"{str(path)!r}: recipe is not a table")
    known = {each.name for each in fields(Recipe)}
    inner |= {name: value for name, value in options.items() if name in known}
    told |= {name: value for name, value in options.items() if name not in known}
    where = str(path or "the options")
    _check_keys(where, inner, known)
    _check_keys(where, told, {each.name for each in fields(Making)} - {"recipe"})
    try:
        return replace(_MAKING.validate_python(told), recipe=_RECIPE.validate_python(inner))
    except ValidationError as error:
        raise InputInvalid(f"{where}: {first_fault(error)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be read: {error.strerror}", path=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputInvalid(f"{str(path)!r} is no TOML: {str(error)[:200]}", path=str(path)) from error


def _check_keys(where: str, told: Mapping[str, Any], known: set[str]) -> None:
    for name in told.keys() - known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(sorted(known))}."
        raise InputInvalid(f"{where}: there is nothing called {name[:80]!r}", hint=hint)

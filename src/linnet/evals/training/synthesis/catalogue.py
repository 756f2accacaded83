"""What people have tools for: acts by domain, and the slots that acts have, out of `data/`.

Hides the short form in which the files tell them. An act is a thing to have done, with ways to ask for it; a slot
is a place for a value, with its names, what it is, and ways to say it. A way to say has its value at `{}`; a phrase
has a slot's bare value at `{slot}` and its way to say at `{+slot}`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

_PLACE = re.compile(r"{\+?(\w+)}")


@dataclass(frozen=True)
class Slot:
    """`kind` is what `values` draws from; `no` are the ways to say no where the kind is `yes`."""

    key: str
    kind: str
    names: tuple[str, ...]
    about: tuple[str, ...]
    says: tuple[str, ...]
    no: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phrase:
    """A way to ask. `form` is `order` (a verb phrase), `noun`, `question` or `whole` (a sentence as it stands)."""

    form: str
    text: str

    @property
    def places(self) -> frozenset[str]:
        """The slots whose values it says itself."""
        return frozenset(_PLACE.findall(self.text))


@dataclass(frozen=True)
class Act:
    """A thing to have done. `given_by` has for a slot the one that says it by being said: who sets a brightness
    wants the light on."""

    domain: str
    name: str
    does: str
    phrases: tuple[Phrase, ...]
    slots: tuple[Slot, ...]
    required: frozenset[str]
    given_by: Mapping[str, str] = field(hash=False)

    def slot(self, key: str) -> Slot:
        return next(slot for slot in self.slots if slot.key == key)


@cache
def acts() -> tuple[Act, ...]:
    """All of them, in the order of the files."""
    found = []
    for name in ("acts_daily.toml", "acts_money.toml", "acts_world.toml"):
        for domain, told in load(name).items():
            found += [_act(domain, act, *fields) for act, fields in told.items()]
    return tuple(found)


@cache
def slots() -> dict[str, Slot]:
    return {key: _slot(key, *fields) for key, fields in load("slots.toml").items()}


@cache
def load(name: str) -> dict[str, Any]:
    """A file of `data/`."""
    return tomllib.loads(files("linnet.evals.training.synthesis").joinpath("data", name).read_text(encoding="utf-8"))


def split(text: str, by: str = ";") -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(by) if part.strip())


def _slot(key: str, kind: str, names: str, about: str, says: str) -> Slot:
    yes, _, no = says.partition(" / ") if kind == "yes" else (says, "", "")
    return Slot(key, kind, split(names), split(about), split(yes), split(no))


def _act(domain: str, name: str, does: str, orders: str, asks: str, told: str) -> Act:
    phrases = [Phrase("order", text) for text in split(orders)]
    for text in split(asks):
        form = {"?": "question", "!": "whole"}.get(text[0], "noun")
        phrases.append(Phrase(form, text.lstrip("?!")))
    listed = told.split()
    keys = [key.rstrip("?").partition("&")[0] for key in listed]
    required = frozenset(key for key, word in zip(keys, listed, strict=True) if not word.endswith("?"))
    given_by = {key: by for key, _, by in (word.rstrip("?").partition("&") for word in listed) if by}
    return Act(domain, name, does, tuple(phrases), tuple(slots()[key] for key in keys), required, given_by)

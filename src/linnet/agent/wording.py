"""A template of a sentence: text with plain named fields, filled with values as they are spoken."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from string import Formatter
from typing import Any

from linnet.errors import SettingsInvalid
from linnet.tools import spoken


class Wording:
    """`We open at {open}.`; braces that are text are doubled. No `{x.y}`, `{x[0]}`, `{x!r}` or `{x:>9}`: a template
    reads values and runs nothing of theirs. Raises SettingsInvalid."""

    def __init__(self, template: str) -> None:
        self.template = template
        try:
            parts = list(Formatter().parse(template))
        except ValueError as error:
            raise SettingsInvalid(f"the template {template!r} is wrong: {error}") from error
        for _, name, form, conversion in parts:
            if name is not None and (not name.isidentifier() or form or conversion):
                raise SettingsInvalid(f"the template {template!r} may name plain fields only, not {{{name}}}")
        self._parts = tuple((text, name or "") for text, name, _, _ in parts)

    @cached_property
    def fields(self) -> frozenset[str]:
        return frozenset(name for _, name in self._parts if name)

    def missing(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Fields that have no value here."""
        return tuple(sorted(name for name in self.fields if values.get(name) is None))

    def fill(self, values: Mapping[str, Any]) -> str | None:
        """The sentence; None when a field has no value."""
        if self.missing(values):
            return None
        return "".join(text + (spoken(values[name]) if name else "") for text, name in self._parts)

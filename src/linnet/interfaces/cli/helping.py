"""App: a group of commands whose help reads as text does.

Hides what typer leaves to each command: paragraphs flow to the width of the terminal in place of breaking where the
source does, and a flag, which takes no value, is shown without the name of one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


def flowing(text: str) -> str:
    """Each paragraph as one line. One with indented lines stays as it is: it is a table, or code."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(each if "\n " in each else " ".join(each.split()) for each in paragraphs)


class _Readable:
    """What commands and groups have in common."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.help: str | None = self.help and flowing(self.help)

    def get_params(self, ctx: Any) -> list[Any]:
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for one in found:
            if getattr(one, "is_flag", False) and one.metavar is None:
                one.metavar = ""
        return found


class Command(_Readable, TyperCommand):
    """One command."""


class Group(_Readable, TyperGroup):
    """Commands below one word."""


class App(typer.Typer):
    """As typer's, with such commands."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**{"cls": Group, **named})

    def command(self, name: str | None = None, **named: Any) -> Callable[[Any], Any]:
        return super().command(name, **{"cls": Command, **named})

"""Markdown that is made: tables whose cells are safe, headings, and the note that says who made the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `make docs` from the code. Change the code, not this page. -->"


def page(title: str, about: str, *parts: str) -> str:
    """A whole page; parts that are empty are left out."""
    return "\n\n".join(filter(None, (f"# {title}", MADE, about, *parts))) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """With a pipe or a new line in a cell written so that it stays one cell."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(value: object) -> str:
    """In backquotes, or nothing."""
    text = str(value)
    return f"`{text}`" if text else ""


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())

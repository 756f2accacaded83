"""What the kinds of `linnet eval` share: the file of lines, the bar, the open model, and numbers in words."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer

from linnet.errors import InputInvalid
from linnet.interfaces.cli import options

if TYPE_CHECKING:
    from linnet.runtime.local import LocalModel

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write a JSON line for each case here, as it is done.")
]
Outcome = TypeVar("Outcome")
Line = Callable[[Mapping[str, Any]], None]


class Described(Protocol):
    """What came of a case."""

    def describe(self) -> dict[str, Any]: ...


Told = TypeVar("Told", bound=Described)


@contextlib.contextmanager
def writing(out: Path | None) -> Iterator[Line]:
    """Writes a line; the file is opened before the work, and each line is there as soon as it is written."""
    if out is None:
        yield lambda line: None
        return
    try:
        file = out.open("w", encoding="utf-8")
    except OSError as error:
        raise InputInvalid(f"{str(out)!r} cannot be written: {error.strerror}", path=str(out)) from error
    with file:
        yield lambda line: print(json.dumps(line), file=file, flush=True)


def progress(outcomes: Iterable[Outcome], total: int) -> Iterable[Outcome]:
    """With a bar on a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return outcomes
    from rich.console import Console
    from rich.progress import track

    return track(outcomes, "running", total, console=Console(stderr=True), transient=True)


def gathered(outcomes: Iterable[Told], total: int, write: Line) -> list[Told]:
    """All of them, each written as soon as it is there, with a bar on a terminal."""
    found = []
    for outcome in progress(outcomes, total):
        found.append(outcome)
        write(outcome.describe())
    return found


@contextlib.contextmanager
def opened(name: str | None, context: int | None = None, threads: int | None = None) -> Iterator[LocalModel]:
    """The model that the settings and this name say; its processes start at once."""
    from linnet.app import open_model

    model = open_model(options.settings(model=name, context=context, threads=threads))
    try:
        model.warm()
        yield model
    finally:
        model.close()


def share(numbers: Mapping[str, Any]) -> str:
    """`67% (95% interval 21% to 94%)`; a dash where nothing was judged."""
    if numbers["share"] is None:
        return "-"
    low, high = numbers["interval"]
    return f"{numbers['share']:.0%} (95% interval {low:.0%} to {high:.0%})"


def percent(part: float | None) -> str:
    return "-" if part is None else f"{part:.1%}"


def interval(numbers: Mapping[str, Any]) -> str:
    low, high = numbers["interval"]
    return f"{100 * low:.1f}-{100 * high:.1f}" if numbers["share"] is not None else "-"


def tokens(usage: Mapping[str, int]) -> str:
    prompt = f"{usage['prompt_tokens']:,} prompt tokens ({usage['cached_tokens']:,} cached)"
    return f"{prompt}, {usage['generated_tokens']:,} generated ({usage['forced_tokens']:,} forced)"

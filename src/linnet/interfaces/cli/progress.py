"""What is seen of long work: a bar on a terminal, lines in a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from linnet.interfaces.cli import output


@contextlib.contextmanager
def bar(first: str = "looking at the model") -> Iterator[Callable[[str, float], None]]:
    """A bar on a terminal, one step at a time; in a pipe a line when a step begins."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _line(first)
        return
    from rich import progress
    from rich.console import Console

    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.TaskProgressColumn())
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(first, total=1.0)
        yield lambda what, share: shown.update(task, description=output.printable(what), completed=min(1.0, share))


def _line(first: str) -> Callable[[str, float], None]:
    before = ""

    def at(what: str, share: float) -> None:
        nonlocal before
        if what != before:
            before = what
            output.complain(f"{what} ...")

    at(first, 0.0)
    return at

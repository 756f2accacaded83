"""What commands print: answers on stdout, all else on stderr, and an error in its one form.

Hides how a terminal, a pipe and `--json` differ, and guards the terminal: control characters that come with
a model's text, a file or a name are shown, never obeyed.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from linnet.errors import FAILED, LinnetError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

DEBUG = "LINNET_DEBUG"
"""Environment variable: set to 1, errors are printed with their traceback."""

_PATIENCE = 0.3
"""Seconds before a spinner shows: a rule has answered by then."""

# --- answers -------------------------------------------------------------------------------------


def say(text: str) -> None:
    """A line of text on stdout."""
    _write(printable(text) if _terminal(sys.stdout) else text)


def say_json(value: Any) -> None:
    """A JSON value on stdout, as one line; in ASCII where the characters have no other form there."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        text = json.dumps(value)
    _write(text)


def show(*parts: RenderableType) -> None:
    """Tables and the like on stdout, as wide as the terminal; 80 columns in a pipe."""
    from rich.console import Console

    memory = io.BytesIO()
    paper = io.TextIOWrapper(memory, _encoding(), "replace", newline="", write_through=True)
    console = Console(file=paper, force_terminal=_terminal(sys.stdout), highlight=False)
    for part in parts:
        console.print(part)
    _write(memory.getvalue().decode(_encoding()).rstrip("\n"))


def table(*headings: str) -> Table:
    """An empty table, in the one look that all have."""
    from rich import box
    from rich.table import Table

    return Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)


def cell(text: str, style: str = "") -> Text:
    """A text for a table, with nothing in it that is markup or drives the terminal."""
    from rich.text import Text

    return Text(printable(text), style)


def printable(text: str) -> str:
    """The text with control characters, other than new lines and tabs, written as escapes."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""C0 and C1 control characters, and those that turn the direction of text (Unicode Annex 9)."""


def drawable(text: str) -> bool:
    """Whether stdout has these characters."""
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        return False
    return True


def _write(text: str) -> None:
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        sys.stdout.write(text.encode(_encoding(), "replace").decode(_encoding()) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        raise
    except OSError as error:
        raise typer.Exit(undelivered(error)) from error


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def _terminal(stream: Any) -> bool:
    return stream is not None and bool(stream.isatty())


# --- beside the answer ---------------------------------------------------------------------------


def complain(text: str) -> None:
    """A line on stderr."""
    typer.echo(printable(text), err=True)


def note(text: str, *, verbose: bool = False) -> None:
    """A dim line on stderr that nobody needs: on a terminal only, or when asked for."""
    if verbose or _terminal(sys.stderr):
        typer.secho(printable(text), dim=True, err=True)


@contextlib.contextmanager
def working(on: str) -> Iterator[Callable[[], None]]:
    """A spinner on stderr while something is worked on; none in a pipe, and none for what is quick. Yields what ends
    it before its time, for who wants to ask something."""
    if not _terminal(sys.stderr):
        yield lambda: None
        return
    done = threading.Event()
    spinner = threading.Thread(target=_spin, args=(on, done), daemon=True)
    spinner.start()

    def calm() -> None:
        done.set()
        spinner.join()

    try:
        yield calm
    finally:
        calm()


def _spin(on: str, done: threading.Event) -> None:
    if done.wait(_PATIENCE):
        return
    from rich.console import Console

    with Console(stderr=True).status(on):
        done.wait()


# --- errors --------------------------------------------------------------------------------------


@contextlib.contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """Ends the command with the exit code of an error that the block raises, after telling of it."""
    try:
        yield
    except (typer.Exit, BrokenPipeError):
        raise
    except LinnetError as error:
        raise typer.Exit(report(error, as_json)) from None
    except Exception as error:
        raise typer.Exit(unexpected(error, as_json)) from None


def report(error: LinnetError, as_json: bool) -> int:
    """Tells of an error: an object on stdout, or two lines on stderr. Returns its exit code."""
    _trace(error)
    if as_json:
        say_json({"error": error.describe()})
    else:
        complain(f"error: {error.message}")
        complain(f"hint: {error.hint}")
    return error.exit_code


def unexpected(error: Exception, as_json: bool = False) -> int:
    """Tells of an error that no one foresaw, in one line. Returns the exit code."""
    fault = LinnetError(f"unexpected {type(error).__name__}: {error}")
    if as_json:
        return report(fault, as_json)
    _trace(error)
    complain(f"error: {' '.join(fault.message.split())} ({fault.hint})")
    return fault.exit_code


def undelivered(error: OSError) -> int:
    """Tells that stdout takes nothing. Returns the exit code."""
    complain(f"error: the output cannot be written: {error.strerror}")
    return FAILED


def _trace(error: Exception) -> None:
    if os.environ.get(DEBUG) == "1":
        traceback.print_exception(error)

"""`linnet memory`: the facts that are kept, and the journal of what was done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import InputInvalid
from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.helping import App

if TYPE_CHECKING:
    from linnet.agent.memory import Fact, Memory

EXAMPLE = 'Example: linnet memory add "My sister is called Ingrid."'

app = App(no_args_is_help=True, help="What Linnet remembers: facts, and a journal.", epilog=EXAMPLE)

File = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="The memory; by default the one in the user's folder.")
]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As `linnet memory list` has it.", min=1)]


@app.command("list", epilog="Example: linnet memory list --about sister --json")
def list_facts(
    about: Annotated[str, typer.Option("--about", metavar="TEXT", help="Only what would be recalled for it.")] = "",
    file: File = None,
    as_json: options.Json = False,
) -> None:
    """List the facts that are remembered, the oldest first; with --about those that go best with a request."""
    with output.reporting(as_json), _opened(file) as memory:
        facts = memory.recall(about, most=_MANY) if about else memory.facts()
        if as_json:
            output.say_json([fact.describe() for fact in facts])
        else:
            _show(facts)


@app.command("show", epilog="Example: linnet memory show 1 --json")
def show_fact(number: Number, file: File = None, as_json: options.Json = False) -> None:
    """Show one fact: its text, who told it, and when."""
    with output.reporting(as_json), _opened(file) as memory:
        _tell(memory.get(number), as_json)


@app.command("add", epilog=EXAMPLE)
def add_fact(
    text: Annotated[str, typer.Argument(help="The fact: one thing, in a sentence.")],
    file: File = None,
    as_json: options.Json = False,
) -> None:
    """Remember a fact."""
    with output.reporting(as_json), _opened(file, made=True) as memory:
        _tell(memory.add(text), as_json)


@app.command("edit", epilog='Example: linnet memory edit 1 "My sister is called Sigrid."')
def edit_fact(
    number: Number,
    text: Annotated[str, typer.Argument(help="What it is to say from now on.")],
    file: File = None,
    as_json: options.Json = False,
) -> None:
    """Change the text of a fact."""
    with output.reporting(as_json), _opened(file) as memory:
        _tell(memory.edit(number, text), as_json)


@app.command("forget", epilog="Example: linnet memory forget 1 2")
def forget_facts(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="NUMBER...", min=1)] = None,
    every: Annotated[bool, typer.Option("--all", help="All facts, and the journal.")] = False,
    file: File = None,
    as_json: options.Json = False,
) -> None:
    """Forget facts: what they said is overwritten in the file."""
    with output.reporting(as_json), _opened(file) as memory:
        if every == bool(numbers):
            raise InputInvalid("give numbers of facts, or --all", hint="`linnet memory list` shows the numbers.")
        gone = memory.forget(*(numbers or [fact.id for fact in memory.facts()]))
        turns = memory.clear_journal() if every else 0
        if as_json:
            output.say_json({"forgotten": [fact.describe() for fact in gone], "turns": turns})
            return
        for fact in gone:
            output.say(f"forgotten: {fact.text}")
        if turns:
            output.say(f"forgotten: {turns} turns of the journal")


@app.command("journal", epilog="Example: linnet memory journal --last 5 --json")
def show_journal(
    last: Annotated[int, typer.Option("--last", metavar="N", help="So many turns, the newest.", min=1)] = 20,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Turns in which a call was begun and never ended.")
    ] = False,
    file: File = None,
    as_json: options.Json = False,
) -> None:
    """Show what was done: turns with their steps and calls, the newest first."""
    with output.reporting(as_json), _opened(file) as memory:
        turns = memory.unfinished()[:last] if unfinished else memory.turns(last)
        if as_json:
            output.say_json([turn.describe() for turn in turns])
            return
        if not turns:
            output.complain("There is nothing in the journal.")
            return
        table = output.table("turn", "when", "how", "request", "calls")
        for turn in turns:
            calls = ", ".join(f"{call['name']}{'' if call['outcome'] else ' (not ended)'}" for call in turn.calls)
            cells = (str(turn.id), _when(turn.began), turn.how or "not ended", turn.request[:60], calls)
            table.add_row(*map(output.cell, cells))
        output.show(table)


_MANY = 20


@contextlib.contextmanager
def _opened(file: Path | None, *, made: bool = False) -> Iterator[Memory]:
    """The memory; one that was named and is not there is only made where something is to be kept in it."""
    from linnet.agent.memory import Memory

    if file is not None and not file.is_file() and (not made or file.exists()):
        what = "is no file" if file.exists() else "is not there"
        hint = "Name another one; `linnet memory add TEXT --file FILE` makes a new one."
        raise InputInvalid(f"the memory {str(file)!r} {what}", hint=hint, path=str(file))
    memory = Memory(file)
    try:
        yield memory
    finally:
        memory.close()


def _tell(fact: Fact, as_json: bool) -> None:
    if as_json:
        output.say_json(fact.describe())
        return
    changed = f", changed {_when(fact.changed)}" if fact.changed is not None else ""
    output.say(f"{fact.id}: {fact.text} ({fact.source}, {_when(fact.made)}{changed})")


def _show(facts: list[Any]) -> None:
    if not facts:
        output.complain("Nothing is remembered.")
        return
    table = output.table("number", "fact", "from", "when")
    for fact in facts:
        cells = (str(fact.id), fact.text, fact.source, _when(fact.changed or fact.made))
        table.add_row(*map(output.cell, cells))
    output.show(table)


def _when(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))

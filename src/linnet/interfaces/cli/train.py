"""`linnet train`: an adapter of the model for one's own tools, or for tool calls in general."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import InputInvalid
from linnet.interfaces.cli import options, output, progress

if TYPE_CHECKING:
    from linnet.evals.training.example import Example
    from linnet.evals.training.plan import Estimate, Recipe
    from linnet.evals.training.recipe import Making
    from linnet.evals.training.train import Trained

EXAMPLE = "Example: linnet train --tools examples/tools.py --minutes 20 --name home"

Files = Annotated[
    list[str] | None, typer.Option("--tools", metavar="FILE,...", help="Python files; every Tool in them is learned.")
]


def train(
    tools: Files = None,
    examples: Annotated[
        Path | None,
        typer.Option("--examples", metavar="PATH", help="Examples of your own: a file, or a folder of cases."),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="TOML file that says all of it; options go before."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="The adapter's name.")] = None,
    model: options.Model = None,
    minutes: Annotated[float | None, typer.Option(metavar="N", help="Minutes of learning (20).")] = None,
    rank: Annotated[int | None, typer.Option(metavar="R", help="Rank of the adapter (16).")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same seed makes the same examples (0).")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND", help="Lessons: choose, fill, write, call; repeatable. Default: all but call."
        ),
    ] = None,
    merge: Annotated[
        str | None,
        typer.Option("--merge", metavar="TYPE", help="Make a model that has it built in as well, such as q8_0."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was ended before its time.")
    ] = False,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Teach the model your tools: requests are made up from what the tools say of themselves, and a LoRA adapter is
    trained on them, in the very words in which Linnet asks the model.

    Afterwards it is held against the model without it, on requests that it has not seen. Only if it is better is it
    stored; then it is used as MODEL+NAME. Needs the extra `train`.
    """
    with output.reporting(as_json):
        from linnet.evals.training.recipe import making_of

        given = {"minutes": minutes, "rank": rank, "seed": seed, "kinds": kind, "name": name, "base": model}
        making = making_of(recipe, {key: value for key, value in given.items() if value is not None})
        files = options.split(tools) or []
        named = making.named(files, examples)
        done = _trained(making, named, _examples(making, files, examples), merge or "", resume, threads)
        if as_json:
            output.say_json(done.describe())
        else:
            _tell(done)


def _examples(making: Making, files: Sequence[str], examples: Path | None) -> list[Example]:
    """The user's own examples, and those that are made up of tools."""
    from linnet.evals.training import example
    from linnet.evals.training.synthesis import synthesise
    from linnet.tool_files import load_tools

    found = list(example.read(examples)) if examples else []
    if files:
        made = synthesise.own(load_tools(Path(file) for file in files), making.recipe.seed)
        for tool, why in made.left_out.items():
            output.complain(f"note: {tool} is not learned: {why}")
        found += made.examples(making.examples)
    elif making.made:
        found += synthesise.general(making.recipe.seed, making.made).examples(making.examples)
    if not found:
        raise InputInvalid("there is nothing to learn", hint=EXAMPLE)
    return found


def _trained(
    making: Making, name: str, examples: Sequence[Example], merge: str, resume: bool, threads: int | None
) -> Trained:
    from linnet.evals.training.train import Watch, Wish, train

    wish = Wish(name, making.base, making.recipe, threads, merge, resume)
    with progress.bar("looking at the examples") as at:
        return train(wish, examples, Watch(output.complain, _quieter(at), _planned))


def _quieter(at: Callable[[str, float], None]) -> Callable[[str, float], None]:
    """In a pipe what changes at every step is left out."""
    if sys.stderr is not None and sys.stderr.isatty():
        return at
    return lambda what, share: at(what.partition(":")[0], share)


def _planned(estimate: Estimate, recipe: Recipe, resumed: int) -> None:
    """Time and memory, told before it starts."""
    from linnet.hardware.budget import size

    told = estimate.describe()
    begun = f"going on after step {resumed} of" if resumed else "about"
    output.complain(
        f"{begun} {estimate.steps:,} steps in {estimate.seconds / 60:.1f} minutes, {size(estimate.peak_bytes)} of "
        f"memory; {told['tokens_per_second']:.0f} tokens/s computed, {told['spelled_per_second']:.0f} of text"
    )


# --- for people ----------------------------------------------------------------------------------


def _tell(done: Trained) -> None:
    told = done.describe()
    table = output.table("held-out requests", "asked", "right", "95 %", "no call wanted", "seconds")
    for side in ("before", "after"):
        for row in told["held_out"][side]:
            table.add_row(side, row["way"], *_numbers(row))
    output.show(table)
    progress = done.learned.progress
    output.say(f"\n{progress.step:,} steps in {progress.seconds / 60:.1f} minutes; it ended for: {told['stopped']}")
    output.say(f"the adapter: {done.path}, {told['bytes'] / 1e6:.1f} MB; its card: {done.card}")
    if done.why_not:
        output.say(f"it is not stored: {done.why_not}")
        return
    output.say(f"it is stored as {done.installed}" + (f", and built in as {done.merged}" if done.merged else ""))
    output.note(f'try: linnet run "..." --model {done.installed}')


def _numbers(row: dict[str, Any]) -> tuple[str, ...]:
    low, high = row["interval"]
    return (
        f"{row['right']}/{row['of']}",
        f"{low:.0%}-{high:.0%}",
        f"{row['no_call_right']}/{row['no_call_of']}",
        f"{row['seconds']:.2f}",
    )

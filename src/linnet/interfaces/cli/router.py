"""`linnet router train` and `linnet router try`: intents from a file of examples, and what becomes of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.helping import App

TRAIN = "Example: linnet router train examples/cafe.jsonl --out cafe.npz"
TRY = 'Example: linnet router try "when do you open" --classifier cafe.npz'

_SHOWN = 10
"""Texts with several intents that are told one by one; --json has all."""

app = App(no_args_is_help=True, help="Learn what requests are about from examples.", epilog=TRAIN)


@app.command(epilog=TRAIN)
def train(
    examples: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help='A JSON line for each example: {"text", "intent"}; intent null: out of scope.'
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the classifier is kept.")],
    give_up: Annotated[
        float | None,
        typer.Option("--give-up", metavar="SHARE", min=0, max=1, help="Of requests in scope, lost to the margin."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Train a classifier of intents and keep it in a file that needs no scikit-learn to be used.

    Lines with "split": "validation" fit the margin; without any, examples are held out by turns.
    """
    with output.reporting(as_json):
        from linnet.agent.intents import training
        from linnet.agent.intents.examples import conflicts, load
        from linnet.agent.intents.file import save

        rows = load(examples)
        doubtful = conflicts((*rows.train, *rows.validation))
        for text, intents in doubtful[:_SHOWN]:
            output.complain(f"note: {text!r} is an example of {' and of '.join(intents)}")
        if len(doubtful) > _SHOWN:
            output.complain(f"note: and {len(doubtful) - _SHOWN} more texts are examples of several intents")
        with output.working("training"):
            classifier = training.train(rows.train, rows.validation, give_up=give_up)
        size = save(classifier, out)
        told = {"intents": list(classifier.intents), "ngrams": len(classifier.ngrams), "bytes": size}
        if as_json:
            several = [{"text": text, "intents": intents} for text, intents in doubtful]
            about = {"training": dict(classifier.about), "conflicts": several}
            output.say_json({**told, "margin": classifier.margin, **about})
        else:
            counted = f"{len(classifier.intents)} intents, {len(classifier.ngrams):,} n-grams"
            output.say(f"{out}: {counted}, {size:,} bytes, margin {classifier.margin:+.2f}")


@app.command("try", epilog=TRY)
def try_(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A request.")],
    classifier: Annotated[Path, typer.Option("--classifier", metavar="FILE", help="A trained classifier.")],
    as_json: options.Json = False,
) -> None:
    """Say which intent a text has, how sure that is, and what decided it. No intent is an answer, too."""
    with output.reporting(as_json):
        from linnet.agent.intents.file import load

        reading = load(classifier).read(text)
        if as_json:
            output.say_json(reading.describe())
        else:
            output.say(reading.why)

"""`linnet eval router`: which intent a request has, and which requests have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import InputInvalid, RequestError
from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import common

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.agent.intents.classifier import Classifier
    from linnet.agent.intents.examples import Examples
    from linnet.evals.router import Outcome

EXAMPLE = "Example: linnet eval router --data clinc150/data_full.json --out intents.jsonl"


class By(StrEnum):
    classifier = "classifier"
    model = "model"


def router(
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="FILE",
            help="CLINC150's data_full.json as it is, or a JSON line for each row: "
            '{"text", "intent", "split"}; intent null: out of scope; split: train, validation or test.',
        ),
    ],
    out: common.Out = None,
    by: Annotated[By, typer.Option("--by", help="Who says the intent; the model judges names by likelihood.")] = (
        By.classifier
    ),
    classifier: Annotated[
        Path | None, typer.Option("--classifier", metavar="FILE", help="A trained one, in place of training now.")
    ] = None,
    each: Annotated[
        int | None, typer.Option("--each", metavar="N", min=1, help="Train on the first N rows of each intent only.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only N test rows, taken at random.")
    ] = None,
    model: options.Model = None,
    as_json: options.Json = False,
) -> None:
    """Train on the train rows, fit the margin on the validation rows, and count on the test rows.

    A line of --out is {"text", "intent"}, with null for out of scope.
    """
    with output.reporting(as_json):
        from linnet.agent.intents.examples import few, load
        from linnet.evals.router import spread, totals

        _check_options(by, classifier, each, model)
        rows = load(data)
        if not rows.test:
            raise InputInvalid(f"{str(data)!r} has no test rows", hint='Rows with "split": "test" are counted.')
        tried = spread(rows.test, limit)
        if by is By.model:
            outcomes, about = _by_model(rows, tried, model, out)
        else:
            train = few(rows.train, each) if each else rows.train
            outcomes, about = _by_classifier(_classifier(classifier, train, rows), tried, out)
        numbers = {"by": by.value, **totals(outcomes), **about}
        if as_json:
            output.say_json(numbers)
        else:
            output.show(_table(numbers))
            output.say(f"median: {numbers['median_ms']:.2f} ms a decision; {_told(about)}")


def _check_options(by: By, classifier: Path | None, each: int | None, model: str | None) -> None:
    """An option that would do nothing is refused."""
    if by is By.model and (classifier or each):
        raise RequestError("--classifier and --each are for --by classifier", hint="Leave them out.")
    if by is By.classifier and model:
        raise RequestError("--model is for --by model", hint="Leave it out, or add --by model.")
    if classifier and each:
        raise RequestError("--each is for training, and --classifier is trained", hint="Leave one of them out.")


def _classifier(path: Path | None, train: Sequence[Any], rows: Examples) -> Classifier:
    if path is not None:
        from linnet.agent.intents.file import load

        return load(path)
    from linnet.agent.intents.training import train as trained

    with output.working("training"):
        return trained(train, rows.validation)


def _by_classifier(
    classifier: Classifier, tried: Sequence[Any], out: Path | None
) -> tuple[list[Outcome], dict[str, Any]]:
    from linnet.evals.router import Answer, evaluate

    def asked(text: str) -> Answer:
        reading = classifier.read(text)
        return Answer(reading.nearest, reading.confidence)

    outcomes = _counted(evaluate(asked, classifier.margin, tried), len(tried), out)
    about = {"intents": len(classifier.intents), "ngrams": len(classifier.ngrams), "margin": classifier.margin}
    return outcomes, {**about, "training": dict(classifier.about)}


def _by_model(
    rows: Examples, tried: Sequence[Any], model: str | None, out: Path | None
) -> tuple[list[Outcome], dict[str, Any]]:
    """The margin is fitted on as many validation rows as are tried."""
    from linnet.evals.router import ByLikelihood, evaluate, margin_of, spread

    intents = sorted({example.intent for example in rows.train if example.intent is not None})
    with common.opened(model) as opened:
        asked = ByLikelihood(opened, intents)
        fitting = list(evaluate(asked, float("-inf"), spread(rows.validation, len(tried))))
        margin = margin_of(fitting, 0.1)
        outcomes = _counted(evaluate(asked, margin, tried), len(tried), out)
    return outcomes, {"intents": len(intents), "margin": margin, "validation_rows": len(fitting)}


def _counted(found: Any, total: int, out: Path | None) -> list[Outcome]:
    with common.writing(out) as write:
        return common.gathered(found, total, write)


def _table(numbers: Mapping[str, Any]) -> Table:
    table = output.table("rows", "right", "share", "95 %")
    for column in table.columns[1:]:
        column.justify = "right"
    names = {
        "in_scope": "in scope: accuracy",
        "out_of_scope": "out of scope: recall",
        "nearest": "in scope, no margin",
    }
    for key, name in names.items():
        part = numbers[key]
        right = f"{part['right']}/{part['of']}"
        table.add_row(name, right, common.percent(part["share"]), common.interval(part))
    return table


def _told(about: Mapping[str, Any]) -> str:
    told = f"{about['intents']} intents, margin {about['margin']:+.2f}"
    training = about.get("training")
    return f"{told}, {training['rows']:,} training rows, {training['seconds']:.0f} s" if training else told

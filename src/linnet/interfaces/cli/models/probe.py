"""`linnet models probe`: how this model calls tools best, tried out and remembered."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.models.show import scores_table

if TYPE_CHECKING:
    from linnet.evals.behaviour import Tried
    from linnet.runtime.local import LocalModel

EXAMPLE = "Example: linnet models probe default --limit 8 --arm guided --arm 'json constrained'"


def probe_model(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="The name of a model, or a model file.")],
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N requests of the suite.")
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", metavar="NAME", help="One of the ways; repeatable. Default: all open."),
    ] = None,
    context: options.Context = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
) -> None:
    """Ask the same forty requests in every way that is open to the model: guided, in its own notation, as JSON; free
    and under a grammar; thinking. The best is stored under the hash of the file, and used from then on."""
    with output.reporting(as_json):
        from linnet.evals import behaviour
        from linnet.interfaces.cli.eval import common

        version, cases = behaviour.suite()
        cases = cases[:limit]
        with common.opened(model, context, threads) as opened:
            ways, closed = behaviour.arms(opened, arm or ())
            tried = _tried(behaviour.probe(opened, cases, ways), behaviour.most(cases, ways))
            told = _told(opened, tried, len(cases))
        told["suite"], told["not_tried"] = version, closed
        if as_json:
            output.say_json(told)
        else:
            _tell(told)


def _tried(outcomes: Iterator[Tried], total: int) -> list[Tried]:
    from linnet.interfaces.cli.eval import common

    return list(common.progress(outcomes, total))


def _told(model: LocalModel, tried: Sequence[Tried], cases: int) -> dict[str, Any]:
    """The profile, where it was stored, and what each arm made of each request."""
    from linnet.calling import profile as profiles
    from linnet.errors import StorageFull
    from linnet.evals import behaviour
    from linnet.storage import FULL

    ready = model.supervisor.ready
    found = behaviour.profile(
        tried,
        date=datetime.date.today().isoformat(),
        engine=ready.engine if ready else "",
        model=model.capabilities.name,
    )
    stored, reason = None, behaviour.why_unstored(tried, cases)
    if not reason:
        try:
            before, _ = profiles.load(model.original())
            found = replace(found, trust=before.trust if before else None)
            stored = str(profiles.save(model.original(), found))
        except OSError as error:
            if error.errno in FULL:
                raise StorageFull(f"the profile cannot be stored: {error.strerror}") from error
            reason = f"the profile cannot be written: {error.strerror}"
    return {
        "profile": found.describe(),
        "way": str(found.way),
        "stored": stored,
        "not_stored": reason,
        "kinds": behaviour.kinds(tried),
        "requests": [{"arm": one.arm, **one.outcome.describe()} for one in tried],
    }


# --- for people ----------------------------------------------------------------------------------


def _tell(told: dict[str, Any]) -> None:
    profile = told["profile"]
    output.show(scores_table(profile["scores"], profile["arm"]), "", _kinds_table(told["kinds"]))
    for name, reason in told["not_tried"].items():
        output.say(f"not tried: {name}: {reason}")
    output.say(f"calls of {profile['model']}: {told['way']}")
    if told["stored"]:
        output.say(f"stored: {told['stored']}")
    else:
        output.complain(f"note: not stored: {told['not_stored']}")


def _kinds_table(kinds: dict[str, dict[str, str]]) -> Any:
    names = list(dict.fromkeys(kind for row in kinds.values() for kind in row))
    table = output.table("right by kind", *names)
    for column in table.columns[1:]:
        column.justify = "right"
    for arm, row in kinds.items():
        table.add_row(output.cell(arm), *(row.get(kind, "-") for kind in names))
    return table

"""`linnet bench`: how fast a model is on this machine, held against plain loops over the same file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output

if TYPE_CHECKING:
    from linnet.evals.speed.bench import Report

EXAMPLE = "Example: linnet bench --quick --json"


def bench(
    model: options.Model = None,
    as_json: options.Json = False,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Draw how cost grows with prompts and streams: .png, .svg."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds and shorter answers: about a minute.")] = False,
    threads: options.Threads = None,
    context: options.Context = None,
    encoding: options.Encoding = None,
) -> None:
    """Measure prefill, decoding, first token, forced tokens, streams, kept prefixes, memory and rules, in turns with
    plain loops over the same file. Takes about five minutes; what else runs on the machine spoils the numbers."""
    with output.reporting(as_json):
        from linnet.evals.speed import picture as pictures

        if picture:
            pictures.check(picture)
        report = _measured(quick, model=model, context=context, threads=threads, encoding=encoding)
        if picture:
            pictures.draw(report.measures, _title(report), picture)
        if as_json:
            output.say_json(report.describe() | ({"picture": str(picture)} if picture else {}))
        else:
            _tell(report)
        if report.disturbed:
            busiest = max(report.others)
            output.complain(f"warning: others kept up to {busiest:.1f} cores busy: the numbers are too low")


def _measured(quick: bool, **arguments: Any) -> Report:
    from linnet.evals.speed import bench as speed
    from linnet.evals.speed.cases import CASES, QUICK, Plan
    from linnet.interfaces.cli.eval import common

    chosen = options.settings(**arguments)
    given: dict[str, Any] = {"context": chosen.context, "threads": chosen.threads}
    given |= {"models": chosen.models, "encoding": chosen.encoding}
    with speed.opened(chosen.model, QUICK if quick else Plan(), **given) as (stand, report):
        report.quick = quick
        for number, name in enumerate(common.progress(speed.measure(stand, report), len(CASES)), 1):
            if sys.stderr is None or not sys.stderr.isatty():  # where there is a bar otherwise
                done = "not measured" if name in report.skipped else "measured"
                output.complain(f"{number} of {len(CASES)}: {name} {done}")
        return report


# --- for people ----------------------------------------------------------------------------------


def _tell(report: Report) -> None:
    table = output.table("measure", "median", "quartiles", "unit", "against", "ratio", "quartiles")
    for column in (1, 2, 5, 6):
        table.columns[column].justify = "right"
    for one in report.measures:
        found, ratio = one.spread, one.ratio
        cells = [one.label, _number(found.median), f"{_number(found.low)}-{_number(found.high)}", one.unit]
        cells += (
            [one.peer, _ratio(ratio.median), f"{_ratio(ratio.low)}-{_ratio(ratio.high)}"] if ratio else ["", "", ""]
        )
        table.add_row(*map(output.cell, cells))
    output.show(table)
    output.say(_title(report))
    for one in report.measures:
        if one.note:
            output.say(f"{one.label}: {one.note}")
    for name, why in report.skipped.items():
        output.say(f"not measured: {name}: {why}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _title(report: Report) -> str:
    machine, model = report.machine, report.model
    cpu = f"{machine.cpu or machine.architecture}, {machine.affinity or machine.cores} cores"
    threads = f"{model['threads']} thread{'s' if model['threads'] > 1 else ''}"
    return ", ".join(filter(None, (model["name"], model.get("encoding"), threads, cpu)))

"""`linnet eval examples`: requests with what is expected of them, by a whole agent."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import FAILED, InputInvalid
from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import common

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.evals.examples import Case, Outcome

EXAMPLE = "Example: linnet eval examples --limit 5"

_HINT = "Run this in a folder that has examples/, or name --requests, --tools and --root."


def examples(
    requests: Annotated[
        Path, typer.Option("--requests", metavar="FILE", help="Requests, one JSON object a line.")
    ] = Path("examples/requests.jsonl"),
    tools: Annotated[
        str,
        typer.Option("--tools", metavar="FILE,...", help="Python files; every Tool in them is offered."),
    ] = "examples/tools.py",
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="The folder that the file tools may read.")
    ] = Path("examples/files"),
    model: options.Model = None,
    as_json: options.Json = False,
    out: common.Out = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N requests.")
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option("--fail-under", metavar="SHARE", min=0, max=1, help="End with 1 if less than this is right."),
    ] = None,
) -> None:
    """Run a file of requests and say for each what is wrong with the outcome.

    A line of the file is {"id", "text", "expect"}; what is expected is {"calls": [...]} or {"answer": ...}.
    """
    with output.reporting(as_json):
        from linnet.evals.examples import totals

        outcomes = _outcomes(_cases(requests, root)[:limit], tools, root, model, out)
        numbers = totals(outcomes)
        if as_json:
            output.say_json({"cases": [outcome.describe() for outcome in outcomes], "totals": numbers})
        else:
            output.show(_table(outcomes))
            output.say(_told(numbers))
        raise typer.Exit(FAILED if fail_under is not None and numbers["share"] < fail_under else 0)


# --- running -------------------------------------------------------------------------------------


def _cases(requests: Path, root: Path) -> tuple[Case, ...]:
    from linnet.evals.examples import load

    for path, there in ((requests, requests.exists()), (root, root.is_dir())):
        if not there:
            kind = "folder" if path == root else "requests file"
            raise InputInvalid(f"there is no {kind} {str(path)!r}", hint=_HINT, path=str(path))
    return load(requests)


def _outcomes(cases: tuple[Case, ...], tools: str, root: Path, model: str | None, out: Path | None) -> list[Outcome]:
    from linnet.app import open_agent
    from linnet.evals.examples import evaluate
    from linnet.interfaces.cli.tool_files import load_tools, split

    settings = options.settings(root=root, model=model)
    # What a tool prints is not the outcome.
    with (
        contextlib.redirect_stdout(sys.stderr),
        common.writing(out) as write,
        open_agent(settings, load_tools(split([tools]), hint=_HINT)) as agent,
    ):
        return common.gathered(evaluate(agent, cases), len(cases), write)


# --- telling -------------------------------------------------------------------------------------


def _table(outcomes: list[Outcome]) -> Table:
    table = output.table("id", "how", "outcome", "seconds")
    table.columns[-1].justify = "right"
    for outcome in outcomes:
        verdict = output.cell("right", "green") if outcome.right else output.cell(outcome.fault, "red")
        table.add_row(output.cell(outcome.case.id), outcome.how, verdict, f"{outcome.seconds:.2f}")
    return table


def _told(numbers: dict[str, Any]) -> str:
    by = ", ".join(f"{how} {count['right']} of {count['of']}" for how, count in numbers["by"].items())
    return (
        f"right: {numbers['right']} of {numbers['of']}, {common.share(numbers)}\n"
        f"by how: {by}\n"
        f"median: {numbers['median_seconds']:.2f} s; {common.tokens(numbers['usage'])}"
    )

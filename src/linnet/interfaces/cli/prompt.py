"""`linnet prompt`: the prompt lab. Prompts, notations, models and settings side by side, on one file of cases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import common
from linnet.interfaces.cli.helping import App

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.evals.lab.findings import Findings, Row
    from linnet.evals.lab.plan import Plan
    from linnet.runtime.local import LocalModel
    from linnet.settings import Settings

EXAMPLE = "Example: linnet prompt run examples/prompt_lab.yaml --html report.html"

app = App(no_args_is_help=True, help="The prompt lab: which prompt, notation, model or setting does better.")

Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report here: one page, complete in itself.")
]
Journal = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write a JSON line for each answer here, as it is there.")
]


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The case file, in YAML (docs/prompt-lab.md).")],
    html: Html = None,
    out: Journal = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --out: what has an answer there is not asked again.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N cases of the file.")
    ] = None,
    tools: Annotated[
        list[str] | None,
        typer.Option("--tools", metavar="FILE,...", help="Python files with tools to offer; none of them is run."),
    ] = None,
    context: options.Context = None,
    threads: options.Threads = None,
    encoding: options.Encoding = None,
    as_json: options.Json = False,
) -> None:
    """Try every variant of a case file on every case, and hold each against the baseline.

    `p` is McNemar's exact two-sided one on the same cases, adjusted for the number of comparisons (Holm).
    """
    with output.reporting(as_json):
        from linnet.evals.lab.case_file import load
        from linnet.interfaces.cli.tool_files import load_tools, split

        settings = options.settings(context=context, threads=threads, encoding=encoding)
        plan = load(file, load_tools(split(tools or ())), settings.model)
        if html is not None:
            _check(html)
        found = _found(_first(plan, limit), settings, out, resume)
        if html is not None:
            _write(html, found)
        if as_json:
            output.say_json(found.describe() | ({"html": str(html)} if html else {}))
        else:
            _tell(found)


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The case file to write. It must not be there yet.")],
    as_json: options.Json = False,
) -> None:
    """Write a case file to begin with: three ways to ask for a capital, six countries."""
    with output.reporting(as_json):
        from linnet.errors import InputInvalid
        from linnet.evals.lab.starter import STARTER

        try:
            with file.open("x", encoding="utf-8") as written:
                written.write(STARTER)
        except OSError as error:
            raise InputInvalid(f"{str(file)!r} cannot be written: {error.strerror}", path=str(file)) from error
        if as_json:
            output.say_json({"file": str(file)})
        else:
            output.say(f"{file} is written. Try it: linnet prompt run {file} --html report.html")


app.command(epilog=EXAMPLE)(options.sandboxed(run))
app.command(epilog="Example: linnet prompt new capitals.yaml")(new)


def _first(plan: Plan, limit: int | None) -> Plan:
    from dataclasses import replace

    return plan if limit is None else replace(plan, cases=plan.cases[:limit])


def _found(plan: Plan, settings: Settings, out: Path | None, resume: bool) -> Findings:
    from linnet.errors import InputInvalid
    from linnet.evals.lab.findings import findings
    from linnet.evals.lab.journal import Journal as Kept
    from linnet.evals.lab.trial import trials

    if resume and out is None:
        raise InputInvalid("--resume goes on with a file of answers, and none is named", hint="Name it by --out.")

    @contextlib.contextmanager
    def opened(name: str) -> Iterator[LocalModel]:
        from linnet.app import open_model

        with contextlib.closing(open_model(settings, name)) as model:
            model.warm()
            yield model

    with Kept(out, resume=resume) as journal:
        count = len(plan.cases) * len(plan.variants)
        return findings(plan, list(common.progress(trials(plan, journal, opened, _loaded(settings)), count)))


def _loaded(settings: Settings) -> str:
    """The settings that answers depend on, beside those that are in the case file."""
    return settings.model_dump_json(include={"context", "encoding", "models"})


# --- the report ----------------------------------------------------------------------------------


def _check(path: Path) -> None:
    """Refuse now what would fail after minutes of asking."""
    from linnet.errors import InputInvalid

    if path.suffix.lower() not in (".html", ".htm"):
        raise InputInvalid(f"{str(path)!r} should end in .html: what stands there is replaced", path=str(path))
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputInvalid(f"{str(path)!r} cannot be written: there is no such folder, or it is one", path=str(path))


def _write(path: Path, found: Findings) -> None:
    from linnet.errors import InputInvalid
    from linnet.evals.lab.report import page
    from linnet.storage import write_pieces

    try:
        write_pieces(path.absolute(), [page(found, _about(found)).encode()], 0o644)
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be written: {error.strerror}", path=str(path)) from error


def _about(found: Findings) -> str:
    from datetime import date

    from linnet.hardware.probe import probe

    machine = probe()
    plan = found.plan
    models = ", ".join(plan.models)
    cpu = f"{machine.cpu or machine.architecture}, {machine.affinity or machine.cores} cores"
    counted = f"{len(plan.cases)} cases, {len(plan.variants)} variants"
    return f"{counted} · {models} · {cpu} · {date.today().isoformat()}"


# --- for people ----------------------------------------------------------------------------------


def _tell(found: Findings) -> None:
    output.show(_table(found))
    for row in found.rows:
        if row.errors or row.noted:
            output.complain(f"note: {row.variant}: {row.errors} errors, {row.noted} answers with notes")


def _table(found: Findings) -> Table:
    table = output.table("variant", "right", "95 %", "+/-", "p", "seconds", "tokens", "made")
    for column in table.columns[1:]:
        column.justify = "right"
        column.no_wrap = True
    for row in found.rows:
        low, high = row.interval
        told = [f"{row.right}/{row.of}", f"{100 * low:.0f}-{100 * high:.0f}", *_against(row)]
        made = row.tokens.written + row.tokens.forced
        told += [f"{row.seconds.median:.2f}", f"{row.tokens.total:.0f}", f"{made:.0f}"]
        table.add_row(output.cell(row.variant, _style(row)), *told)
    return table


def _against(row: Row) -> tuple[str, str]:
    """What a variant has gained and lost, and how likely that is luck."""
    one = row.contrast
    return ("", "baseline") if one is None else (f"+{one.gained} -{one.lost}", f"{one.adjusted:.2g}")


def _style(row: Row) -> str:
    verdict = row.contrast.verdict if row.contrast else ""
    return {"better": "green", "worse": "red"}.get(verdict, "")

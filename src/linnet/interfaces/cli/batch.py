"""`linnet batch`: a file of requests, a file of answers."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from linnet.errors import FAILED, RequestError
from linnet.interfaces.cli import options, output
from linnet.limits import LIMITS

EXAMPLE = "Example: linnet batch examples/batch.jsonl --tools examples/tools.py --out answers.jsonl"


def batch(
    requests: Annotated[
        Path, typer.Argument(metavar="FILE", help='Requests, {"id", "text"} a line, or a row of a .parquet file.')
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the answers go, a JSON object a line, or .parquet.")
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with FILE where an earlier run ended; what is answered stays.")
    ] = False,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="Run failed and interrupted requests once more, although tools may have run."),
    ] = False,
    at_once: Annotated[
        int, typer.Option("--at-once", metavar="N", min=1, max=LIMITS.queue, help="Requests that run together.")
    ] = LIMITS.turns_at_once,
    tools_in_order: Annotated[
        bool, typer.Option("--tools-in-order", help="Run a request's tools when all before it are answered.")
    ] = False,
    unordered: Annotated[
        bool, typer.Option("--unordered", help="Leave the answers in the order in which they were done.")
    ] = False,
    on_ray: Annotated[
        bool, typer.Option("--ray", help="Run on Ray: on all of this machine's cores, or on a cluster.")
    ] = False,
    replicas: Annotated[
        int | None,
        typer.Option("--replicas", metavar="N", min=1, help="With --ray: agents, each with a worker of its own."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="ADDRESS", help="With --ray: a cluster that runs; auto finds it."),
    ] = None,
    root: options.Folder = None,
    model: options.Model = None,
    tools: options.ToolFiles = None,
    standard: options.Standard = None,
    allow: options.Allow = None,
    deny: options.Deny = None,
    as_json: options.Json = False,
    context: options.Context = None,
    threads: options.Threads = None,
    encoding: options.Encoding = None,
    require_sandbox: options.RequireSandbox = False,
    timeout: options.Timeout = None,
) -> None:
    """Answer a file of requests, several at once, and go on after a crash with nothing done twice.

    A line of the output is what `linnet run --json` prints, with the `id` and the `line` of its request. Answers are
    there as soon as there are any, and in the order of the requests at the end. Exit code 1: some failed.
    """
    with output.reporting(as_json):
        chosen = options.chosen(root, model, context, threads, encoding, require_sandbox, timeout, allow, deny)
        named = (tools or [], standard or [])
        how: dict[str, Any] = {"retry": retry, "ordered": not unordered}
        started = time.monotonic()
        if on_ray:
            if tools_in_order:
                raise RequestError("--tools-in-order waits in one process", hint="Leave it out, or --ray.")
            where = {"at_once": at_once, "replicas": replicas, "address": address}
            counts = _on_ray(requests, out, resume or retry, chosen, named, where, how)
        else:
            if replicas or address:
                raise RequestError("--replicas and --address are for a batch on Ray", hint="Add --ray.")
            how |= {"at_once": at_once, "tools_in_order": tools_in_order}
            counts = _answered(requests, out, resume or retry, chosen, named, how)
        seconds = round(time.monotonic() - started, 3)
        if as_json:
            output.say_json({**counts, "seconds": seconds, "out": str(out)})
        else:
            output.say(f"{_told(counts)} · {seconds:.1f} s · {out}")
        raise typer.Exit(FAILED if counts["failed"] or counts["interrupted"] else 0)


def _answered(
    requests: Path,
    out: Path,
    resume: bool,
    chosen: dict[str, Any],
    named: tuple[list[str], list[str]],
    how: dict[str, Any],
) -> dict[str, int]:
    settings = options.settings(**chosen)
    from linnet.agent.batch import parquet
    from linnet.agent.batch.batch import answer_file
    from linnet.agent.batch.ledger import Ledger
    from linnet.app import open_agent
    from linnet.interfaces.cli.tool_files import sorted_out
    from linnet.interfaces.exporting import export

    export(settings)
    with (
        _begun(requests, out) as (rows, ended),
        open_agent(settings, *sorted_out(*named), told=output.complain) as agent,
        contextlib.closing(Ledger(rows, resume=resume)) as ledger,
    ):
        counts = answer_file(agent, requests, ledger, ended=ended, **how)
        parquet.write(out)
        return counts


def _on_ray(
    requests: Path,
    out: Path,
    resume: bool,
    chosen: dict[str, Any],
    named: tuple[list[str], list[str]],
    where: dict[str, Any],
    how: dict[str, Any],
) -> dict[str, int]:
    settings = options.settings(**chosen)
    from linnet.agent.batch import parquet
    from linnet.interfaces.scale.batch import Plan, answer_file

    with _begun(requests, out) as (rows, ended):
        plan = Plan(settings, named, **where)
        counts = answer_file(plan, requests, rows, resume=resume, ended=ended, told=output.complain, **how)
        parquet.write(out)
        return counts


@contextlib.contextmanager
def _begun(requests: Path, out: Path) -> Iterator[tuple[Path, Callable[..., None]]]:
    """Both files looked at; yields where the rows go, and what moves the bar on. What a tool prints is no outcome."""
    from linnet.agent.batch import lines, parquet

    parquet.check(out)
    total = len(lines.keys(requests))
    with contextlib.redirect_stdout(sys.stderr), _bar(total) as ended:
        yield parquet.rows_of(out), ended


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Callable[..., None]]:
    """A bar on a terminal, nothing in a pipe; yields what moves it on, from any thread."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda count=1: None
        return
    from rich.console import Console
    from rich.progress import Progress

    lock = threading.Lock()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("answering", total=total)

        def ended(count: int = 1) -> None:
            with lock:
                progress.advance(task, count)

        yield ended


def _told(counts: dict[str, int]) -> str:
    """`48 requests: 46 done, 2 failed (10 were answered before)`"""
    parts = [f"{counts[name]} {name}" for name in ("done", "failed", "interrupted") if counts[name] or name == "done"]
    kept = f" ({counts['kept']} were answered before)" if counts["kept"] else ""
    return f"{counts['requests']} requests: {', '.join(parts)}{kept}"

"""`linnet profile`: where time and memory of one request go, phase by phase."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output, trace
from linnet.interfaces.cli.run import request_of

if TYPE_CHECKING:
    from linnet.evals.speed.profile import Phase, Profile
    from linnet.hardware.process import Held

EXAMPLE = 'Example: linnet profile "Name three rivers." --picture profile.png'


def profile(
    text: Annotated[str, typer.Argument(help="The request; - reads it from standard input.")],
    root: options.Folder = None,
    model: options.Model = None,
    tools: options.ToolFiles = None,
    standard: options.Standard = None,
    allow: options.Allow = None,
    deny: options.Deny = None,
    as_json: options.Json = False,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Draw memory and phases over time: .png, .svg."),
    ] = None,
    context: options.Context = None,
    threads: options.Threads = None,
    encoding: options.Encoding = None,
    require_sandbox: options.RequireSandbox = False,
    timeout: options.Timeout = None,
    router: options.RouterFile = None,
) -> None:
    """Answer one request, and tell for each phase its time, its tokens, and the memory of this process and of the
    model's: resident, of it private, and shared with others that map the same file."""
    with output.reporting(as_json):
        from linnet.evals.speed import picture as pictures

        if picture:
            pictures.check(picture)
        chosen = options.chosen(
            root, model, context, threads, encoding, require_sandbox, timeout, allow, deny, router
        )
        found = _profiled(text, tools or [], standard or [], chosen)
        if picture:
            from linnet.evals.speed.profile_picture import draw

            draw(found, _title(found), picture)
        if as_json:
            output.say_json(found.describe() | ({"picture": str(picture)} if picture else {}))
        else:
            _tell(found)
        raise typer.Exit(found.result.exit_code)


def _profiled(text: str, tools: list[str], standard: list[str], chosen: dict[str, Any]) -> Profile:
    request, settings = request_of(text), options.settings(**chosen)
    from linnet.app import open_agent
    from linnet.evals.speed.profile import profiled
    from linnet.interfaces.cli.tool_files import sorted_out
    from linnet.interfaces.exporting import export

    export(settings)
    # What a tool prints is not the profile.
    with contextlib.redirect_stdout(sys.stderr), output.working("thinking"):
        files, named = sorted_out(tools, standard)
        return profiled(lambda: open_agent(settings, files, named, told=output.complain), request)


# --- for people ----------------------------------------------------------------------------------


def _tell(found: Profile) -> None:
    table = output.table("phase", "time", "read", "cached", "made", "caller, private", "worker, private")
    for column in table.columns[1:]:
        column.justify = "right"
    for phase in found.phases:
        table.add_row(*map(output.cell, _cells(phase)))
    output.show(table)
    output.say("read, cached, made: tokens; caller and worker: resident MiB, and what of it is private")
    output.say(f"answer: {found.result.answer}")
    output.say(_title(found))
    thin = [phase.name for phase in found.phases if not phase.samples]
    if thin:
        output.note(f"too short for a sample of their own: {', '.join(thin)}")


def _cells(phase: Phase) -> list[str]:
    usage = phase.usage
    counts = (usage.prompt_tokens - usage.cached_tokens, usage.cached_tokens, usage.generated_tokens)
    sizes = (_held(phase.caller), _held(phase.workers))
    return [phase.name, trace.span(phase.seconds), *(str(n) if n else "" for n in counts), *sizes]


def _held(held: Held) -> str:
    return f"{_mib(held.resident)}, {_mib(held.private)}" if held.resident else ""


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f}" if size else ""


def _title(found: Profile) -> str:
    model = f"{found.result.model}, " if found.result.model else ""
    peaks = f"peak of the caller {_mib(found.caller_peak)} MiB, of its workers {_mib(found.workers_peak) or 0} MiB"
    return f"{model}{trace.span(found.seconds)} in all, {peaks}"

"""`linnet run`: one request, one answer."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import InputInvalid, RequestTooLarge
from linnet.interfaces.cli import options, output, telling, trace
from linnet.limits import LIMITS

if TYPE_CHECKING:
    from linnet.agent.result import Result

EXAMPLE = 'Example: linnet run "What is 17 times 24?" --json'


def run(
    text: Annotated[str, typer.Argument(help="The request; - reads it from standard input.")],
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
    router: options.RouterFile = None,
    run_id: Annotated[
        str,
        typer.Option("--run-id", metavar="ID", help="Go on with the run of this id; no tool of it runs twice."),
    ] = "",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say how the answer came about, also in a pipe.")
    ] = False,
    traced: Annotated[
        bool, typer.Option("--trace", help="Draw what was done as a tree, with times, tokens and reasons.")
    ] = False,
) -> None:
    """Answer one request: by a rule, a tool, or the model's own words."""
    with output.reporting(as_json):
        from linnet.agent.trace import trace_of

        chosen = options.chosen(
            root, model, context, threads, encoding, require_sandbox, timeout, allow, deny, router
        )
        result, load = _answer(text, tools or [], standard or [], chosen, run_id)
        if as_json:
            output.say_json(result.describe() | ({"trace": trace_of(result, load).describe()} if traced else {}))
        else:
            telling.tell(result, verbose)
            if traced:
                output.show(*trace.draw(trace_of(result, load)))
        raise typer.Exit(result.exit_code)


def _answer(
    text: str, tools: list[str], standard: list[str], chosen: dict[str, Any], run_id: str
) -> tuple[Result, float | None]:
    """The result, and the seconds that loading the model took, if it was asked."""
    request, settings = request_of(text), options.settings(**chosen)
    from linnet.app import load_seconds, open_agent
    from linnet.interfaces.cli.approval import asker
    from linnet.interfaces.cli.tool_files import sorted_out
    from linnet.interfaces.exporting import export

    export(settings)
    # What a tool prints is not the answer.
    with contextlib.redirect_stdout(sys.stderr):
        files, named = sorted_out(tools, standard)
        ask = asker()
        with (
            open_agent(settings, files, named, ask, output.complain) as agent,
            output.working("thinking") as calm,
        ):
            if ask is not None:
                ask.calm = calm
            return agent.run(request, run_id=run_id), load_seconds(agent.model)


# --- the request ---------------------------------------------------------------------------------


def request_of(text: str) -> str:
    """The text itself, or standard input for `-`: no more of it than a request may be long."""
    data = _standard_input() if text == "-" else text.encode(errors="surrogateescape")
    if len(data) > LIMITS.request_bytes:
        raise RequestTooLarge(f"the request is over {LIMITS.request_bytes:,} bytes", limit=LIMITS.request_bytes)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        hint = "Convert it first, for example with iconv."
        raise InputInvalid(f"the request is not UTF-8 at byte {error.start}", hint=hint) from error


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise InputInvalid("standard input is closed", hint="Give the request as text.")
    if sys.stdin.isatty():
        output.note("Type the request, then Ctrl-D.")
    try:
        return sys.stdin.buffer.read(LIMITS.request_bytes + 1)
    except OSError as error:
        message = f"standard input cannot be read: {error.strerror}"
        raise InputInvalid(message, hint="Give the request as text.") from error

"""`linnet chat`: the command, its options, and which face it has."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output

if TYPE_CHECKING:
    from linnet.agent.agent import Agent
    from linnet.agent.execute import Approve
    from linnet.interfaces.cli.chat.talk import Opener, Talk
    from linnet.settings import Settings

    _Opening = Callable[[Approve | None], Opener]

EXAMPLE = "Example: echo 'What is 17 times 24?' | linnet chat"


def chat(
    root: options.Folder = None,
    model: options.Model = None,
    tools: options.ToolFiles = None,
    standard: options.Standard = None,
    allow: options.Allow = None,
    deny: options.Deny = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="FILE", help="Go on with a conversation that /save wrote.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a turn, as `run` does.")] = False,
    context: options.Context = None,
    threads: options.Threads = None,
    encoding: options.Encoding = None,
    require_sandbox: options.RequireSandbox = False,
    timeout: options.Timeout = None,
    router: options.RouterFile = None,
) -> None:
    """Talk with the model: on a terminal, or over a pipe, a request on each line.

    /help lists the commands. Over a pipe nobody is asked: a tool that needs a permission has it by --allow, or not.
    """
    with output.reporting(as_json):
        chosen = options.chosen(
            root, model, context, threads, encoding, require_sandbox, timeout, allow, deny, router
        )
        settings = options.settings(**chosen)
        interactive = not as_json and _is_terminal(sys.stdin) and _is_terminal(sys.stdout)
        begin = _on_terminal if interactive else _over_pipe
        begin(lambda approve: _opener(settings, tools or [], standard or [], approve), resume, as_json)


def _is_terminal(stream: Any) -> bool:
    return stream is not None and bool(stream.isatty())


def _on_terminal(opener: _Opening, resume: Path | None, as_json: bool) -> None:
    from linnet.interfaces.cli.chat.busy import deaf
    from linnet.interfaces.cli.chat.loop import converse
    from linnet.interfaces.cli.chat.remembered import history_file
    from linnet.interfaces.cli.chat.terminal import Terminal

    face = Terminal(sys.stdout, history_file())
    with _talk(opener(face.approve), resume) as talk:
        count = len(talk.agent.tools)
        told = f"{talk.agent.model.capabilities.name} · {count} tool{'' if count == 1 else 's'}"
        said = f" · {len(talk.history)} messages" if talk.history else ""
        face.print(output.cell(f"{told}{said} · /help for commands, Ctrl-D ends", "dim"))
        with deaf():
            converse(talk, face)


def _over_pipe(opener: _Opening, resume: Path | None, as_json: bool) -> None:
    from linnet.interfaces.cli.chat.loop import converse
    from linnet.interfaces.cli.chat.pipe import Pipe

    face = Pipe(as_json)
    with _talk(opener(face.approve), resume) as talk:
        converse(talk, face)


@contextlib.contextmanager
def _talk(opener: Opener, resume: Path | None) -> Iterator[Talk]:
    from linnet.interfaces.cli.chat.saved import load
    from linnet.interfaces.cli.chat.talk import Talk

    history = load(resume) if resume is not None else ()
    with Talk(opener, history) as talk:
        yield talk


def _opener(settings: Settings, tools: list[str], standard: list[str], approve: Approve | None) -> Opener:
    """Tools of files are loaded once: what they remember outlives a change of the model."""
    from linnet.app import open_agent
    from linnet.interfaces.cli.tool_files import sorted_out

    with contextlib.redirect_stdout(sys.stderr):
        files, named = sorted_out(tools, standard)

    def opened(name: str | None) -> Agent:
        found = settings if name is None else settings.model_copy(update={"model": name})
        return open_agent(found, files, named, approve, output.complain)

    return opened

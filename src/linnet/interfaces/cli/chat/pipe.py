"""A chat over a pipe: a line in, an answer out. No prompts, no colours, and nobody to ask for approval."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import typer

from linnet.agent.result import Result
from linnet.errors import InputInvalid, LinnetError
from linnet.interfaces.cli import output, telling
from linnet.interfaces.cli.chat.commands import Reply
from linnet.interfaces.cli.chat.following import Begin, unforeseen
from linnet.interfaces.cli.chat.lines import read_entry

if TYPE_CHECKING:
    from linnet.agent.underway import Streaming


class Pipe:
    """`as_json`: one object on a line for each entry, a command's too."""

    approve = None

    def __init__(self, as_json: bool) -> None:
        if sys.stdin is None:
            raise InputInvalid("standard input is closed", hint="Give requests, one a line.")
        if sys.stdin.isatty():
            output.note("Type a request on each line; Ctrl-D ends the chat.")
        self._as_json = as_json

    def read(self) -> str | None:
        try:
            return read_entry(sys.stdin.buffer)
        except OSError as error:
            unread = InputInvalid(f"standard input cannot be read: {error.strerror}", hint="Give requests as text.")
            raise typer.Exit(output.report(unread, self._as_json)) from error

    def follow(self, begin: Begin) -> Result:
        with contextlib.redirect_stdout(sys.stderr):  # what a tool prints is no answer
            result = _last(begin())
        if self._as_json:
            output.say_json(result.describe())
        else:
            telling.tell(result)
        return result

    def show(self, command: str, reply: Reply) -> None:
        if self._as_json:
            output.say_json({"command": command, **reply.data})
        elif reply.parts:
            output.show(*reply.parts)

    def fail(self, error: LinnetError) -> None:
        output.report(error, self._as_json)

    def breakable(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def cancelled(self) -> None:
        raise KeyboardInterrupt


def _last(stream: Streaming) -> Result:
    try:
        for event in stream:
            if isinstance(event, Result):
                return event
    except Exception as error:
        raise unforeseen(error) from error
    raise LinnetError("the turn had no end")

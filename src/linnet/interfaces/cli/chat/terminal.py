"""A chat on a terminal: what is typed, what is shown, and who is asked whether a call may be made."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console, RenderableType

from linnet.agent.result import Result
from linnet.errors import LinnetError
from linnet.interfaces.cli import output
from linnet.interfaces.cli.approval import Asker
from linnet.interfaces.cli.chat.busy import breakable, busy
from linnet.interfaces.cli.chat.commands import COMMANDS, Reply
from linnet.interfaces.cli.chat.following import Begin, Desk, Following, Question
from linnet.interfaces.cli.chat.keys import Keys
from linnet.interfaces.cli.chat.screen import Screen


class Terminal:
    """`approve` is for the agent: it asks in the midst of a turn."""

    def __init__(self, out: TextIO, history: Path) -> None:
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="replace")  # a terminal that has no arrow has a question mark
        self._out = out
        self._console = Console(file=out, highlight=False)
        self._keys = Keys([command.name for command in COMMANDS], history, out)
        self._ask = Asker(read=self._keys.ask)
        self.approve = Desk()

    def read(self) -> str | None:
        return self._keys.read()

    def follow(self, begin: Begin) -> Result:
        following = self.approve.following = Following()
        with (
            contextlib.redirect_stdout(sys.stderr),  # what a tool prints is no answer
            busy(following.interrupt),
            contextlib.closing(following.events(begin)) as events,
            Screen(self._console) as screen,
        ):
            for event in events:
                if isinstance(event, Question):
                    screen.calm()
                    with contextlib.redirect_stderr(self._out):  # seen, wherever errors go
                        following.answer(self._ask(event.tool, event.call))
                    continue
                screen.tell(event)
                if isinstance(event, Result):
                    return event
        raise LinnetError("the turn had no end")

    def show(self, command: str, reply: Reply) -> None:
        self.print(*reply.parts)

    def print(self, *parts: RenderableType) -> None:
        for part in parts:
            self._console.print(part)

    def fail(self, error: LinnetError) -> None:
        with contextlib.redirect_stderr(self._out):
            output.report(error, as_json=False)

    def breakable(self) -> contextlib.AbstractContextManager[None]:
        return breakable()

    def cancelled(self) -> None:
        self.print(output.cell("cancelled: it is not part of the conversation; /retry asks it again", "yellow"))

"""The loop of a chat: an entry is read, a command or a request, and what comes of it is shown.

A Face is whoever sits at the other end: a terminal, or a pipe. What goes wrong with one entry is told there, and the
next one is read.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from linnet.errors import LinnetError
from linnet.interfaces.cli.chat.commands import Reply, parse
from linnet.interfaces.cli.chat.following import Begin
from linnet.interfaces.cli.chat.talk import Talk

if TYPE_CHECKING:
    from linnet.agent.result import Result


class Face(Protocol):
    def read(self) -> str | None:
        """The next entry, None at the end. Raises LinnetError for one that cannot be used."""

    def follow(self, begin: Begin) -> Result:
        """Begins a turn, and shows it up to its end. Raises what it raises; KeyboardInterrupt if it was cancelled."""

    def show(self, command: str, reply: Reply) -> None: ...

    def fail(self, error: LinnetError) -> None: ...

    def breakable(self) -> AbstractContextManager[None]:
        """Ctrl-C ends what runs within."""

    def cancelled(self) -> None:
        """Ctrl-C was pressed: raises KeyboardInterrupt where that is to end the program."""


def converse(talk: Talk, face: Face) -> None:
    """Until the input ends, or /quit."""
    going = True
    while going:
        try:
            entry = face.read()
            going = entry is not None and _take(talk, face, entry)
        except LinnetError as error:
            face.fail(error)
        except KeyboardInterrupt:
            face.cancelled()


def _take(talk: Talk, face: Face, entry: str) -> bool:
    """Whether the chat goes on."""
    if not entry.strip():
        return True
    taken = parse(entry)
    if isinstance(taken, str):
        talk.answered(face.follow(lambda: talk.ask(taken)))
        return True
    command, argument = taken
    with face.breakable():
        reply = command.do(talk, argument)
    if reply.retry:
        talk.answered(face.follow(talk.ask_again))
    elif not reply.over:
        face.show(command.name, reply)
    return not reply.over

"""The commands of a chat, as data: name, what follows it, what it does, in a line of help. `/help` prints this list.

What a command finds is a Reply, which a terminal and a pipe show each in its own way.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.errors import InputInvalid
from linnet.interfaces.cli import output, trace
from linnet.interfaces.cli.chat import views
from linnet.interfaces.cli.chat.saved import load, save
from linnet.interfaces.cli.chat.talk import Talk

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Reply:
    """What a command found: `data` as JSON has it, `parts` as people read it. `retry`: the last request is to be
    asked again; `over`: the chat ends."""

    data: dict[str, Any] = field(default_factory=dict)
    parts: Sequence[RenderableType] = ()
    retry: bool = False
    over: bool = False


@dataclass(frozen=True)
class Command:
    """`argument` names what follows the command; with brackets around it, it may be left out."""

    name: str
    argument: str
    help: str
    do: Callable[[Talk, str], Reply]

    @property
    def usage(self) -> str:
        return f"/{self.name} {self.argument}".rstrip()

    def check(self, argument: str) -> None:
        """Raises InputInvalid for an argument that is missing, or for which there is no place."""
        if argument and not self.argument:
            raise InputInvalid(f"/{self.name} takes nothing after it", hint=f"Type {self.usage}.")
        if not argument and self.argument and not self.argument.startswith("["):
            raise InputInvalid(f"/{self.name} needs {self.argument}", hint=f"Type {self.usage}.")


_COMMAND = re.compile(r"/([A-Za-z]+)(?:\s+(.*))?", re.DOTALL)


def parse(entry: str) -> tuple[Command, str] | str:
    """The command and what follows it, or the request that this is: `/etc/hosts` is one, and `//help` asks "/help".

    Raises InputInvalid for an unknown command.
    """
    text = entry.strip()
    if text.startswith("//"):
        return text[1:]
    found = _COMMAND.fullmatch(text)
    if found is None:
        return text
    command = _named(found[1].lower())
    argument = (found[2] or "").strip()
    command.check(argument)
    return command, argument


def _named(name: str) -> Command:
    for command in COMMANDS:
        if command.name == name:
            return command
    near = difflib.get_close_matches(name, [command.name for command in COMMANDS], 1)
    hint = f"Did you mean /{near[0]}?" if near else "/help lists them; //... asks it as it stands."
    raise InputInvalid(f"there is no command /{name}", hint=hint)


# --- what they do --------------------------------------------------------------------------------


def _help(talk: Talk, argument: str) -> Reply:
    rows = [(command.usage, command.help) for command in COMMANDS]
    return Reply({"commands": [{"usage": usage, "help": text} for usage, text in rows]}, views.help_table(rows))


def _tools(talk: Talk, argument: str) -> Reply:
    found = views.tools(talk.agent)
    return Reply({"tools": found}, views.tools_table(found))


def _model(talk: Talk, argument: str) -> Reply:
    if argument:
        talk.change(argument)
    can = talk.agent.model.capabilities
    text = f"{can.name}, a context of {can.context:,} tokens"
    data = {"model": can.name, "context": can.context, "encoding": can.encoding}
    return Reply(data, [output.cell(f"{text}, {can.encoding}" if can.encoding else text)])


def _context(talk: Talk, argument: str) -> Reply:
    data = views.context(talk.agent.fitted(talk.history, talk.asked))
    return Reply(data, views.context_bars(data))


def _trace(talk: Talk, argument: str) -> Reply:
    if talk.last is None:
        raise InputInvalid("there is no turn to show yet", hint="Ask something first.")
    from linnet.agent.trace import trace_of

    found = trace_of(talk.last)
    return Reply({"how": talk.last.how} | found.describe(), trace.draw(found))


def _retry(talk: Talk, argument: str) -> Reply:
    return Reply(retry=True)


def _save(talk: Talk, argument: str) -> Reply:
    path = _path(argument)
    save(path, talk.history, talk.agent.model.capabilities.name)
    return _told("saved", path, len(talk.history))


def _load(talk: Talk, argument: str) -> Reply:
    path = _path(argument)
    talk.begin(load(path))
    return _told("loaded", path, len(talk.history))


def _reset(talk: Talk, argument: str) -> Reply:
    gone = len(talk.history)
    talk.begin()
    return Reply({"forgotten": gone}, [output.cell(f"{gone} messages are forgotten")])


def _quit(talk: Talk, argument: str) -> Reply:
    return Reply(over=True)


def _path(argument: str) -> Path:
    try:
        return Path(argument).expanduser()
    except RuntimeError as error:
        raise InputInvalid(f"{argument!r} is in no home folder", hint="Name a file.") from error


def _told(what: str, path: Path, messages: int) -> Reply:
    return Reply({what: str(path), "messages": messages}, [output.cell(f"{what} {messages} messages: {path}")])


COMMANDS = (
    Command("help", "", "what there is to type", _help),
    Command("tools", "", "the tools on offer, and what each may do", _tools),
    Command("model", "[NAME]", "which model answers; with a name, another one goes on with the conversation", _model),
    Command("context", "", "how the model's context is shared out, and what has no room in it", _context),
    Command("trace", "", "what was done in the last turn, as a tree with times and tokens", _trace),
    Command("retry", "", "ask the last request again; its answer takes the place of the first", _retry),
    Command("save", "FILE", "write the conversation to a file", _save),
    Command("load", "FILE", "go on with a conversation that was saved", _load),
    Command("reset", "", "forget the conversation", _reset),
    Command("quit", "", "end the chat, as Ctrl-D does", _quit),
)

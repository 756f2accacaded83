"""What is typed on a terminal: entries of one or more lines with their history, and short answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output
from prompt_toolkit.shortcuts import CompleteStyle

from linnet.interfaces.cli.chat.remembered import Remembered


class Keys:
    """`commands` are completed by the tab key; `history` is the file of what was typed."""

    def __init__(self, commands: Sequence[str], history: Path, out: TextIO) -> None:
        output = create_output(out)
        self._entries: PromptSession[str] = PromptSession(
            message="> ",
            multiline=True,
            prompt_continuation="  ",
            history=Remembered(history),
            key_bindings=_bindings(),
            completer=_Commands(commands),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,  # a menu would need room below, and scroll what is there
            reserve_space_for_menu=0,
            output=output,
        )
        self._answers: PromptSession[str] = PromptSession(message="? ", history=InMemoryHistory(), output=output)

    def read(self) -> str | None:
        """None for Ctrl-D, and "" for Ctrl-C: what was typed so far is dropped."""
        try:
            return self._entries.prompt()
        except EOFError:
            return None
        except KeyboardInterrupt:
            return ""

    def ask(self) -> str:
        """One line; "" for Ctrl-D. Raises KeyboardInterrupt for Ctrl-C."""
        try:
            return self._answers.prompt()
        except EOFError:
            return ""


def _bindings() -> KeyBindings:
    bindings = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)  # and not the search in the history
    bindings.add("enter", filter=typing)(_entered)
    bindings.add("escape", "enter", filter=typing)(_another_line)
    return bindings


def _entered(event: KeyPressEvent) -> None:
    buffer = event.current_buffer
    if buffer.document.text_before_cursor.endswith("\\"):
        buffer.delete_before_cursor()
        buffer.insert_text("\n")
    else:
        buffer.validate_and_handle()


def _another_line(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text("\n")


class _Commands(Completer):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        typed = document.text_before_cursor
        if typed.startswith("/"):
            found = (f"/{name}" for name in self._names)
            yield from (Completion(name, -len(typed)) for name in found if name.startswith(typed))

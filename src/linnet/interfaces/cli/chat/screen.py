"""Screen: one turn on a terminal, written from top to bottom and never rewritten, but for a spinner while it waits.

Hides where lines begin and end, and guards the terminal: what a model or a tool says is shown, never obeyed.
"""

from __future__ import annotations

import json
from types import TracebackType

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.text import Text

from linnet.agent.events import Said, TurnEvent
from linnet.agent.result import Result
from linnet.interfaces.cli import telling
from linnet.interfaces.cli.chat.following import Quiet
from linnet.interfaces.cli.chat.wrapping import Wrapping
from linnet.interfaces.cli.output import printable
from linnet.messages import ToolCall, ToolResult


class Screen:
    """To be told of each event in turn; leaving the `with` block ends the line and the spinner."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._wrapping = Wrapping(lambda: console.width)
        self._status: Status | None = None
        self._doing = "thinking"
        self._said = ""
        self._in_answer = False

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.calm()

    def tell(self, event: TurnEvent | Quiet) -> None:
        if isinstance(event, Quiet):
            self._wait()
        elif isinstance(event, Said):
            self._say(event.text)
        elif isinstance(event, ToolCall):
            self._line(telling.call(event), "cyan", 2)
            self._doing = f"running {event.name}"
        elif isinstance(event, ToolResult):
            self._outcome(event)
            self._doing = "thinking"
        elif isinstance(event, Result):
            self._end(event)

    def calm(self) -> None:
        """What comes next begins on a line of its own."""
        self._stop()
        if self._in_answer:
            self._write(self._wrapping.end() + "\n")
            self._in_answer = False

    # --- parts of a turn ---------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._stop()
        self._said += text
        if not self._in_answer:
            text = text.removeprefix("\n")  # between two parts of an answer: the line has ended already
            self._wrapping = Wrapping(lambda: self._console.width)
        self._in_answer = True
        self._write(self._wrapping.feed(printable(text)))

    def _outcome(self, done: ToolResult) -> None:
        if done.error is not None:
            self._line(f"✗ {done.error['code']}: {done.error['message']}", "red", 2)
            return
        value = telling.brief(json.dumps(done.value, ensure_ascii=False))
        self._line(f"→ {value} · {done.call.how}, {done.seconds:.2f} s", "cyan", 2)
        for repair in done.call.repairs:
            self._line(f"repaired: {repair}", "yellow", 2)

    def _end(self, result: Result) -> None:
        self.calm()
        if self._said != result.answer:
            if self._said:
                self._line("What stands instead:", "yellow")
            self._say(result.answer)
            self.calm()
        for remark in telling.remarks(result):
            self._line(remark, "yellow")
        self._line(telling.how(result, calls=False), "dim")

    # --- the terminal ------------------------------------------------------------------------------

    def _wait(self) -> None:
        if self._status is None and not self._in_answer:
            self._status = self._console.status(Text(printable(self._doing), "dim"))
            self._status.start()

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _line(self, text: str, style: str, indent: int = 0) -> None:
        self.calm()
        self._console.print(Padding.indent(Text(printable(text), style), indent))

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()

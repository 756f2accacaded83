"""Talk: one conversation, the agent that has it, and what was asked last.

Hides that the model can change under a conversation, and that a request which is asked again takes the place of its
first answer only once there is another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from linnet.agent.conversation import exchange
from linnet.errors import InputInvalid, OutOfMemory
from linnet.messages import Message

if TYPE_CHECKING:
    from linnet.agent.agent import Agent
    from linnet.agent.result import Result
    from linnet.agent.underway import Streaming

Opener = Callable[[str | None], "Agent"]
"""An Agent over the model of that name; None is the one that the settings name."""


class Talk:
    """`history` is what was said, `asked` the last request, whatever became of it, `last` the newest Result."""

    def __init__(self, opener: Opener, history: Sequence[Message] = ()) -> None:
        self._opener = opener
        self._named: str | None = None
        self.last: Result | None = None
        self.begin(history)
        self.agent = opener(None)

    def begin(self, history: Sequence[Message] = ()) -> None:
        """Another conversation; the last request in it, if there is one, can be asked again."""
        self.history = tuple(history)
        said = [i for i, message in enumerate(self.history) if message.role == "user"]
        self.asked = self.history[said[-1]].content if said else ""
        self._before = self.history[: said[-1]] if said else ()
        self.last = None

    def ask(self, text: str) -> Streaming:
        """Raises at once for a request at fault, as if nothing had been asked."""
        stream = self.agent.stream(text, self.history)
        self.asked, self._before = text, self.history
        return stream

    def ask_again(self) -> Streaming:
        """The last request, after what was said before it. Raises InputInvalid where there is none."""
        if not self.asked:
            raise InputInvalid("nothing was asked yet", hint="Ask something first.")
        return self.agent.stream(self.asked, self._before)

    def answered(self, result: Result) -> None:
        """The request that was asked last has this answer: only now was it said."""
        self.history = (*self._before, *exchange(self.asked, result))
        self.last = result

    def change(self, name: str) -> None:
        """Go on with another model. Raises what the opening of it raises, and then the old one goes on."""
        try:
            agent = self._opener(name)
        except OutOfMemory:  # not beside the old one, which makes room
            self.agent.close()
            try:
                agent = self._opener(name)
            except BaseException:
                self.agent = self._opener(self._named)
                raise
        self.agent.close()
        self.agent, self._named = agent, name

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.agent.close()

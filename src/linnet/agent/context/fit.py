"""Fitter: a conversation as it is said to the model, so that it fits, and an account of what was left out.

Hides the counting, the sharing out of the room, and that what is added up from parts is checked as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import pairwise

from linnet.agent.context import notes
from linnet.agent.context.blocks import begins, exchanges
from linnet.agent.context.shorten import shorten
from linnet.agent.context.tally import Tally, said
from linnet.agent.context.window import Older, Summary, Window
from linnet.agent.recent import Recent, digest
from linnet.limits import LIMITS
from linnet.messages import Message, Step, ToolSpec
from linnet.requests import Generate, Model, Usage, complete

SYSTEM = Message("system", "You are a helpful AI assistant.", trusted=True)
"""Said when the caller says nothing: with the default that its own template puts there, SmolLM2 answers worse
than with any other, and without "AI" in French where France is asked about (docs/log.md)."""

_SEAMS, _TRIES = 4, 3
"""Tokens by which a whole may be more than its parts, and how often a smaller room is tried where that is not so."""

_KNOWN = "What is known:\n"


@dataclass(frozen=True)
class Fitted:
    """`messages` and `tools` to say, and what they lack: `dropped` has a line for each message, tool or fact that was
    left out or shortened. `sizes` are tokens by section; `usage` and `steps` tell of what the model wrote for it."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    dropped: tuple[str, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    usage: Usage = Usage()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class _Frame:
    """What stands around the history: its parts, and the room in tokens that they leave to it."""

    system: Message
    tools: tuple[ToolSpec, ...]
    known: tuple[str, ...]
    dropped: tuple[str, ...]
    room: int
    around: int
    most: int
    sizes: dict[str, int]


class Fitter:
    """Fits conversations into the window of one model. It keeps nothing that a conversation depends on: what it
    remembers saves time only, but for summaries, which are written once."""

    def __init__(self, model: Model, window: Window | None = None, *, asking: bool = False) -> None:
        """`asking` says that the model is asked about tools between two answers."""
        self._model, self._asking = model, asking
        self._window = window or Window()
        self._tally = Tally(model)
        self._notes: Recent[bytes, str] = Recent(LIMITS.summaries_kept)
        self._began = 0.0

    def over(self, model: Model) -> Fitter:
        """The same, asking another Model."""
        other = copy(self)
        other._model, other._tally = model, self._tally.over(model)
        return other

    def fit(
        self,
        history: Sequence[Message],
        request: Message,
        answer: int,
        *,
        known: Sequence[str] | None = None,
        tools: Sequence[ToolSpec] = (),
    ) -> Fitted:
        """The request with what fits of the newest history before it, and `answer` tokens left, or half the window.

        `known` are facts, the most relevant first; None where there is no memory. The request is never shortened: one
        that is too long by itself is the model's to refuse.
        """
        if not history and not known and not tools:
            return Fitted((SYSTEM, request))
        self._began = time.monotonic()
        lead = next((i for i, message in enumerate(history) if message.role != "system"), len(history))
        frame = self._frame(history[:lead], answer, known, tuple(tools))
        longest = max(1, int(frame.most * self._window.longest))
        whole = [self._shortened(message, longest) for message in history[lead:]]
        told = tuple(f"shortened {_line(a)}" for a, b in zip(history[lead:], whole, strict=True) if a is not b)
        return self._fitted(replace(frame, dropped=(*frame.dropped, *told)), [*whole, request])

    # --- around the history ------------------------------------------------------------------------

    def _frame(
        self, lead: Sequence[Message], answer: int, known: Sequence[str] | None, tools: tuple[ToolSpec, ...]
    ) -> _Frame:
        context = self._model.capabilities.context
        window = min(self._window.tokens or context, context)
        system, told = self._system(lead, int(window * self._window.system))
        bare = self._tally.before(system)
        tools, left_out = self._tools(system, tools, bare + int(window * self._window.tools))
        before = self._tally.before(system, tools) if tools else bare
        kept, forgotten = self._known(known or (), int(window * self._window.memory))
        reserve = min(answer, window // 2)
        room = window - reserve
        if self._asking:
            room = min(room, int(context * self._window.asking))
        # what memory may take is kept free also where it has nothing to say: else the window would begin elsewhere
        reserved = int(window * self._window.memory) if known is not None else 0
        older = notes.room_for(self._window.older.tokens, self._sizes) if self._window.older else 0
        sizes = {"window": window, "room": room, "answer": reserve, "system": bare, "tools": before - bare}
        return _Frame(
            system=system,
            tools=tools,
            known=kept,
            dropped=(*told, *left_out, *forgotten),
            room=room,
            around=self._tally.around(system),
            most=max(0, room - before - reserved - older - _SEAMS),
            sizes=sizes,
        )

    def _system(self, lead: Sequence[Message], most: int) -> tuple[Message, tuple[str, ...]]:
        """The system messages at the head of a conversation as one; they stay, whatever else leaves."""
        if not lead:
            return SYSTEM, ()
        text = "\n\n".join(message.content for message in lead)
        shorter = shorten(text, most, self._size)
        told = (f"shortened {_line(lead[0])}",) if shorter != text else ()
        return Message("system", shorter, trusted=all(message.trusted for message in lead)), told

    def _tools(
        self, system: Message, tools: tuple[ToolSpec, ...], most: int
    ) -> tuple[tuple[ToolSpec, ...], tuple[str, ...]]:
        """Of tools that together take too much the last ones go."""
        kept = len(tools)
        while kept and self._tally.before(system, tools[:kept]) > most:
            kept -= 1
        return tools[:kept], tuple(f"tool: {tool.name}" for tool in tools[kept:])

    def _known(self, known: Sequence[str], most: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if not known:
            return (), ()
        left = most - self._size(f"{_KNOWN}\n")
        kept = 0
        for size in self._sizes([f"- {fact}\n" for fact in known]):
            left -= size
            if left < 0:
                break
            kept += 1
        return tuple(known[:kept]), tuple(f"memory: {fact[:60]}" for fact in known[kept:])

    # --- the history -------------------------------------------------------------------------------

    def _shortened(self, message: Message, most: int) -> Message:
        shorter = shorten(message.content, most, self._size)
        return message if shorter == message.content else replace(message, content=shorter)

    def _fitted(self, frame: _Frame, conversation: Sequence[Message]) -> Fitted:
        """With the room as it was reckoned, and where the whole is more than that, with a smaller one."""
        groups = exchanges(conversation)
        sizes = self._sizes([said(message) for message in conversation])
        each = iter(size + frame.around for size in sizes)
        taken = [[next(each) for _ in group] for group in groups]
        most = frame.most
        for _ in range(_TRIES):
            found = begins(taken, most, int(most * self._window.kept), self._window.whole)
            fitted = self._said(frame, groups, found, taken)
            over = self._tally.conversation(fitted.messages, fitted.tools) - frame.room
            if over <= 0 or found[-1] == len(groups) - 1:
                return fitted
            most = max(0, most - over)
        return self._said(frame, groups, [0, len(groups) - 1], taken)

    def _said(
        self,
        frame: _Frame,
        groups: Sequence[tuple[Message, ...]],
        found: Sequence[int],
        taken: Sequence[Sequence[int]],
    ) -> Fitted:
        blocks = [[m for group in groups[a:b] for m in group] for a, b in pairwise(found)]
        gone = [message for block in blocks for message in block]
        kept = [message for group in groups[found[-1] :] for message in group]
        text, usage, steps = self._note(blocks)
        if text:
            first = next(i for i, message in enumerate(kept) if message.role == "user")
            kept[first] = replace(kept[first], content=notes.before(text, kept[first].content))
        kept[-1] = replace(kept[-1], content=_recalled(frame.known, kept[-1].content))
        sizes = {
            **frame.sizes,
            "memory": sum(self._sizes([*frame.known])),
            "older": self._size(text),
            "history": sum(map(sum, taken[found[-1] : -1])),
            "request": sum(taken[-1]),
        }
        dropped = (*frame.dropped, *map(_line, gone))
        return Fitted((frame.system, *kept), frame.tools, dropped, sizes, usage, steps)

    # --- what stays of what has left ---------------------------------------------------------------

    def _note(self, blocks: Sequence[Sequence[Message]]) -> tuple[str, Usage, tuple[Step, ...]]:
        policy: Older | None = self._window.older
        if policy is None or not blocks:
            return "", Usage(), ()
        if isinstance(policy, Summary):
            return self._summary(policy, blocks)
        return notes.note(policy, [message for block in blocks for message in block], self._sizes), Usage(), ()

    def _summary(self, policy: Summary, blocks: Sequence[Sequence[Message]]) -> tuple[str, Usage, tuple[Step, ...]]:
        """Of the newest block together with the summary before it: one answer of the model at most."""
        keys = [digest(policy.instruction, str(policy.tokens))]
        for block in blocks:
            keys.append(digest(keys[-1].hex(), *map(said, block)))
        known = self._notes.get(keys[-1])
        if known is not None:
            return known, Usage(), ()
        started = time.monotonic()
        earlier = self._notes.get(keys[-2])
        parts = [notes.before(earlier or "", notes.transcript(blocks[-1]).strip()), policy.instruction]
        room = self._model.capabilities.context - policy.tokens - self._tally.before(SYSTEM) - _SEAMS
        parts[0] = notes.within(parts[0], max(0, room - self._size(f"\n\n{policy.instruction}")), self._sizes)
        asked = Generate((SYSTEM, Message("user", "\n\n".join(parts))), max_tokens=policy.tokens)
        done = complete(self._model, asked)
        text = notes.within(done.text.strip(), policy.tokens, self._sizes)
        self._notes.put(keys[-1], text)
        took = time.monotonic() - started
        detail, start = f"of {len(blocks[-1])} messages", started - self._began
        step = Step("summary", detail, took, {"text": text}, start, done.usage)
        return text, done.usage, (step,)

    # --- counting ----------------------------------------------------------------------------------

    @property
    def _sizes(self) -> Callable[[Sequence[str]], list[int]]:
        return self._tally.texts

    def _size(self, text: str) -> int:
        return self._tally.texts([text])[0]


def _line(message: Message) -> str:
    return f"{message.role}: {message.content[:60]}"


def _recalled(facts: Sequence[str], content: str) -> str:
    """What memory has to say, and then the request: what changes with every request stands last, so that the prompt
    before it stays as it was."""
    lines = "".join(f"- {fact}\n" for fact in facts)
    return f"{_KNOWN}{lines}\n{content}" if facts else content

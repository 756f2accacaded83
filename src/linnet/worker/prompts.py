"""A conversation -> a prompt, in the shape that this template can say.

Templates differ in what they take: one call in a message or several, an empty content or none, calls and results
in their own place or not at all. The shapes are tried in order, and the first that loses nothing is used; what
could be said only otherwise, or not at all, is told in notes. Tools that a template does not show are refused:
a model that was never told of them would be blamed for not calling them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from linnet.errors import RequestError, TemplateFailed, ToolsUnsupported
from linnet.messages import Message, ToolCall
from linnet.protocol import Render
from linnet.worker import templates
from linnet.worker.trust import Apart, Piece, told_apart
from linnet.worker.view import Place, ToolsIn, View, identified

CALLS_AS_TEXT = "the chat template has no place for tool calls: they are told as plain text"
ALL_AS_TEXT = "the chat template has no place for tool calls and their results: they are told as plain text"


def prompt(record: Render) -> tuple[list[Piece], tuple[str, ...]]:
    """The pieces of the prompt, up to where the answer begins, and notes for whoever asked.

    Raises TemplateFailed; ToolsUnsupported if the template shows none of the tools; RequestError for a
    beginning of an answer that is not an assistant's.
    """
    messages = identified(record.messages, record.template)
    notes = _unread(record)
    if not record.continues:
        pieces, more = _opened(record, tuple(map(_trimmed, messages)))
        return pieces, (*notes, *more)
    last = messages[-1] if messages else None
    if last is None or last.role != "assistant" or last.calls:
        raise RequestError("only a last message of the assistant, without calls, can be continued")
    pieces, more = _continued(record, tuple(map(_trimmed, messages[:-1])), last)
    return pieces, (*notes, *more)


def _trimmed(message: Message) -> Message:
    """An answer that was taken apart into thoughts and content has white space where it was cut."""
    if not message.reasoning:
        return message
    return replace(message, content=message.content.strip(), reasoning=message.reasoning.strip())


def _unread(record: Render) -> tuple[str, ...]:
    """Options that the template never looks at. Thinking can be turned off without it."""
    options = {name for name, value in record.options.items() if (name, value) != ("enable_thinking", False)}
    unread = sorted(options - templates.asked_for(record.template)) if options else ()
    return tuple(f"the chat template does not know the option {name!r}" for name in unread)


# --- shapes --------------------------------------------------------------------------------------


def _views(plainly: View) -> list[tuple[View, tuple[str, ...]]]:
    """The ways to show a conversation, the plainest first, each with what is to be told of it."""
    messages = plainly.messages
    if not any(message.calls or message.role == "tool" for message in messages):
        return [(plainly, ())]
    native = [plainly, replace(plainly, empty=None)]
    apart = _taken_apart(messages)
    if apart != messages:
        native += [replace(plainly, messages=apart), replace(plainly, messages=apart, empty=None)]
    calls_told = tuple(map(_calls_told, messages))
    return [
        *((view, ()) for view in native),
        (replace(plainly, messages=calls_told), (CALLS_AS_TEXT,)),
        (replace(plainly, messages=_results_told(calls_told)), (ALL_AS_TEXT,)),
    ]


def _best(plainly: View) -> tuple[Apart, View, tuple[str, ...]]:
    """The prompt, how it was shown, and notes: with the tools where the template looks for them."""
    apart, view, notes = _shaped(plainly)
    others: tuple[ToolsIn, ...] = ("xml_tools", "message")
    for place in others:
        if not any(lost.kind == "tool" for lost in apart.lost):
            return apart, view, notes
        other = replace(plainly, tools_in=place)
        if place == "message" and [message.role for message in plainly.messages[:1]] != ["system"]:
            other = replace(other, messages=(Message("system", "", trusted=True), *plainly.messages))
        with suppress(TemplateFailed):
            apart, view, notes = _shaped(other)
    if any(lost.kind == "tool" for lost in apart.lost):
        raise ToolsUnsupported("the model's chat template has no place for tools")
    return apart, view, notes


def _shaped(plainly: View) -> tuple[Apart, View, tuple[str, ...]]:
    """The first shape that loses no call and no result; all that it loses otherwise is told."""
    first: TemplateFailed | None = None
    for view, notes in _views(plainly):
        try:
            apart = told_apart(view)
        except TemplateFailed as error:
            first = first or error
            continue
        if not _lost_calls(view, apart, plainly.messages):
            return apart, view, (*notes, *_lost(view, apart))
    raise first or TemplateFailed("the model's chat template shows neither tool calls nor their results")


def _lost_calls(view: View, apart: Apart, said: tuple[Message, ...]) -> bool:
    """Whether a call is missing, or a result, or a message that was made to tell of them."""
    contents = [view.messages[place.at] for place in apart.lost if place.kind == "content"]
    calls = any(place.kind == "call" for place in apart.lost)
    return calls or any(message.role == "tool" or message not in said for message in contents)


def _lost(view: View, apart: Apart) -> Iterator[str]:
    """Of what is trusted the longest word is looked for: a template may take instructions to itself out of it."""
    whole = apart.text
    gone = {place.at for place in apart.lost if place.kind == "content"}
    for i, message in enumerate(view.messages):
        if i in gone or (message.trusted and max(message.content.split(), key=len, default="") not in whole):
            yield f"the chat template leaves out what message {i + 1} ({message.role}) says"


def _taken_apart(messages: Sequence[Message]) -> tuple[Message, ...]:
    """One call a message, followed by its result; what was said with it stands before it."""
    made: list[Message] = []
    rest = list(messages)
    while rest:
        message = rest.pop(0)
        if not message.calls or (len(message.calls) == 1 and not message.content):
            made.append(message)
            continue
        if message.content:
            made.append(replace(message, calls=(), reasoning=""))
        for i, call in enumerate(message.calls):
            made.append(replace(message, content="", calls=(call,), reasoning="" if i else message.reasoning))
            result = next((r for r in rest if r.role == "tool" and r.call_id == call.id), None)
            if result is not None:
                rest.remove(result)
                made.append(result)
    return tuple(made)


def _calls_told(message: Message) -> Message:
    """With the calls as JSON in what is said."""
    if not message.calls:
        return message
    lines = (line for line in (message.content, *map(_told, message.calls)) if line)
    return replace(message, content="\n".join(lines), calls=(), trusted=False)


def _results_told(messages: Sequence[Message]) -> tuple[Message, ...]:
    """With the results in what the user says. Roles keep taking turns."""
    made: list[Message] = []
    before = ""  # results that nobody has said anything after
    for message in messages:
        if message.role == "tool":
            before += f"Result of {message.name or 'the call'}: {message.content}\n"
        elif before and message.role == "user":
            made.append(replace(message, content=before + message.content, trusted=False))
            before = ""
        else:
            made += [Message("user", before.rstrip("\n"))] if before else []
            made.append(message)
            before = ""
    return (*made, Message("user", before.rstrip("\n"))) if before else tuple(made)


def _told(call: ToolCall) -> str:
    return json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)


# --- where the answer begins ---------------------------------------------------------------------

_THOUGHTS = {
    "<think>": ("<think>\n", "\n</think>\n\n"),
    "[THINK]": ("[THINK]", "[/THINK]"),
    "<|START_THINKING|>": ("<|START_THINKING|>", "<|END_THINKING|>"),
    "<|channel>thought": ("<|channel>thought\n", "\n<channel|>"),
}
"""What a thought begins with, and how it is opened and closed by those who write it out."""


def _opened(record: Render, messages: tuple[Message, ...]) -> tuple[list[Piece], tuple[str, ...]]:
    """The prompt with the answer opened, as the template does it, or as it does not and should have."""
    apart, view, notes = _best(View(record, messages))
    pieces = apart.pieces
    if messages and messages[-1].role == "tool":
        pieces = [*pieces, *_reopening(view, apart)]
    if record.options.get("enable_thinking") is False and (sign := _open_thought(pieces)):
        pieces = [*pieces, Piece(_THOUGHTS[sign][1], None, True)]
    return pieces, notes


def _reopening(view: View, apart: Apart) -> list[Piece]:
    """The opening of the answer where a template ends the turn after a tool's result and opens no other, as
    Gemma 4's does when something was said beside the call."""
    if told_apart(replace(view, opened=False)).text != apart.text:
        return []
    asked = "0123456789"
    alone = replace(view, record=replace(view.record, tools=()), messages=(Message("user", asked),))
    try:
        closed, opened = replace(alone, opened=False).text(), alone.text()
    except TemplateFailed:
        return []
    ending = closed.rpartition(asked)[2]
    if ending.strip() and _tail(apart.pieces).endswith(ending) and opened.startswith(closed):
        return [Piece(opened.removeprefix(closed), None, True)]
    return []


def _continued(record: Render, before: tuple[Message, ...], last: Message) -> tuple[list[Piece], tuple[str, ...]]:
    """The prompt up to the end of what the assistant has begun to say or, without that, to think.

    It stands behind what the template itself writes before such an answer; or behind its opening of any answer,
    if it has no place for such a one, or if that opening ends with an empty thought.
    """
    if last.reasoning:
        record = replace(record, options={"enable_thinking": True, **record.options})
    opened, notes = _opened(record, before)
    said = last.content.strip()
    at = Place("content" if said else "reasoning", len(before))
    beginning = Piece(last.content if said else last.reasoning, at, last.trusted and bool(said))
    if not beginning.text.strip():
        return opened, notes
    bare = replace(last, content=said, reasoning=last.reasoning.strip())
    as_said, more = _before(record, (*before, bare), at)
    if last.reasoning and not as_said:
        sign = next((sign for sign, (_, closing) in _THOUGHTS.items() if closing.strip() in record.template), "")
        if not sign:
            rest, told = _continued(record, before, replace(last, reasoning=""))
            return rest, (*told, "the chat template has no place for thoughts: those of the answer are left out")
        as_said = _thought(sign, opened, last, at)
    empty_thought = _tail(opened).rstrip().endswith(tuple(closing.strip() for _, closing in _THOUGHTS.values()))
    if not as_said or (empty_thought and not last.reasoning):
        return [*opened, beginning], notes
    return [*as_said, beginning], (*notes, *more)


def _before(record: Render, messages: tuple[Message, ...], at: Place) -> tuple[list[Piece], tuple[str, ...]]:
    """What the template writes before this text of the last message: nothing if it leaves the text out, or
    the thoughts before it."""
    try:
        apart, view, notes = _best(View(record, messages, opened=False, hide_last=True))
    except TemplateFailed:
        return [], ()
    last = len(view.messages) - 1
    if any(place.kind in ("content", "reasoning") and place.at == last for place in apart.lost):
        return [], ()
    places = [piece.place for piece in apart.pieces]
    wanted = at._replace(at=last)
    return apart.pieces[: places.index(wanted)] if wanted in places else [], notes


def _thought(sign: str, opened: list[Piece], last: Message, at: Place) -> list[Piece]:
    """What stands before an answer whose thoughts the template knows a mark of, and has no place for."""
    opening, closing = _THOUGHTS[sign]
    begun = [*opened, *([] if _open_thought(opened) else [Piece(opening, None, True)])]
    if at.kind == "reasoning":
        return begun
    thought = Piece(last.reasoning.strip(), Place("reasoning", at.at), False)
    return [*begun, thought, Piece(closing, None, True)]


def _tail(pieces: Sequence[Piece]) -> str:
    """What stands at the end, if the template wrote it."""
    return pieces[-1].text if pieces and pieces[-1].trusted else ""


def _open_thought(pieces: Sequence[Piece]) -> str:
    """The sign of the thought that the prompt opens at its end; empty if it opens none."""
    end = _tail(pieces).rstrip()
    return next((sign for sign in _THOUGHTS if end.endswith(sign)), "")

"""A Result in words for people: the answer, what was not as it should have been, and how it came about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from linnet.interfaces.cli import output

if TYPE_CHECKING:
    from linnet.agent.result import Result
    from linnet.messages import ToolCall
    from linnet.requests import Usage

NOT_RUN = ("tool_denied", "tool_unbound")
"""Errors of calls that were never begun: what would have been done is told."""

_BRIEF = 160
"""Characters of a call or a value where they are told beside something else."""


def tell(result: Result, verbose: bool = False) -> None:
    """The answer on stdout, the rest on stderr."""
    output.say(result.answer)
    for done in result.calls:
        if done.error is not None and done.error["code"] in NOT_RUN:
            output.complain(f"not run: {call(done.call)}")
        for repair in done.call.repairs:
            output.complain(f"note: {done.call.name}: {repair}")
    for line in remarks(result):
        output.complain(line)
    output.note(how(result), verbose=verbose)


def remarks(result: Result) -> list[str]:
    """A line for each thing that was not as it should have been: notes, what was left out, the error and its hint."""
    lines = [f"note: {remark}" for remark in result.degraded]
    lines += [f"note: left out for want of room: {left_out}" for left_out in result.dropped]
    if result.error is not None:
        if result.error["message"] not in result.answer:
            lines.append(f"error: {result.error['message']}")
        lines.append(f"hint: {result.error['hint']}")
    return lines


def how(result: Result, calls: bool = True) -> str:
    """`model · set_lights(on=true) · 260 prompt tokens (200 cached), 30 generated (18 forced) · 1.8 s`"""
    made = [call(done.call) for done in result.calls] if calls else []
    weights = [result.encoding] if result.encoding else []
    return " · ".join([result.how, *made, tokens(result.usage), *weights, f"{result.seconds:.2f} s"])


def call(made: ToolCall) -> str:
    """`set_lights(room="kitchen", on=true)`"""
    arguments = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in made.arguments.items())
    return brief(f"{made.name}({', '.join(arguments)})")


def brief(text: str) -> str:
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 3]}..."


def tokens(usage: Usage) -> str:
    if not (usage.prompt_tokens or usage.generated_tokens):
        return "no tokens"
    prompt = f"{usage.prompt_tokens} prompt tokens ({usage.cached_tokens} cached)"
    return f"{prompt}, {usage.generated_tokens} generated ({usage.forced_tokens} forced)"

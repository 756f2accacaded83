"""The arguments of a chosen tool: evidence of the request is assigned, each piece once, and the model fills the rest.

What the request leaves no doubt about is written by code. Where several pieces of evidence compete for
several arguments (numbers, options of the same kind), whole assignments are scored by likelihood. What is
still open is filled under one constraint, in which everything else is fixed text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling.lower import Slot
from linnet.calling.plan import Deal, Group, Plan
from linnet.messages import Message
from linnet.requests import Done, Fixed, Generate, Holes, Model, Score, Usage, complete, complete_all
from linnet.tools import Tool


@dataclass(frozen=True)
class Filled:
    """Arguments as JSON values; `told` says in words where each came from."""

    arguments: dict[str, Any]
    usage: Usage
    told: dict[str, str]


def fill(model: Model, tool: Tool, request: str) -> Filled:
    """Arguments for `tool`, from the request alone. The caller validates them in full."""
    plan = Plan(tool, request)
    prompt = (Message("user", prompt_of(tool, request), trusted=False),)
    chosen, usage = _deal(model, prompt, plan.groups)
    slots = plan.slots(plan.settle(chosen))
    captures: dict[str, str] = {}
    if any(slot.free for slot in slots):
        end = complete(model, Generate(prompt, constraint=_holes(slots), max_tokens=512))
        captures, usage = end.captures, usage + end.usage
    # an answer that was cut off leaves gaps open: their arguments stay out, and the tool says so
    slots = [slot for slot in slots if slot.gaps <= captures.keys()]
    told = {slot.name: "model" if slot.free else "evidence" for slot in slots}
    return Filled({slot.name: slot.read(captures) for slot in slots}, usage, told)


def _deal(model: Model, prompt: tuple[Message, ...], groups: Sequence[Group]) -> tuple[list[Deal], Usage]:
    """The likeliest deal of each group, all judged together."""
    contested = [group for group in groups if len(group) > 1]
    texts = [tuple(_json(deal.assignment) for deal in group) for group in contested]
    ends = complete_all(model, [Score(prompt, deals, answer_start="{") for deals in texts])
    best = iter([_best(end, group) for end, group in zip(ends, contested, strict=True)])
    chosen = [next(best) if len(group) > 1 else group[0] for group in groups]
    return chosen, sum((end.usage for end in ends), Usage())


def _best(end: Done, group: Group) -> Deal:
    scored = zip((likelihood for likelihood, _ in end.scores), group, strict=True)
    return max(scored, key=lambda pair: pair[0] + pair[1].prior)[1]


def prompt_of(tool: Tool, request: str) -> str:
    """What the model reads: the function, its parameters with their descriptions and options, the request."""
    lines = [f"Function {tool.name}: {tool.description}", "Arguments:"]
    for name, schema in tool.parameters["properties"].items():
        options = f" One of: {', '.join(map(str, schema['enum']))}." if schema.get("enum") else ""
        lines.append(f"- {name} ({schema.get('type', 'any')}): {schema.get('description', '')}{options}")
    lines += [f"Request: {request}", "Write the arguments of the function call as JSON."]
    return "\n".join(lines)


def _json(assignment: dict[str, Any]) -> str:
    return json.dumps(assignment, ensure_ascii=False)[1:]


def _holes(slots: Sequence[Slot]) -> Holes:
    parts: list[Any] = [Fixed("{")]
    for i, slot in enumerate(slots):
        parts.append(Fixed(f"{', ' if i else ''}{json.dumps(slot.name)}: "))
        parts += slot.parts
    return Holes((*parts, Fixed("}")))

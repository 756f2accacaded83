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
from linnet.calling.plan import Plan
from linnet.messages import Message
from linnet.requests import Fixed, Generate, Holes, Model, Score, Usage, complete
from linnet.tools import Tool

IN_ORDER = 2.0
"""Nats that speak for dealing the evidence out in the order in which the request names it."""


@dataclass(frozen=True)
class Filled:
    """Arguments as JSON values; `told` says in words where each came from."""

    arguments: dict[str, Any]
    usage: Usage
    told: dict[str, str]


def fill(model: Model, tool: Tool, request: str) -> Filled:
    """Arguments for `tool`, from the request alone. They are valid in type; the caller validates them in full."""
    plan = Plan(tool, request)
    prompt = (Message("user", prompt_of(tool, request), trusted=False),)
    usage = Usage()
    if len(plan.assignments) > 1:
        texts = tuple(_json(assignment) for assignment in plan.assignments)
        end = complete(model, Score(prompt, texts, answer_start="{"))
        usage += end.usage
        best = max(range(len(texts)), key=lambda i: end.scores[i][0] + (IN_ORDER if i == 0 else 0.0))
    else:
        best = 0
    slots = plan.slots(plan.assignments[best])
    if any(slot.free for slot in slots):
        end = complete(model, Generate(prompt, constraint=_holes(slots), max_tokens=512))
        usage += end.usage
        captures = end.captures
    else:
        captures = {}
    told = {slot.name: "model" if slot.free else "evidence" for slot in slots}
    return Filled({slot.name: slot.read(captures) for slot in slots}, usage, told)


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

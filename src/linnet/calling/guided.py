"""Any Model and some tools -> a valid call, or an honest none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from linnet.calling.choose import MARGIN, Chooser
from linnet.calling.fill import fill
from linnet.calling.repair import repair
from linnet.errors import ToolArgumentsInvalid
from linnet.messages import Step, ToolCall
from linnet.requests import Model, Usage
from linnet.tools import Tool


@dataclass(frozen=True)
class Guided:
    """What guiding led to: a call that its tool accepts; or none, and with `wanted` the tool whose arguments
    the request does not give, and `problem` what is wrong with them."""

    call: ToolCall | None
    usage: Usage
    steps: tuple[Step, ...]
    wanted: Tool | None = None
    problem: ToolArgumentsInvalid | None = None


class Guide:
    """Guides one model through choosing and filling, over a fixed set of tools."""

    def __init__(self, model: Model, tools: Sequence[Tool], *, margin: float | None = None) -> None:
        self._model = model
        self._chooser = Chooser(tools, margin=MARGIN if margin is None else margin)

    def over(self, model: Model) -> Guide:
        """The same guide over another Model; what was prepared for the tools is shared, not made again."""
        guide = copy(self)
        guide._model = model
        return guide

    def call(self, request: str) -> Guided:
        started = time.monotonic()
        chosen = self._chooser.choose(self._model, request)
        ranking = {c.tool.name: round(c.score, 2) for c in chosen.ranked}
        name = chosen.tool.name if chosen.tool else "no tool"
        step = Step("choose", f"{name} fits best", time.monotonic() - started, {"scores": ranking})
        if chosen.tool is None:
            return Guided(None, chosen.usage, (step,))
        return self._fill(chosen.tool, request, chosen.usage, step)

    def _fill(self, tool: Tool, request: str, usage: Usage, chose: Step) -> Guided:
        started = time.monotonic()
        filled = fill(self._model, tool, request)
        arguments, repairs = repair(tool, filled.arguments)
        filling = Step("fill", f"arguments of {tool.name}", time.monotonic() - started, {"from": filled.told})
        usage, steps = usage + filled.usage, (chose, filling)
        try:
            tool.validate(arguments)
        except ToolArgumentsInvalid as problem:
            return Guided(None, usage, steps, tool, problem)
        return Guided(ToolCall(tool.name, arguments, how="model", repairs=repairs), usage, steps)

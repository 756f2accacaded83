"""Any Model and some tools -> valid calls, or an honest none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, dataclass

from linnet.calling.choose import MARGIN, Chooser, Chosen
from linnet.calling.fill import Filled, fill_all
from linnet.calling.missing import check, named
from linnet.calling.ranking.ranker import Weights, fitted, weighing
from linnet.calling.repair import repair
from linnet.calling.trust import Trust
from linnet.errors import ToolArgumentsInvalid
from linnet.messages import Step, ToolCall
from linnet.requests import Model, Usage
from linnet.tools import Tool

_UNSAID = {
    "invented": "{} was written by the model",
    "guessed": "{} is a guess: the request names none of its options",
}
"""What is told of an argument that the request does not say."""


@dataclass(frozen=True)
class Guided:
    """What guiding led to: calls that their tools accept, in the request's order; or none, and with `wanted`
    the tool whose arguments the request does not give, or that it merely names, and `problem` what is wrong."""

    calls: tuple[ToolCall, ...]
    usage: Usage
    steps: tuple[Step, ...]
    wanted: Tool | None = None
    problem: ToolArgumentsInvalid | None = None


class Guide:
    """Guides one model through choosing and filling, over a fixed set of tools. Without a `trust` of its own the
    model is believed as the weights in force say."""

    def __init__(
        self, model: Model, tools: Sequence[Tool], *, margin: float | None = None, trust: Trust | None = None
    ) -> None:
        self._model = model
        self._trust = trust
        self._chooser = Chooser(tools, margin=MARGIN if margin is None else margin)

    def over(self, model: Model) -> Guide:
        """The same guide over another Model; what was prepared for the tools is shared, not made again."""
        guide = copy(self)
        guide._model = model
        return guide

    def call(self, request: str) -> Guided:
        with weighing(self._weights()):
            return self._call(request)

    def _weights(self) -> Weights:
        """Those in force, with what the model is believed by itself."""
        return self._trust.over(fitted()) if self._trust else fitted()

    def _call(self, request: str) -> Guided:
        started = time.monotonic()
        chosen = self._chooser.choose(self._model, request)
        ranking = {c.tool.name: round(c.score, 2) for c in chosen.ranked}
        names = " and ".join(tool.name for tool, _ in chosen.picked) or "no tool"
        data = {"scores": ranking, "by": "model" if chosen.asked else "evidence", "usage": asdict(chosen.usage)}
        step = Step("choose", f"{names} fits best", time.monotonic() - started, data, usage=chosen.usage)
        if not chosen.picked:
            lacking = named(request, [candidate.tool for candidate in chosen.ranked])
            told = (Step("refuse", lacking[1].message, start=time.monotonic() - started),) if lacking else ()
            return Guided((), chosen.usage, (step, *told), *(lacking or ()))
        return self._fill(request, chosen, step, started)

    def _fill(self, request: str, chosen: Chosen, chose: Step, began: float) -> Guided:
        """Calls of every tool picked. One that its tool does not accept spoils none of the others."""
        calls: list[ToolCall] = []
        steps, usage = [chose], chosen.usage
        refused: tuple[Tool, ToolArgumentsInvalid] | None = None
        for tool, text in chosen.picked:
            started = time.monotonic()
            for filled in fill_all(self._model, tool, text, request):
                usage += filled.usage
                data = {"from": filled.told, "sure": round(filled.sure, 3), "usage": asdict(filled.usage)}
                now, start = time.monotonic(), started - began
                steps.append(Step("fill", f"arguments of {tool.name}", now - started, data, start, filled.usage))
                try:
                    how = "model" if chosen.asked or filled.asked else "evidence"
                    calls.append(_call(tool, filled, how, request))
                except ToolArgumentsInvalid as problem:
                    refused = refused or (tool, problem)
                    steps.append(Step("refuse", problem.message, start=now - began))
                started = time.monotonic()
        if calls or refused is None:
            return Guided(tuple(calls), usage, tuple(steps))
        return Guided((), usage, tuple(steps), *refused)


def _call(tool: Tool, filled: Filled, how: str, request: str) -> ToolCall:
    arguments, repairs = repair(tool, filled.arguments)
    tool.validate(arguments)
    check(tool, arguments, request)
    notes = tuple(_UNSAID[by].format(name) for name, by in filled.told.items() if by in _UNSAID)
    return ToolCall(tool.name, arguments, how=how, repairs=(*repairs, *notes))

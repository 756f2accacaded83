"""Calls by a model in its own notation: told of the tools by its template, read by its dialect, and checked.

A model without a notation is asked for JSON in a short system text instead. What it writes is parsed, repaired and
validated as strictly as what guiding makes, and comes back as the same value.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, dataclass
from typing import Any, Literal

from linnet.calling.dialects.dialect import ARGUMENTS, as_json
from linnet.calling.dialects.families import FAMILIES, parse
from linnet.calling.dialects.families import family as row
from linnet.calling.dialects.parsed import Parsed
from linnet.calling.guided import Guided
from linnet.calling.profile import JSON, Way
from linnet.calling.repair import repair_call
from linnet.calling.retrieve import Retriever
from linnet.errors import ConstraintInvalid, SettingsInvalid, ToolArgumentsInvalid
from linnet.limits import LIMITS
from linnet.messages import Message, Step, ToolCall
from linnet.models.family import Family
from linnet.requests import Constraint, Done, Fixed, Generate, Hole, Holes, Model, Schema, Usage, complete
from linnet.schema import JsonSchema
from linnet.tools import Tool

_TOKENS = 384
"""Of an answer without thoughts: eight long calls."""

_JSON_ROW = "hammer"
"""The dialect that reads `JSON`: a list or an object where the answer begins, in a code fence or not."""

# --- what a model speaks -------------------------------------------------------------------------


@dataclass(frozen=True)
class Speech:
    """What of a model's family matters here. `notation` is the row of dialects that it calls tools in, "" if its
    template takes no tools or no row reads it; `switch` the template's variable for thinking, "" if it has none."""

    notation: str = ""
    switch: str = ""
    thinks: Literal["never", "on", "off", "free"] = "never"

    @property
    def always_thinks(self) -> bool:
        return self.thinks == "on" and not self.switch


def speech_of(model: Model) -> Speech:
    """Of a Model that has a `family`; of any other nothing is known."""
    family = getattr(model, "family", None)
    if not isinstance(family, Family):
        return Speech()
    notation = family.dialect if family.tools and family.dialect in FAMILIES else ""
    if family.thinking is None:
        return Speech(notation)
    return Speech(notation, family.thinking.switch, family.thinking.state)


def why_not(way: Way, speech: Speech) -> str:
    """Why a model of this speech cannot go that way; "" if it can."""
    if way.by == "guided":
        return ""
    if way.notation not in (JSON, speech.notation):
        return f"its chat template has no tools in the notation {way.notation!r}"
    if way.thinking and not speech.switch:
        return "its chat template has no switch for thinking"
    if way.constrained and way.notation != JSON and not _frames(way.notation, 1, {}):
        return f"calls in the notation {way.notation!r} are not JSON, so that there is no grammar for them"
    if way.constrained and speech.always_thinks:
        return "it always thinks first, which a grammar of calls leaves no room for"
    return ""


# --- calls ---------------------------------------------------------------------------------------


class Native:
    """Has one model call tools by itself, over a fixed set of them. Raises SettingsInvalid for a way that it
    cannot go."""

    def __init__(self, model: Model, tools: Sequence[Tool], way: Way) -> None:
        self._model, self._way = model, way
        self._speech = speech_of(model)
        if reason := why_not(way, self._speech):
            raise SettingsInvalid(f"the way {str(way)!r} is not open to this model: {reason}")
        self._retriever = Retriever(tools)

    def over(self, model: Model) -> Native:
        """The same over another Model, which wraps this one's; what was prepared for the tools is shared."""
        native = copy(self)
        native._model = model
        return native

    def call(self, request: str) -> Guided:
        """The calls that the model makes of a request, each valid; or none."""
        started = time.monotonic()
        told = tuple(self._retriever.candidates(request, self._way.tools))
        asked = _Asked(self._model, self._way, self._speech, request, told)
        answer = asked.answer() if told else _Answer(Parsed())
        count = len(answer.parsed.calls)
        made = f"{count or 'no'} call{'s' if count > 1 else ''}"
        data = {
            "way": str(self._way),
            "told": [tool.name for tool in told],
            "written": answer.written,
            "cut": answer.cut,
            "usage": asdict(asked.usage),
        }
        took = time.monotonic() - started
        step = Step("native", f"{made} in {self._way.notation}", took, data, usage=asked.usage)
        calls, refusals, refused = _checked(answer.parsed, told)
        refusals = [refusal.later(took) for refusal in refusals]
        return Guided(calls, asked.usage, (step, *refusals), *(refused if refused and not calls else ()))


Refused = tuple[Tool, ToolArgumentsInvalid]


def _checked(parsed: Parsed, tools: Sequence[Tool]) -> tuple[tuple[ToolCall, ...], list[Step], Refused | None]:
    """Valid calls, why others are none, and the first whose tool is known. One spoils none of the others."""
    calls: list[ToolCall] = []
    steps = [Step("refuse", f"what began like a call is none: {failure.reason}") for failure in parsed.failures]
    first: Refused | None = None
    for call in parsed.calls[: LIMITS.calls_per_request]:
        repaired = repair_call(call, tools)
        if repaired.tool is None:
            steps.append(Step("refuse", f"the model called {call.name!r}, which it was not told of"))
            continue
        try:
            repaired.tool.validate(repaired.call.arguments)
        except ToolArgumentsInvalid as problem:
            first = first or (repaired.tool, problem)
            steps.append(Step("refuse", problem.message))
        else:
            calls.append(repaired.call)
    if (over := len(parsed.calls) - LIMITS.calls_per_request) > 0:
        steps.append(Step("refuse", f"left out, for the limit is {LIMITS.calls_per_request} calls: {over}"))
    return tuple(calls), steps, first


# --- the model -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Answer:
    """`written` says how the model was held: `free`, `constrained`, or loosely so; `cut` that it ran out of room."""

    parsed: Parsed
    written: str = "free"
    cut: bool = False


class _Asked:
    """One request with the tools that the model is told of; `usage` is what asking has cost."""

    def __init__(self, model: Model, way: Way, speech: Speech, request: str, tools: Sequence[Tool]) -> None:
        self._model, self._way, self._speech, self._tools = model, way, speech, tools
        self._schemas = {tool.name: tool.parameters for tool in tools}
        self._request = request
        self.usage = Usage()

    def answer(self) -> _Answer:
        """Greedy under a grammar is the same as greedy without it, as long as that keeps to it. So a model with
        a notation writes freely first, which also leaves it to the model whether to call at all, and only
        calls that are not all valid are written again: as many as it began. What comes of that is taken unless
        fewer of them are valid, as where it ran out of room."""
        if self._way.notation == JSON and self._way.constrained:
            return self._held("", _listed) or self._free()
        free = self._free()
        parsed = free.parsed
        if not self._way.constrained or not (parsed.calls or parsed.failures):
            return free
        valid, refusals, _ = _checked(parsed, self._tools)
        if not refusals:
            return free
        count = min(len(parsed.calls) + len(parsed.failures), LIMITS.calls_per_request)
        start, _ = _frames(self._way.notation, count, self._schemas) or ("", None)
        held = self._held(start, lambda schemas: _framed(self._way.notation, count, schemas))
        better = held is not None and len(_checked(held.parsed, self._tools)[0]) >= len(valid)
        return held if held is not None and better else free

    def _free(self) -> _Answer:
        return self._read("", self._ask(self._way.thinking), "free")

    def _held(self, start: str, constraint: Any) -> _Answer | None:
        """Under a grammar; one of any arguments where the tools' own have none. None where neither can be."""
        for schemas, written in (
            (self._schemas, "constrained"),
            (dict.fromkeys(self._schemas, _ANY), "constrained but for the arguments, which have no grammar"),
        ):
            try:
                return self._read(start, self._ask(False, start, constraint(schemas)), written)
            except ConstraintInvalid:
                continue
        return None

    def _ask(self, thinking: bool, start: str = "", constraint: Constraint | None = None) -> Done:
        own = self._way.notation != JSON
        user = Message("user", self._request)
        done = complete(
            self._model,
            Generate(
                (user,) if own else (Message("system", told_of(self._tools)), user),
                answer_start=start,
                constraint=constraint,
                max_tokens=self._room(thinking),
                tools=tuple(tool.spec for tool in self._tools) if own else (),
                template_options={self._speech.switch: thinking} if self._speech.switch else {},
            ),
        )
        self.usage += done.usage
        return done

    def _room(self, thinking: bool) -> int:
        thinks = thinking or (self._speech.thinks in ("on", "free") and not self._speech.switch)
        return max(1, min(LIMITS.answer_tokens if thinks else _TOKENS, self._model.capabilities.context // 2))

    def _read(self, start: str, done: Done, written: str) -> _Answer:
        name = _JSON_ROW if self._way.notation == JSON else self._way.notation
        return _Answer(parse(start + done.text, name, self._tools), written, done.finish == "length")


def told_of(tools: Sequence[Tool]) -> str:
    """Tools in words, for a model whose template has no place for them."""
    lines = [
        "You can call functions. Answer with nothing but a JSON list of the calls that the request needs,",
        'such as [{"name": "function", "arguments": {"parameter": "value"}}], or with [] if it needs none.',
        "Functions:",
    ]
    return "\n".join([*lines, *described(tools)])


def described(tools: Sequence[Tool]) -> list[str]:
    """Lines that say what the tools are for and what they take, in no notation of calls."""
    lines: list[str] = []
    for tool in tools:
        required, properties = tool.parameters["required"], tool.parameters["properties"]
        lines.append(f"{tool.name}({', '.join(properties)}): {' '.join(tool.description.split())}")
        lines += [f"- {name}: {_about(schema, name in required)}" for name, schema in properties.items()]
    return lines


def _about(schema: JsonSchema, required: bool) -> str:
    parts = [str(schema.get("type", "any")), "" if required else "optional", schema.get("description", "")]
    parts += [f"one of {json.dumps(schema['enum'])}" if "enum" in schema else ""]
    parts += [f"default {json.dumps(schema['default'])}" if "default" in schema else ""]
    return ", ".join(part for part in parts if part)


# --- grammars ------------------------------------------------------------------------------------

_ANY: JsonSchema = {"type": "object"}
_BLANK = ToolCall("f", {})


def _frames(notation: str, count: int, schemas: dict[str, JsonSchema]) -> tuple[str, Holes] | None:
    """How `count` calls begin in a notation, and the rest of them with a gap for each; None where calls in it are
    not JSON objects."""
    try:
        text = row(notation).dialect.render([_BLANK] * count)
    except ToolArgumentsInvalid:
        return None
    for key in ARGUMENTS:
        start, *others = text.split(as_json(_BLANK, key))
        if len(others) == count:
            schema = Schema(_one_of(schemas, key))
            parts = [part for n, after in enumerate(others) for part in (Hole(f"call{n}", schema), Fixed(after))]
            return start, Holes(tuple(parts))
    return None


def _framed(notation: str, count: int, schemas: dict[str, JsonSchema]) -> Constraint:
    frames = _frames(notation, count, schemas)
    if frames is None:
        raise ConstraintInvalid(f"there is no grammar for calls in {notation!r}")
    return frames[1]


def _listed(schemas: dict[str, JsonSchema]) -> Constraint:
    """A list of calls, or an empty one."""
    return Schema({"type": "array", "items": _one_of(schemas, "arguments"), "maxItems": LIMITS.calls_per_request})


def _one_of(schemas: dict[str, JsonSchema], key: str) -> JsonSchema:
    """A call of any of the tools, with arguments as its own schema has them."""
    return {
        "anyOf": [
            {
                "type": "object",
                "properties": {"name": {"const": name}, key: parameters},
                "required": ["name", key],
                "additionalProperties": False,
            }
            for name, parameters in schemas.items()
        ]
    }

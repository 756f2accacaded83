"""A suite of example requests: were the right calls made, or is the right answer there?

The file has one JSON object a line, `{id, text, expect}`, where `expect` is one of
- `{"calls": [{name, arguments: {argument: [allowed values]}}]}`: these calls, as `judge` compares them;
- `{"calls": []}`: no call at all;
- `{"answer": text or list of texts}`: the answer contains one of them, compared without case.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from linnet import Tool
from linnet.agent.agent import Agent
from linnet.agent.result import Result
from linnet.errors import InputInvalid, LinnetError
from linnet.evals.judge import judge
from linnet.evals.statistics import wilson
from linnet.faults import first_fault
from linnet.messages import STRICT
from linnet.requests import Usage

# --- cases ---------------------------------------------------------------------------------------

Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class ExpectedCall:
    """For each argument the allowed values; an empty string among them: it may be left out."""

    name: Text
    arguments: dict[str, list[Any]]


@dataclass(frozen=True, config=STRICT)
class Expected:
    """Either calls or parts of the answer."""

    calls: tuple[ExpectedCall, ...] | None = None
    answer: Annotated[
        tuple[Text, ...] | None,
        BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
        Field(min_length=1),
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.calls is None) == (self.answer is None):
            raise ValueError("must have either calls or answer")
        return self


@dataclass(frozen=True, config=STRICT)
class Case:
    id: Text
    text: Text
    expect: Expected


_CASE: TypeAdapter[Case] = TypeAdapter(Case)


def load(path: Path) -> tuple[Case, ...]:
    """The cases of a file, empty lines left out. Raises InputInvalid, naming the line that is wrong."""
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        message = f"the requests file {str(path)!r} cannot be read: {error.strerror}"
        raise InputInvalid(message, path=str(path)) from error
    cases: dict[str, Case] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            case = _read(line, path, number)
            if case.id in cases:
                raise _wrong(path, number, f"the id {case.id!r} was used before")
            cases[case.id] = case
    if not cases:
        raise InputInvalid(f"the requests file {str(path)!r} has no requests", path=str(path))
    return tuple(cases.values())


def _read(line: bytes, path: Path, number: int) -> Case:
    try:
        return _CASE.validate_json(line)
    except ValidationError as error:
        raise _wrong(path, number, first_fault(error)) from error


def _wrong(path: Path, number: int, what: str) -> InputInvalid:
    message = f"the requests file {str(path)!r}, line {number}: {what}"
    return InputInvalid(message, path=str(path), line=number)


# --- outcomes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What came of a case: `fault` is empty when it is right. Without a result, `error` was raised."""

    case: Case
    fault: str
    seconds: float
    result: Result | None = None
    error: dict[str, Any] | None = None

    @property
    def right(self) -> bool:
        return not self.fault

    @property
    def how(self) -> str:
        return self.result.how if self.result else "error"

    @property
    def usage(self) -> Usage:
        return self.result.usage if self.result else Usage()

    def describe(self) -> dict[str, Any]:
        """The one JSON form, flat, for a line of a file."""
        made = self.result.calls if self.result else ()
        return {
            "id": self.case.id,
            "text": self.case.text,
            "right": self.right,
            "fault": self.fault,
            "how": self.how,
            "answer": self.result.answer if self.result else "",
            "calls": [{"name": done.call.name, "arguments": done.call.arguments} for done in made],
            "seconds": round(self.seconds, 4),
            **asdict(self.usage),
            "error": self.error or (self.result.error if self.result else None),
        }


def evaluate(agent: Agent, cases: Sequence[Case]) -> Iterator[Outcome]:
    """Outcomes one by one, as they come about. What one case raises is its own outcome, not the end."""
    tools = {tool.name: tool for tool in agent.tools}
    for case in cases:
        started = time.monotonic()
        try:
            result = agent.run(case.text)
        except Exception as error:
            yield _failed(case, error, time.monotonic() - started)
        else:
            yield Outcome(case, fault_of(result, case.expect, tools), time.monotonic() - started, result)


def fault_of(result: Result, expect: Expected, tools: Mapping[str, Tool]) -> str:
    """What is wrong with a result; an empty string for nothing. `tools` know what their defaults are."""
    if expect.answer is not None:
        return _answer_fault(result, expect.answer)
    wanted = [{"name": want.name, "arguments": want.arguments} for want in expect.calls or ()]
    made = [{"name": done.call.name, "arguments": done.call.arguments} for done in result.calls]
    spare = [_without_defaults(call, wanted, tools) for call in made]
    return judge(spare, wanted, {name: tool.parameters["properties"] for name, tool in tools.items()})


def _answer_fault(result: Result, parts: Sequence[str]) -> str:
    """An error that names what was asked for is no answer to it."""
    if result.error is not None:
        return str(result.error["message"])
    answer = result.answer.casefold()
    if any(part.casefold() in answer for part in parts):
        return ""
    shown = result.answer if len(result.answer) <= 80 else f"{result.answer[:77]}..."
    return f"answer {shown!r}, expected {' or '.join(map(repr, parts))}"


def _without_defaults(
    call: Mapping[str, Any], wanted: Sequence[Mapping[str, Any]], tools: Mapping[str, Tool]
) -> dict[str, Any]:
    """The call without arguments that may be left out and say nothing but the tool's own default."""
    wants = [want["arguments"] for want in wanted if want["name"] == call["name"]]
    spare = {name for want in wants for name, allowed in want.items() if "" in allowed}
    tool = tools.get(call["name"])
    kept = {
        name: value
        for name, value in call["arguments"].items()
        if not (tool and name in spare and _is_default(tool, name, value))
    }
    return {"name": call["name"], "arguments": kept}


def _is_default(tool: Tool, name: str, value: Any) -> bool:
    """A parameter that is not required and has no default in the schema has null, or does without."""
    if name in tool.parameters.get("required", ()):
        return False
    default = tool.parameters["properties"].get(name, {}).get("default")
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)


def _failed(case: Case, error: Exception, seconds: float) -> Outcome:
    told = error if isinstance(error, LinnetError) else LinnetError(f"unexpected {type(error).__name__}: {error}")
    return Outcome(case, f"{told.code}: {told.message}", seconds, error=told.describe())


# --- totals --------------------------------------------------------------------------------------


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The suite in numbers: `interval` is the 95 % Wilson interval of `share`; `by` counts by how."""
    right = sum(outcome.right for outcome in outcomes)
    usage = sum((outcome.usage for outcome in outcomes), Usage())
    by = {how: [o.right for o in outcomes if o.how == how] for how in sorted({o.how for o in outcomes})}
    return {
        "right": right,
        "of": len(outcomes),
        "share": right / len(outcomes) if outcomes else 0.0,
        "interval": list(wilson(right, len(outcomes))),
        "by": {how: {"right": sum(rights), "of": len(rights)} for how, rights in by.items()},
        "median_seconds": statistics.median(o.seconds for o in outcomes) if outcomes else 0.0,
        "usage": asdict(usage),
    }

"""An example to learn tool calls from, and files of them: one JSON object a line, sizes bounded.

A line is `{tools: [{name, description, parameters}], request, calls: [{name, arguments}], kind}`. A folder holds
cases as evals take them (`bfcl`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

from pydantic import TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from linnet.errors import InputInvalid
from linnet.evals import bfcl
from linnet.evals.harness import Case
from linnet.faults import first_fault
from linnet.limits import LIMITS
from linnet.messages import STRICT, ToolCall, ToolSpec
from linnet.schema import problems
from linnet.storage import write_pieces
from linnet.tools import Tool


@dataclass(frozen=True, config=STRICT)
class Example:
    """What is on offer, what is asked, and the calls that it wants, in the request's order; none: no tool fits.

    Of a call only name and arguments count. What the request leaves to a tool's defaults is not among the
    arguments. `kind` says how the example came about, for counting.
    """

    tools: tuple[ToolSpec, ...]
    request: str
    calls: tuple[ToolCall, ...] = ()
    kind: str = ""

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = [tool.name for tool in self.tools]
        if len(set(names)) < len(names):
            raise ValueError("two tools have one name")
        if strangers := sorted({call.name for call in self.calls} - set(names)):
            raise ValueError(f"calls {', '.join(strangers)}, which is not among its tools")
        if len(names) > LIMITS.request_tools or len(self.calls) > LIMITS.calls_per_request:
            raise ValueError(f"has over {LIMITS.request_tools} tools or {LIMITS.calls_per_request} calls")
        return self

    def offered(self) -> tuple[Tool, ...]:
        """The tools as calling takes them. Raises ToolInvalid for a schema that has no meaning."""
        return tuple(Tool.from_schema(spec.name, spec.description, spec.parameters) for spec in self.tools)

    def fault(self) -> str:
        """What the tools' own schemas have against the calls; an empty string for nothing."""
        tools = {tool.name: tool for tool in self.offered()}
        wrong = (
            f"{call.name}: {path or 'the arguments'} {reason}"
            for call in self.calls
            for path, reason in problems(call.arguments, tools[call.name].parameters)
        )
        return next(wrong, "")

    def describe(self) -> dict[str, Any]:
        """The one JSON form, for a line of a file."""
        return {
            "tools": [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in self.tools],
            "request": self.request,
            "calls": [{"name": call.name, "arguments": call.arguments} for call in self.calls],
            "kind": self.kind,
        }


_EXAMPLE: TypeAdapter[Example] = TypeAdapter(Example)


def line_of(example: Example) -> bytes:
    """The example as a line of a file: the same bytes for the same example."""
    return json.dumps(example.describe(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def write(path: Path, examples: Iterable[Example]) -> int:
    """Writes a file whole, or not at all, and says how many examples it has. Raises InputInvalid where it cannot
    be written."""
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for count, example in enumerate(examples, 1):  # noqa: B007  (the count is the caller's)
            yield line_of(example)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_pieces(path, lines())
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be written: {error.strerror}", path=str(path)) from error
    return count


def of_case(case: Case) -> Example | None:
    """What there is to learn from a case; None where it does not say what is right. Of several right values the first
    is learned; what may as well be left out is."""
    if case.want not in ("calls", "none"):
        return None
    tools = tuple(ToolSpec(tool.name, tool.description, tool.parameters) for tool in case.tools)
    calls = tuple(
        ToolCall(call["name"], {name: _plain(v[0]) for name, v in call["arguments"].items() if v and "" not in v})
        for call in (case.expected if case.want == "calls" else ())
    )
    return Example(tools, case.request, calls, case.category)


def _plain(value: Any) -> Any:
    """Of an object's values too, each a list of right ones, the first; or none where it may be left out."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    lists = {name: each if isinstance(each, list) else [each] for name, each in value.items()}
    return {name: _plain(right[0]) for name, right in lists.items() if right and "" not in right}


def read(path: Path) -> Iterator[Example]:
    """The examples of a file, one by one, empty lines left out; or those of all cases in a folder.

    Raises InputInvalid for a file or folder that cannot be read, and for a line that is too long, one too many, or
    wrong.
    """
    if path.is_dir():
        yield from _of_cases(path)
        return
    try:
        with path.open("rb") as file:
            yield from _examples(file, path)
    except OSError as error:
        message = f"the examples {str(path)!r} cannot be read: {error.strerror}"
        raise InputInvalid(message, path=str(path)) from error


def _of_cases(folder: Path) -> Iterator[Example]:
    cases = bfcl.load(folder)
    if len(cases) > LIMITS.training_examples:
        message = f"the cases in {str(folder)!r} are over {LIMITS.training_examples:,}"
        raise InputInvalid(message, path=str(folder))
    for case in cases:
        if case.fault:
            raise InputInvalid(f"the cases in {str(folder)!r}: {case.fault}", path=str(folder))
        try:
            found = of_case(case)
        except ValidationError as error:
            raise InputInvalid(f"the case {case.id!r}: {first_fault(error)}", path=str(folder)) from error
        if found is not None:
            yield found


def _examples(file: BinaryIO, path: Path) -> Iterator[Example]:
    number = found = 0
    while line := file.readline(LIMITS.training_line_bytes + 1):
        number += 1
        if len(line) > LIMITS.training_line_bytes:
            raise _wrong(path, number, f"is over {LIMITS.training_line_bytes:,} bytes long")
        if line.strip():
            found += 1
            if found > LIMITS.training_examples:
                raise _wrong(path, number, f"is one example more than {LIMITS.training_examples:,}")
            yield _example(line, path, number)


def _example(line: bytes, path: Path, number: int) -> Example:
    try:
        return _EXAMPLE.validate_json(line)
    except ValidationError as error:
        raise _wrong(path, number, first_fault(error)) from error


def _wrong(path: Path, number: int, what: str) -> InputInvalid:
    return InputInvalid(f"the examples {str(path)!r}, line {number}: {what}", path=str(path), line=number)

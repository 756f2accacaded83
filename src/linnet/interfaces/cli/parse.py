"""`linnet parse`: what a model said, as content, reasoning and calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from linnet.errors import InputInvalid, LinnetError, RequestTooLarge
from linnet.interfaces.cli import options, output
from linnet.limits import LIMITS

if TYPE_CHECKING:
    from linnet.calling.dialects.parsed import Parsed
    from linnet.messages import ToolCall

EXAMPLE = "Example: echo '[TOOL_CALLS]add[ARGS]{\"a\": 2}' | linnet parse --dialect auto --json"

Mode = Literal["full", "tool_only"]


def parse(
    dialect: Annotated[
        str, typer.Option("--dialect", metavar="NAME", help="Family of the model, or auto to go by the markers.")
    ] = "auto",
    tools: Annotated[
        Path | None, typer.Option("--tools", metavar="FILE", help="JSON list of the tools that were offered.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option("--mode", help="full splits thinking off; tool_only leaves it in the content.")
    ] = "full",
    repair: Annotated[
        bool, typer.Option("--repair", help="Bring names and values into those of the tools, and tell of it.")
    ] = False,
    jsonl: Annotated[
        Path | None,
        typer.Option("--jsonl", metavar="FILE", help="Read {id, raw, tools, family, mode, options} a line."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Turn the raw text of a model, on standard input, into content, reasoning and tool calls.

    Nothing is run. Calls that nobody made for certain are printed as guesses, apart from the calls.
    """
    with output.reporting(as_json or jsonl is not None):
        offered = _tools(tools) if tools else []
        if jsonl is not None:
            for line in _cases(jsonl, {"family": dialect, "tools": offered, "mode": mode, "options": {}}, repair):
                output.say_json(line)
            return
        found = read(_standard_input(), dialect, offered, mode, {}, repair=repair)
        if as_json:
            output.say_json(found)
        else:
            _tell(found)


def read(
    raw: str, family: str, tools: Sequence[Any], mode: str, choices: dict[str, Any], *, repair: bool = False
) -> dict[str, Any]:
    """One text, read: the object that `--json` prints. The one way to it, for standard input and for files."""
    from linnet.calling.dialects.families import parse as parse_text

    parsed = parse_text(raw, family, tools, full=mode != "tool_only", options=choices)
    parsed = _salvaged(parsed, family, tools)
    return described(_repaired(parsed, tools) if repair else parsed)


def described(parsed: Parsed) -> dict[str, Any]:
    """`Parsed` as JSON."""
    return {
        "content": parsed.content,
        "reasoning": parsed.reasoning,
        "calls": [_call(call) for call in parsed.calls],
        "strategy": parsed.strategy,
        "repairs": list(parsed.repairs),
        "unknown": list(parsed.unknown),
        "failures": [{"reason": failed.reason, "text": failed.text} for failed in parsed.failures],
        "guesses": [{**_call(call), "guessed": True} for call in parsed.guesses],
    }


def _call(call: ToolCall) -> dict[str, Any]:
    named = {"name": call.name, "arguments": call.arguments}
    return {**named, "id": call.id} if call.id else named


def _salvaged(parsed: Parsed, family: str, tools: Sequence[Any]) -> Parsed:
    """With no call in the family's notation: those that salvage finds, as guesses unless the text is nothing else."""
    from dataclasses import replace

    from linnet.calling.salvage import salvage

    found = None if parsed.calls else salvage(parsed.content, tools)
    if found is None:
        return parsed
    if found.guessed or family != "auto":
        return replace(parsed, guesses=found.calls, strategy=found.strategy)
    return replace(parsed, content="", calls=found.calls, strategy=found.strategy)


def _repaired(parsed: Parsed, tools: Sequence[Any]) -> Parsed:
    """With names and values brought into those of the tools; tools that no schema can be made of are left out."""
    from dataclasses import replace

    from linnet.calling.repair import repair_call

    known = list(_usable(tools))
    done = [repair_call(call, known) for call in parsed.calls]
    unknown = dict.fromkeys(one.call.name for one in done if one.tool is None) if known else {}
    return replace(parsed, calls=tuple(one.call for one in done), unknown=tuple(unknown))


def _usable(tools: Sequence[Any]) -> Iterator[Any]:
    from linnet import Tool
    from linnet.calling.dialects.dialect import Offer

    for name, schema in Offer.of(tools).schemas.items():
        try:
            yield Tool.from_schema(name, name, schema)
        except LinnetError as error:
            output.complain(f"note: {error.message}")


# --- what is read --------------------------------------------------------------------------------


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputInvalid("there is no text on standard input", hint=EXAMPLE)
    data = sys.stdin.buffer.read(LIMITS.parse_chars * 4 + 1)
    if len(data) > LIMITS.parse_chars * 4:
        raise RequestTooLarge(f"the text has over {LIMITS.parse_chars:,} characters", limit=LIMITS.parse_chars)
    return data.decode("utf-8", "replace")


def _tools(path: Path) -> list[Any]:
    """A JSON list of tools: `{name, description, parameters}`, or in OpenAI's form."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputInvalid(f"the tools file {str(path)!r} cannot be read: {str(error)[:200]}") from error
    from linnet.calling.dialects.dialect import Offer

    if not isinstance(found, list) or len(Offer.of(found).schemas) != len(found):
        raise InputInvalid(f"the tools file {str(path)!r} is no JSON list of tools, each with a name of its own")
    return found


def _cases(path: Path, defaults: dict[str, Any], repair: bool) -> Iterator[dict[str, Any]]:
    """The lines of a file, each read. Raises InputInvalid with the number of a line that is no case."""
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as lines:
            for number in range(1, sys.maxsize):
                line = lines.readline(LIMITS.record_bytes + 1)
                if not line:
                    return
                if line.strip():
                    case = _case(line, f"line {number} of {str(path)!r}", number)
                    given = {key: case[key] for key in defaults if isinstance(case.get(key), type(defaults[key]))}
                    yield {"id": case.get("id"), **_read(case["raw"], defaults | given, repair)}
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be read: {error.strerror}", path=str(path)) from error


def _case(line: bytes, where: str, number: int) -> dict[str, Any]:
    if len(line) > LIMITS.record_bytes:
        raise InputInvalid(f"{where} is over {LIMITS.record_bytes:,} bytes", line=number)
    try:
        case = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputInvalid(f"{where} is not JSON: {str(error)[:200]}", line=number) from error
    if not isinstance(case, dict) or not isinstance(case.get("raw"), str):
        raise InputInvalid(f"{where} is no object with a text `raw`", line=number)
    return case


def _read(raw: str, how: dict[str, Any], repair: bool) -> dict[str, Any]:
    """What was found. A family that nobody knows is read by its marks, and told; of a text that cannot be read
    at all, the error."""
    from linnet.calling.dialects.families import known
    from linnet.calling.dialects.parsed import Parsed

    try:
        family = known(how["family"])
        found = read(raw, family or "auto", how["tools"], how["mode"], how["options"], repair=repair)
    except LinnetError as error:
        return {**described(Parsed()), "error": error.describe()}
    if not family:
        reason = f"there is no dialect {how['family']!r}: it was read by its marks, as with auto"
        found["failures"].insert(0, {"reason": reason, "text": ""})
    return found


# --- what is printed -----------------------------------------------------------------------------


def _tell(found: dict[str, Any]) -> None:
    for name in ("content", "reasoning"):
        if found[name]:
            output.say(f"{name}: {found[name]}")
    for kind in ("calls", "guesses"):
        for call in found[kind]:
            arguments = json.dumps(call["arguments"], ensure_ascii=False)
            output.say(f"{kind.removesuffix('s').removesuffix('e')}: {call['name']} {arguments}")
    output.say(f"strategy: {found['strategy']}")
    for repair in found["repairs"]:
        output.say(f"repair: {repair}")
    for name in found["unknown"]:
        output.complain(f"note: there is no tool {name!r} among those offered")
    for failed in found["failures"]:
        output.complain(f"note: {failed['reason']}")

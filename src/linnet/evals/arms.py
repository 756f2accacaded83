"""Ways to answer a request with tools, from none of Linnet's ideas to all: the arms of the ablation.

Each is one small function of a model, tools and a request, and `ARMS` is the one table of them, in the order
in which each is held against the one before. The early ones depend on nothing in `calling/` but what finds tools
and introduces them, so that they stay what they are while the rest changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from linnet.calling import choose
from linnet.calling.ranking.ranker import Doubt, fitted, weighing
from linnet.calling.retrieve import Retriever
from linnet.evals.fitting.validate import evidence_of
from linnet.evals.harness import Arm, Made, guided
from linnet.messages import Message, ToolCall
from linnet.requests import Choice, Copy, Done, Fixed, Generate, Hole, Holes, Model, Number, Schema, Usage, complete
from linnet.tools import Tool

_MOST_TOKENS = 256
"""Of a free answer or of arguments; the longest calls of BFCL take about half."""

# --- no model at all -----------------------------------------------------------------------------


def no_model(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """The tool that BM25 finds, its required parameters filled with the request's pieces in their order."""
    tool = _closest(tools, request)
    return Made((ToolCall(tool.name, _dealt(tool, request), how="rule"),) if tool else ())


def _closest(tools: Sequence[Tool], request: str) -> Tool | None:
    """None when no word of the request is any tool's."""
    import bm25s

    texts = [_words(f"{tool.name} {tool.description} {' '.join(tool.parameters['properties'])}") for tool in tools]
    asked = [word for word in _words(request) if any(word in text for text in texts)]
    if not asked:
        return None
    index = bm25s.BM25()
    index.index(texts, show_progress=False)
    scores = list(index.get_scores(asked))
    return tools[scores.index(max(scores))]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]{3,}", text.lower().replace("_", " "))


def _dealt(tool: Tool, request: str) -> dict[str, Any]:
    """Each required parameter takes the next piece of its kind; one for which none is left stays out."""
    numbers = iter(re.findall(r"-?\d+(?:\.\d+)?", request.replace(",", "")))
    texts = _texts(request)
    properties = tool.parameters["properties"]
    dealt = {name: _piece(properties[name], request, numbers, texts) for name in tool.parameters["required"]}
    return {name: value for name, value in dealt.items() if value is not None}


def _texts(request: str) -> Iterator[str]:
    """Quotations, then names: runs of words with capitals that do not begin the request; at last all of it."""
    yield from re.findall(r"['\"](.+?)['\"]", request)
    yield from re.findall(r"(?<=\S )[A-Z]\w*(?: [A-Z]\w*)*", request)
    yield request


def _piece(schema: Mapping[str, Any], request: str, numbers: Iterator[str], texts: Iterator[str]) -> Any:
    if options := schema.get("enum"):
        return next((o for o in options if str(o).lower() in request.lower()), options[0])
    match schema.get("type"):
        case "integer":
            return next((int(n) for n in numbers if "." not in n), None)
        case "number":
            return next(map(float, numbers), None)
        case "boolean":
            return True
        case "array":
            return _list(schema.get("items"), numbers, texts)
        case "object":
            return {}
    return next(texts, None)


def _list(items: Any, numbers: Iterator[str], texts: Iterator[str]) -> list[Any]:
    """All numbers that are left, or one text."""
    kind = items.get("type") if isinstance(items, Mapping) else None
    if kind in ("integer", "number"):
        return [int(n) if kind == "integer" and "." not in n else float(n) for n in numbers]
    return [text for text in [next(texts, None)] if text is not None]


# --- the model, left to itself -------------------------------------------------------------------


def free_text(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """The usual way: tools as JSON in the prompt, and the first JSON in the answer, if it is one of calls."""
    known = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in tools]
    told = (
        f"You have these functions:\n{json.dumps(known, ensure_ascii=False)}\nAnswer with the function calls "
        'that the request needs, as JSON: [{"name": ..., "arguments": {...}}], or with [] if none fits.'
    )
    prompt = (Message("system", told, trusted=False), Message("user", request, trusted=False))
    end = complete(model, Generate(prompt, max_tokens=_MOST_TOKENS))
    return Made(tuple(_read(end.text)), end.usage)


def _read(text: str) -> Iterator[ToolCall]:
    for call in _first_json(text):
        match call:
            case {"name": str(name), "arguments": dict(arguments)} if name:
                yield ToolCall(name, arguments)


def _first_json(text: str) -> list[Any]:
    """The first list or object in a text, as a list; an empty one when there is none."""
    start = re.search(r"[\[{]", text)
    try:
        value, _ = json.JSONDecoder().raw_decode(text[start.start() :] if start else "")
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else [value]


# --- the model under a grammar -------------------------------------------------------------------


def grammar(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """A name out of the tools', then arguments that its schema accepts; signatures in the prompt, no more."""
    return _constrained(model, tools, request, [_signature(tool) for tool in tools])


def described(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """As `grammar`, with what tools and parameters say of themselves."""
    return _constrained(model, tools, request, [_described(tool) for tool in tools])


def retrieved(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """As `described`, of the one tool that BM25 finds."""
    return described(model, Retriever(tools).candidates(request, 1), request)


def _constrained(model: Model, tools: Sequence[Tool], request: str, told: Sequence[str]) -> Made:
    if not tools:
        return Made()
    prompt = _told(told, request)
    names = {json.dumps(tool.name): tool for tool in tools}
    picked = complete(model, Generate(prompt, '{"name": ', Choice(tuple(names)), max_tokens=_MOST_TOKENS))
    tool, start = names[picked.text], f'{{"name": {picked.text}, "arguments": '
    filled = complete(model, Generate(prompt, start, Schema(tool.parameters), max_tokens=_MOST_TOKENS))
    calls = (ToolCall(tool.name, json.loads(filled.text)),) if _whole(filled) else ()
    return Made(calls, picked.usage + filled.usage)


def _told(told: Sequence[str], request: str) -> tuple[Message, ...]:
    listed = "\n".join(told)
    return (Message("user", f"Functions:\n{listed}\nRequest: {request}\nWrite the call as JSON.", trusted=False),)


def _whole(done: Done) -> bool:
    """An answer that was cut off is no call."""
    return done.finish != "length"


# --- the request's own words ---------------------------------------------------------------------


def copied(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """As `retrieved`, with texts and numbers taken from the request; what is optional stays out."""
    return _copied(model, Retriever(tools).candidates(request, 1), request)


def scored(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """As `copied`, of the tool that makes the request likelier than "no tool" does, and than the others do."""
    if not tools:
        return Made()
    found = Retriever(tools).candidates(request, choose.CANDIDATES)
    gains, usage = choose.gains_of(model, found, request)
    best = gains.index(max(gains))
    done = _copied(model, found[best : best + 1] if gains[best] > 0 else (), request)
    return Made(done.calls, usage + done.usage)


def _copied(model: Model, tools: Sequence[Tool], request: str) -> Made:
    if not tools:
        return Made()
    tool = tools[0]
    start = f'{{"name": {json.dumps(tool.name)}, "arguments": '
    constraint = Holes(tuple(_call_parts(tool, request)))
    prompt = _told([_described(tool)], request)
    filled = complete(model, Generate(prompt, start, constraint, max_tokens=_MOST_TOKENS))
    if not _whole(filled):
        return Made((), filled.usage)
    arguments = {name: _value(tool, name, text) for name, text in filled.captures.items()}
    return Made((ToolCall(tool.name, arguments),), filled.usage)


def _call_parts(tool: Tool, request: str) -> Iterator[Fixed | Hole]:
    numbers = tuple(float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", request.replace(",", "")))
    for position, name in enumerate(tool.parameters["required"]):
        schema = tool.parameters["properties"][name]
        between = f"{', ' if position else '{'}{json.dumps(name)}: "
        quote = '"' if _texts_only(schema) else ""
        yield Fixed(between + quote)
        match schema.get("type"):
            case "string" if quote:
                yield Hole(name, Copy(request))
                yield Fixed(quote)
            case "integer" | "number" if "enum" not in schema:
                yield Hole(name, Number(numbers, schema["type"] == "integer"))
            case _:
                yield Hole(name, Schema(schema))
    yield Fixed("}" if tool.parameters["required"] else "{}")


def _texts_only(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "string" and "enum" not in schema


def _value(tool: Tool, name: str, text: str) -> Any:
    return text if _texts_only(tool.parameters["properties"][name]) else json.loads(text)


# --- ranked evidence -----------------------------------------------------------------------------


def evident(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """Linnet's own way, the model never asked: tools, arguments and counts by fitted weights of evidence."""
    weights = fitted()
    with weighing(replace(weights, doubt=Doubt(0, 0, 0))):
        picked = choose.Chooser(tools).choose(model, request).picked
    made = (call for tool, text in picked for call in evidence_of(tool, text, request, weights))
    return Made(tuple(made), Usage())


def _signature(tool: Tool) -> str:
    return f"{tool.name}({', '.join(tool.parameters['properties'])})"


def _described(tool: Tool) -> str:
    lines = [f"{_signature(tool)}: {tool.description}"]
    for name, schema in tool.parameters["properties"].items():
        lines.append(f"- {name} ({schema.get('type', 'any')}): {schema.get('description', '')}")
    return "\n".join(lines)


ARMS: dict[str, Arm] = {
    "no model": no_model,
    "free text": free_text,
    "grammar": grammar,
    "+ descriptions": described,
    "+ retrieval": retrieved,
    "+ copy": copied,
    "+ scoring": scored,
    "evidence": evident,
    "guided": guided,
}
"""By name, each to be compared with the one before."""

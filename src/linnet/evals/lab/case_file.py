"""The case file: YAML that says what is tried, held against its form, every fault told with its line.

Hides how a plan is made of that form. Nothing in a file runs anything: tools are told in it as JSON Schema, Python
that has them is named on the command line; models are names and paths, and none is fetched.
"""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from linnet import schema
from linnet.errors import InputInvalid, LinnetError
from linnet.evals.lab import notation as notations
from linnet.evals.lab.check import Calls, Check, Contains, Exact, FitsSchema, Matches, Number
from linnet.evals.lab.form import CallForm, CheckForm, FileForm, VariantForm, home
from linnet.evals.lab.marked import Marked, Wrong, read
from linnet.evals.lab.notation import Notation
from linnet.evals.lab.plan import MODEL, Case, Plan, Variant
from linnet.limits import LIMITS
from linnet.requests import Choice, Pattern, Schema
from linnet.tools import Tool

_HINT = "docs/prompt-lab.md has the form of the file; `linnet prompt new FILE` writes one to begin with."
_QUOTES = "A text with `: `, ` #`, `?`, commas or brackets in it belongs in quotes. " + _HINT

_FILE = TypeAdapter(FileForm)
_UNKNOWN = "unexpected_keyword_argument"

# --- reading -------------------------------------------------------------------------------------


def load(path: Path, tools: Sequence[Tool] = (), model: str = MODEL) -> Plan:
    """The plan of a file; `tools` are on offer beside its own, and `model` is asked where it names none. Raises
    InputInvalid, which names line and field."""
    try:
        with path.open("rb") as file:
            body = file.read(LIMITS.lab_file_bytes + 1)
    except OSError as error:
        raise InputInvalid(f"the case file {str(path)!r} cannot be read: {error.strerror}", path=str(path)) from error
    try:
        return planned(read(body), path.stem, tools, model)
    except Wrong as wrong:
        where = f", line {wrong.line}" if wrong.line else ""
        message = f"the case file {str(path)!r}{where}: {wrong.what}"
        hint = _QUOTES if "not YAML" in wrong.what else _HINT
        raise InputInvalid(message, hint=hint, path=str(path), line=wrong.line or None) from None


def planned(marked: Marked, name: str, tools: Sequence[Tool] = (), model: str = MODEL) -> Plan:
    """The plan that a document describes. Raises Wrong."""
    if not isinstance(marked.value, dict):
        raise Wrong("it should be a mapping with `cases`, `prompts` and so on", 1)
    try:
        told = _FILE.validate_python(marked.value)
    except ValidationError as error:
        raise _wrong(error, marked) from None
    return _Planner(told, marked, tools, model).plan(name)


def _wrong(error: ValidationError, marked: Marked) -> Wrong:
    """The first fault, and how many more there are."""
    every = error.errors(include_url=False, include_context=False)
    # a list whose parts are wrong is also told to be too short
    faults = [f for f in every if not any(f["loc"] == o["loc"][: len(f["loc"])] != o["loc"] for o in every)]
    fault = min(faults, key=lambda fault: (marked.line(_seen(fault["loc"], marked)), fault["type"] != _UNKNOWN))
    path = _seen(fault["loc"], marked)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    if fault["type"] == _UNKNOWN:
        known = [field.name for field in fields(home(fault["loc"][:-1]))]
        what = f"{_spelled(fault['loc'])} is not a field here; {nearest(str(fault['loc'][-1]), known)}"
    else:
        what = f"{_spelled(path)}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
    return Wrong(what + more, marked.line(path))


def _seen(loc: tuple[int | str, ...], marked: Marked) -> tuple[int | str, ...]:
    """The part of a fault's place that the file has: not what pydantic put in for a union or a key, and a field that
    is missing by the mapping that lacks it."""
    path: tuple[int | str, ...] = ()
    for part in loc:
        if (*path, part) in marked.lines:
            path = (*path, part)
    return path if path == loc or not loc or isinstance(loc[-1], int) else _lacking(path, loc)


def _lacking(path: tuple[int | str, ...], loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return (*path, loc[-1]) if loc[:-1] == path else path


def _spelled(path: Iterable[int | str]) -> str:
    """`cases[2].check.regex`, counted from 1 as people count."""
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"`{text.removeprefix('.')}`" if text else "the file"


def nearest(name: str, names: Iterable[str]) -> str:
    """`did you mean 'xml'?`, or which there are."""
    given = list(names)
    near = difflib.get_close_matches(name, given, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(given)}"


# --- from the form to a plan ---------------------------------------------------------------------


class _Planner:
    """Makes the plan of one file. Whatever is wrong is raised as Wrong, with the line that it stands in."""

    def __init__(self, told: FileForm, marked: Marked, tools: Sequence[Tool], model: str) -> None:
        self._told, self._marked = told, marked
        self._models = told.models or (model,)
        self._tools = (*tools, *self._own_tools())
        self._notations = dict(self._named_notations())

    def plan(self, name: str) -> Plan:
        told = self._told
        sizes = [len(told.prompts), len(self._notations), len(self._models), len(told.settings)]
        count = math.prod(sizes) if told.variants is None else len(told.variants)
        if count > LIMITS.lab_variants:
            raise Wrong(f"it has {count:,} variants; the limit is {LIMITS.lab_variants}", 1)
        variants = tuple(self._variants())
        self._unique("variants", [variant.name for variant in variants])
        cases = tuple(self._cases())
        self._unique("cases", [case.id for case in cases])
        baseline = told.baseline or variants[0].name
        self._known("a variant", baseline, [variant.name for variant in variants], ("baseline",))
        self._fit(variants, cases)
        return Plan(told.name or name, variants, cases, baseline, self._tools)

    def _fail(self, what: str, *path: int | str) -> Wrong:
        return Wrong(f"{_spelled(path)}: {what}" if path else what, self._marked.line(path))

    def _known(self, kind: str, name: str, names: Iterable[str], path: tuple[int | str, ...]) -> None:
        given = list(names)
        if name not in given:
            raise self._fail(f"{name!r} is not {kind}; {nearest(name, given)}", *path)

    def _unique(self, key: str, names: Sequence[str]) -> None:
        seen: dict[str, int] = {}
        for place, name in enumerate(names):
            if seen.setdefault(name, place) != place:
                raise self._fail(f"the name {name!r} was used before", key, place)

    def _made(self, make: Callable[[], Any], *path: int | str) -> Any:
        try:
            return make()
        except (LinnetError, re.error) as error:
            raise self._fail(getattr(error, "message", str(error)), *path) from None

    # parts

    def _own_tools(self) -> Iterator[Tool]:
        for place, told in enumerate(self._told.tools):
            make = lambda told=told: Tool.from_schema(told.name, told.description, told.parameters)  # noqa: E731
            yield self._made(make, "tools", place)

    def _named_notations(self) -> Iterator[tuple[str, Notation]]:
        for name, told in self._told.notations.items():
            if told is None:
                self._known("a notation", name, notations.known(), ("notations", name))
                yield name, Notation(name)
                continue
            given: list[Schema | Pattern | Choice] = [Schema(told.schema)] if told.schema is not None else []
            given += [Pattern(told.pattern)] if told.pattern is not None else []
            given += [Choice(told.choice)] if told.choice is not None else []
            if len(given) != 1:
                raise self._fail("it should have one of schema, pattern and choice", "notations", name)
            yield name, Notation(constraint=given[0])

    def _variants(self) -> Iterator[Variant]:
        told = self._told
        if told.variants is not None:
            for place, row in enumerate(told.variants):
                yield self._row(row, place)
            return
        for key in ("variants", "models"):
            if key in self._marked.value and getattr(told, key) is None:
                raise self._fail("it should be a list", key)
        kinds = [list(told.prompts), list(self._notations), list(self._models), list(told.settings)]
        for names in itertools.product(*kinds):
            several = [name for name, kind in zip(names, kinds, strict=True) if len(kind) > 1]
            yield self._variant(" · ".join(several) or names[0], *names)

    def _row(self, row: VariantForm, place: int) -> Variant:
        kinds: dict[str, Iterable[str]] = {
            "prompt": self._told.prompts,
            "notation": self._notations,
            "model": self._models,
            "settings": self._told.settings,
        }
        for kind, names in kinds.items():
            if given := getattr(row, kind):
                self._known(f"one of the file's {kind.rstrip('s')}s", given, names, ("variants", place, kind))
        names = [getattr(row, kind) or next(iter(given)) for kind, given in kinds.items()]
        said = [getattr(row, kind) for kind in kinds if getattr(row, kind)]
        return self._variant(row.name or " · ".join(said) or names[0], *names)

    def _variant(self, name: str, prompt: str, notation: str, model: str, settings: str) -> Variant:
        told = self._told
        named = {"prompt": prompt, "notation": notation, "model": model, "settings": settings}
        return Variant(name, told.prompts[prompt], self._notations[notation], model, told.settings[settings], named)

    def _cases(self) -> Iterator[Case]:
        common = self._checks(self._told.check, "check")
        for place, told in enumerate(self._told.cases):
            values: dict[str, Any] = {} if told.text is None else {"text": told.text}
            values |= {name: value if isinstance(value, str) else list(value) for name, value in told.values.items()}
            checks = (*common, *self._checks(told.check, "cases", place, "check"))
            if not checks:
                raise self._fail("it has no check, here or for all cases", "cases", place)
            yield Case(told.id or f"case {place + 1}", values, checks)

    def _checks(self, told: CheckForm, *path: int | str) -> tuple[Check, ...]:
        checks: list[Check] = []
        checks += [Exact(told.exact)] if told.exact else []
        checks += [Contains(told.contains)] if told.contains else []
        checks += [Contains(told.lacks, absent=True)] if told.lacks else []
        if told.regex is not None:
            self._made(lambda: re.compile(told.regex or ""), *path, "regex")
            checks.append(Matches(told.regex))
        checks += [Number(told.number.value, told.number.within)] if told.number else []
        if told.schema is not None:
            given = told.schema
            plain = self._made(lambda: schema.plain({"type": "object", "properties": {"it": given}}, "it"), *path)
            checks.append(FitsSchema(plain["properties"]["it"]))
        if told.call is not None or told.calls is not None:
            checks.append(self._calls((told.call,) if told.call else told.calls or (), *path))
        return tuple(checks)

    def _calls(self, told: Sequence[CallForm], *path: int | str) -> Calls:
        for call in told:
            self._known("a tool of this plan", call.name, [tool.name for tool in self._tools] or ["none"], path)
        return Calls(tuple({"name": call.name, "arguments": call.arguments} for call in told))

    # what has to go together

    def _fit(self, variants: Sequence[Variant], cases: Sequence[Case]) -> None:
        for name, notation in self._notations.items():
            if notation.calls and not self._tools:
                raise self._fail(
                    "it wants tools: list them under `tools`, or name a file by --tools", "notations", name
                )
        texts = [variant for variant in variants if not variant.notation.calls]
        for place, case in enumerate(cases):
            if texts and any(check.calls for check in case.checks):
                what = f"it expects calls, and the variant {texts[0].name!r} makes none"
                raise self._fail(what, "cases", place, "check")
        for variant in variants:
            self._fill(variant, cases)

    def _fill(self, variant: Variant, cases: Sequence[Case]) -> None:
        """Every field of its prompt has a value, in every case."""
        prompt, path = variant.prompt, ("prompts", variant.named["prompt"])
        wanted = self._made(lambda: prompt.fields, *path) - {"tools"}
        if variant.notation.way and (prompt.system or prompt.start):
            what = f"the notation {variant.notation.by!r} writes system text and beginning itself: leave `user` alone"
            raise self._fail(what, *path)
        if "{" in prompt.start or "}" in prompt.start:
            raise self._fail("it has no fields", *path, "start")
        if "call" in wanted and not variant.notation.example:
            raise self._fail(f"`{{call}}` has no meaning in the notation {variant.notation.by!r}", *path)
        for place, case in enumerate(cases):
            if missing := sorted(wanted - {"call"} - case.values.keys()):
                what = f"it has no value for {{{missing[0]}}} of the prompt {variant.named['prompt']!r}"
                raise self._fail(what, "cases", place)

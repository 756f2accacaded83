"""The language of chat templates: Jinja as the hub speaks it, in a sandbox, with a bound on what is written.

Everything that templates may call stands here: `raise_exception`, `strftime_now`, `tojson` with its arguments,
generation tags and loop controls. Time and memory are the process's to bound (linnet.worker.render).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any, NoReturn

from jinja2 import Environment, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from linnet.errors import TemplateFailed
from linnet.limits import LIMITS

Escaped = Callable[[str, bool], str]
"""Sees each text that was written as JSON, and whether it holds ASCII only; what it returns stands instead."""


def text(template: str, variables: Mapping[str, Any], given: int, escaped: Escaped | None = None) -> str:
    """One rendering. It may write `LIMITS.template_output` bytes more than it was `given`.

    Raises TemplateFailed, with the template's own message.
    """
    budget = LIMITS.template_output + given
    pieces = []
    before = _escaped.set(escaped)
    try:
        for piece in _compiled(template).generate(variables):
            budget -= len(piece.encode())
            if budget < 0:
                raise TemplateError(f"it writes over {LIMITS.template_output} bytes beyond the messages")
            pieces.append(piece)
    except Exception as error:  # a foreign program ran: whatever it raises is its failure, not ours
        raise TemplateFailed(f"the model's chat template failed: {_told(error)}") from None
    finally:
        _escaped.reset(before)
    return "".join(pieces)


@lru_cache(maxsize=1)
def asked_for(template: str) -> frozenset[str]:
    """The names of the variables that the template reads from outside. Raises TemplateFailed."""
    try:
        return frozenset(meta.find_undeclared_variables(_environment().parse(template)))
    except Exception as error:
        raise TemplateFailed(f"the model's chat template failed: {_told(error)}") from None


class Named(dict[str, Any]):
    """An object whose keys are hidden: it is found in under the names that they hide, and shows the others.

    So a template may ask for a name that it knows itself, and learns none that it does not.
    """

    def __init__(self, parts: Mapping[str, Any], shown: Mapping[str, str]) -> None:
        super().__init__({shown[key]: part for key, part in parts.items()})
        self._shown = dict(shown)

    def __missing__(self, key: str) -> Any:
        shown = self._shown.get(key, key)
        if shown == key:
            raise KeyError(key)
        return self[shown]

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._shown.get(key, key) if isinstance(key, str) else key)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default


class _Written:
    """JSON where a template writes it into its text as it is. Some templates expect a value and some the text of
    it, and none says which."""

    def __str__(self) -> str:
        return _tojson(self)

    def __add__(self, other: str) -> str:
        return str(self) + other

    def __radd__(self, other: str) -> str:
        return other + str(self)


class Arguments(_Written, Named):
    """The arguments of a call: an object, and JSON."""


class Listing(_Written, list[Any]):  # type: ignore[misc]  # it adds to texts only
    """Tools told in a message: a list, and JSON."""


_escaped: ContextVar[Escaped | None] = ContextVar("escaped", default=None)


@lru_cache(maxsize=1)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    del environment.globals["lipsum"]
    environment.globals["raise_exception"] = _raise_exception
    environment.filters["tojson"] = _tojson
    environment.filters["from_json"] = _from_json
    return environment


class _Generation(Extension):
    """`{% generation %}` marks answers for training; here what it encloses is rendered as it is."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.tags = {"generation"}

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    """As on the hub: unlike Jinja's own filter, it does not escape for HTML."""
    made = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    escaped = _escaped.get()
    return escaped(made, bool(ensure_ascii)) if escaped else made


def _from_json(text: str) -> Any:
    return json.loads(text)


def _told(error: Exception) -> str:
    """What the template says is wrong, or what Python says is wrong with it."""
    if not isinstance(error, TemplateError):
        return f"{type(error).__name__}: {error}"[:1_000].removesuffix(": ")
    line = f" (line {error.lineno})" if isinstance(error, TemplateSyntaxError) else ""
    return f"{error.message}"[:1_000] + line

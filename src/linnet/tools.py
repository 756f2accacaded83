"""A tool: a typed function or a JSON Schema, as one value that can be offered, checked and run.

Hides where the schema came from, the two ways to check arguments, the conversion of results to JSON, and the
safe filling of answer templates. Nothing here decides whether a tool may run, or runs it with a deadline.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from string import Formatter
from typing import Any, overload

from pydantic_core import from_json, to_json

from linnet.errors import LinnetError, ToolArgumentsInvalid, ToolFailed, ToolInvalid, ToolUnbound
from linnet.limits import LIMITS
from linnet.messages import ToolSpec
from linnet.schema import JsonSchema, Problem, from_text, plain, problems, shown
from linnet.signature import Signature

Function = Callable[..., Any]
_NAME = re.compile(r"[\w.:/-]{1,128}")


class Permission(StrEnum):
    """What a tool may do beyond computing. None is given unless the user gives it."""

    READ_FILES = "files.read"
    WRITE_FILES = "files.write"
    RUN = "programs.run"
    NETWORK = "network"
    READ_DATABASE = "database.read"
    WRITE_DATABASE = "database.write"
    MCP = "mcp"
    SEND_TAINTED = "network.tainted"
    """To send what the user did not write, once text has been read that nobody vouches for (agent/taint.py)."""


READING = frozenset(
    {Permission.READ_FILES, Permission.READ_DATABASE, Permission.RUN, Permission.NETWORK, Permission.MCP}
)
"""What brings text that nobody vouches for."""

SENDING = frozenset({Permission.NETWORK, Permission.MCP})
"""What takes a call's arguments off this machine, or may."""


@dataclass(frozen=True)
class Rule:
    """A kind of request that is answered without a model, in one of three forms:

    - `Rule(prefix="calc:", to="expression")`: what follows the prefix, in any case, goes to that parameter;
    - `Rule(pattern=r"list files(?: in (?P<folder>\\S+))?")`: the regular expression matches the whole
      request, in any case, and its named groups are parameters;
    - `Rule(extract=function)`: the function returns parameters, or None.

    Patterns and functions see no text over `LIMITS.rule_chars` characters; a pattern is its author's own and
    must not backtrack without bound on a text of that length.
    """

    prefix: str = ""
    to: str = ""
    pattern: str = ""
    extract: Callable[[str], Mapping[str, str] | None] | None = None

    def __post_init__(self) -> None:
        if sum((bool(self.prefix), bool(self.pattern), self.extract is not None)) != 1:
            raise ToolInvalid(f"{self} must have exactly one of prefix, pattern and extract")
        if bool(self.prefix) != bool(self.to):
            raise ToolInvalid(f"{self}: a prefix needs the parameter that it leads to, and nothing else has one")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ToolInvalid(f"the pattern {self.pattern!r} of a rule is wrong: {error}") from error

    @property
    def parameters(self) -> frozenset[str]:
        """Those known before any text is seen."""
        return frozenset([self.to] if self.to else re.compile(self.pattern).groupindex)

    def match(self, text: str) -> dict[str, str] | None:
        """The arguments, as text, that this request gives; None when it is not of this kind."""
        text = text.strip()
        if self.prefix:
            start, rest = text[: len(self.prefix)], text[len(self.prefix) :].strip()
            return {self.to: rest} if rest and start.lower() == self.prefix.lower() else None
        if len(text) > LIMITS.rule_chars:
            return None
        if self.extract is not None:
            found = self.extract(text)
            return None if found is None else dict(found)
        matched = re.compile(self.pattern, re.IGNORECASE).fullmatch(text)
        return matched and {name: value for name, value in matched.groupdict().items() if value is not None}


@dataclass(frozen=True, eq=False)
class Tool:
    """What a model may call.

    `parameters` is a plain object schema (linnet.schema). `deadline` is in seconds. `answer` is a template of
    the answer to the user: fields are arguments, keys of the result when it is an object, and `result` for
    the whole. `rules` answer requests without a model; `examples` are requests that want this tool.
    Made by `@tool` or `Tool.from_schema`; raises ToolInvalid.
    """

    name: str
    description: str
    parameters: JsonSchema
    function: Function | None = None
    permissions: frozenset[Permission] = frozenset()
    deadline: float = LIMITS.tool_seconds
    answer: str | None = None
    rules: tuple[Rule, ...] = ()
    examples: tuple[str, ...] = ()
    signature: Signature | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ToolInvalid(f"the tool name {self.name!r} is not 1 to 128 letters, digits and _ . : / -")
        if not self.deadline > 0:
            raise ToolInvalid(f"tool {self.name!r}: the deadline of {self.deadline} s is not over 0")
        if _is_async(self.function):
            raise ToolInvalid(f"tool {self.name!r} is an async function; give a plain one that runs to its end")
        strangers = {name for rule in self.rules for name in rule.parameters} - set(self.parameters["properties"])
        if strangers:
            raise ToolInvalid(f"tool {self.name!r}: its rules fill unknown parameters: {sorted(strangers)}")
        _fields(self.answer or "", self.name)
        object.__setattr__(self, "permissions", frozenset(_permission(p, self.name) for p in self.permissions))

    @classmethod
    def from_schema(
        cls,
        name: str,
        description: str,
        parameters: Mapping[str, Any] | None = None,
        function: Function | None = None,
        **options: Any,
    ) -> Tool:
        """A tool that comes as JSON Schema, in the type names of any dialect; `options` as for the class."""
        return cls(name, description, plain(parameters or {}, name), function, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself, unchecked: for Python code that uses it as before."""
        return self._callable()(*args, **kwargs)

    @property
    def spec(self) -> ToolSpec:
        """What a model is told of it."""
        return ToolSpec(self.name, self.description, dict(self.parameters))

    @property
    def how_to_bind(self) -> str:
        """A hint for who calls a tool that has no function."""
        standard = f"linnet.agent.tools.standard.tool({self.name!r}, run=my_function)"
        return f"Give it a function: {standard} if it is a standard tool, else Tool(..., function=my_function)."

    def match(self, text: str) -> dict[str, Any] | None:
        """The arguments that the first fitting rule finds in a request; text becomes numbers where wanted."""
        for rule in self.rules:
            found = rule.match(text)
            if found is not None:
                properties = self.parameters["properties"]
                return {name: from_text(value, properties.get(name, {})) for name, value in found.items()}
        return None

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The keywords for a call, in the types that the function wants.

        Types are exact: "5" and 5.0 are not integers. Raises ToolArgumentsInvalid, naming each bad argument.
        """
        if not isinstance(arguments, Mapping):
            raise _invalid(self.name, [("", f"must be an object, got {shown(arguments)}")])
        if self.signature is None:
            wrong = list(problems(arguments, self.parameters))
            keywords = dict(arguments)
        else:
            keywords, wrong = self.signature.bind(arguments)
        if wrong:
            raise _invalid(self.name, wrong)
        return keywords

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as JSON values, to report. A function's defaults are filled in; those of a schema are
        not, because whoever runs that tool fills in its own. Raises ToolArgumentsInvalid."""
        keywords = self.bind(arguments)
        return keywords if self.signature is None else self.signature.written(keywords)

    def run(self, arguments: Mapping[str, Any]) -> Any:
        """Calls the function and returns its result as a JSON value.

        Raises ToolArgumentsInvalid before the call, and ToolUnbound where there is no function; ToolFailed when
        it raises, or returns what has no JSON form or is over `LIMITS.tool_output_bytes`. Linnet's own errors
        pass as they are.
        """
        keywords, function = self.bind(arguments), self._callable()
        try:
            value = function(**keywords)
        except LinnetError:
            raise
        except (Exception, SystemExit) as error:
            kind = type(error).__name__
            raise ToolFailed(f"{self.name}: {kind}: {str(error)[:500]}", tool=self.name, error=kind) from error
        return self._as_json(value)

    def render_answer(self, arguments: Mapping[str, Any], value: Any) -> str | None:
        """The answer in words; None without a template, or when one of its fields has no value."""
        if self.answer is None:
            return None
        values = {**arguments, "result": value, **(value if isinstance(value, Mapping) else {})}
        parts = _fields(self.answer, self.name)
        if any(name and values.get(name) is None for _, name in parts):
            return None
        return "".join(text + (spoken(values[name]) if name else "") for text, name in parts)

    def _callable(self) -> Function:
        if self.function is None:
            message = f"{self.name} is known by its schema only: there is no function, and nothing was run"
            raise ToolUnbound(message, hint=self.how_to_bind, tool=self.name)
        return self.function

    def _as_json(self, value: Any) -> Any:
        most = LIMITS.tool_output_bytes
        try:
            text = to_json(value, inf_nan_mode="strings")
            if len(text) <= most:
                return from_json(text)
        except ValueError as error:
            reason = f"returned a {type(value).__name__} that has no JSON form: {str(error)[:200]}"
            raise ToolFailed(f"{self.name} {reason}", tool=self.name) from error
        raise ToolFailed(f"{self.name} returned {len(text):,} bytes of JSON, over {most:,}", tool=self.name)


@overload
def tool(function: Function, /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    permissions: Iterable[Permission | str] = (),
    deadline: float = LIMITS.tool_seconds,
    answer: str | None = None,
    rules: Iterable[Rule] = (),
    examples: Iterable[str] = (),
) -> Callable[[Function], Tool]: ...


def tool(function: Function | None = None, /, **options: Any) -> Tool | Callable[[Function], Tool]:
    """Makes a Tool of a typed function, bare or with options (see Tool).

    The name and the first paragraph of the docstring are the function's; parameters come from annotations and
    defaults, and are described by `Annotated[..., Field(description=...)]` or by the docstring.
    Raises ToolInvalid when a parameter has no type, or one without a JSON form.
    """
    return _made(function, **options) if function is not None else lambda function: _made(function, **options)


def _made(function: Function, **options: Any) -> Tool:
    name = options.pop("name", None) or getattr(function, "__name__", type(function).__name__)
    signature = Signature.of(function, name)
    given = options.pop("description", None)
    description = given or signature.summary or name.replace("_", " ")
    for key in ("rules", "examples"):
        options[key] = tuple(options.get(key, ()))
    return Tool(name, description, signature.schema, function, signature=signature, **options)


def _is_async(function: Function | None) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _permission(name: Permission | str, tool_name: str) -> Permission:
    try:
        return Permission(name)
    except ValueError as error:
        near = difflib.get_close_matches(str(name), list(Permission), 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(Permission)}."
        raise ToolInvalid(f"tool {tool_name!r}: unknown permission {str(name)!r}", hint=hint) from error


def _invalid(tool_name: str, wrong: list[Problem]) -> ToolArgumentsInvalid:
    told = "; ".join(f"{path or 'the arguments'} {reason}" for path, reason in wrong)
    listed = [{"argument": path, "problem": reason} for path, reason in wrong]
    return ToolArgumentsInvalid(f"{tool_name}: {told}", tool=tool_name, problems=listed)


# --- answers -------------------------------------------------------------------------------------


def _fields(template: str, tool_name: str) -> list[tuple[str, str]]:
    """`(text, field after it)` in order; the last field may be empty. No `.x`, `[x]`, `!r` or `:>9`."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ToolInvalid(f"tool {tool_name!r}: the answer {template!r} is wrong: {error}") from error
    for _, name, form, conversion in parts:
        if name is not None and (not name.isidentifier() or form or conversion):
            raise ToolInvalid(f"tool {tool_name!r}: the answer may name plain fields only, not {{{name}}}")
    return [(text, name or "") for text, name, _, _ in parts]


def spoken(value: Any) -> str:
    """A JSON value in a sentence: 363 for 363.0, `a, b and c`, a line for each object of a list."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {spoken(part)}" for key, part in value.items()) or "nothing"
    if isinstance(value, (list, tuple)):
        return _listed(value)
    return str(value)


def _listed(values: list[Any] | tuple[Any, ...]) -> str:
    if any(isinstance(value, Mapping) for value in values):
        return "\n".join(f"- {spoken(value)}" for value in values)
    words = [spoken(value) for value in values] or ["none"]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]

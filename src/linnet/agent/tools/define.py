"""How the standard tools are defined: a schema in few words, a permission, an answer; and how they are bound."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from linnet.errors import ToolInvalid
from linnet.tools import Function, Permission, Rule, Tool


def define(
    name: str,
    description: str,
    required: dict[str, Any],
    optional: dict[str, Any],
    permission: Permission,
    answer: str,
    rules: Iterable[Rule] = (),
    examples: Iterable[str] = (),
) -> Tool:
    """A tool without a function: what a call of it must look like."""
    return Tool.from_schema(
        name,
        description,
        {"properties": required | optional, "required": list(required)},
        permissions=frozenset({permission}),
        answer=answer,
        rules=tuple(rules),
        examples=tuple(examples),
    )


def bound(definition: Tool, run: Function, **changes: Any) -> Tool:
    """The tool, done by `run`, which gets every argument as a keyword, defaults filled in; `changes` as for
    `dataclasses.replace`. Raises ToolInvalid for a function that cannot take the tool's arguments."""
    known = definition.parameters["properties"]
    try:
        inspect.signature(run).bind(**dict.fromkeys(known))
    except TypeError as error:
        raise ToolInvalid(
            f"the function for {definition.name} cannot take {', '.join(known)}: {error}",
            hint=f"Write it as def my_function({', '.join(known)}).",
        ) from error
    except ValueError:
        pass  # a builtin that says nothing of its parameters
    defaults = {name: schema["default"] for name, schema in known.items() if "default" in schema}
    return replace(definition, function=partial(run, **defaults), **changes)


def text(description: str, least: int = 1) -> dict[str, Any]:
    return {"type": "string", "description": description, "minLength": least}


def flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description, "default": False}


def count(description: str, default: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "description": description, "minimum": 1, "maximum": most, "default": default}


def note(parts: Iterable[str]) -> str:
    """What an answer says after the content of what is not as it could be; nothing if all of it is."""
    told = "; ".join(parts)
    return f"\n({told})" if told else ""

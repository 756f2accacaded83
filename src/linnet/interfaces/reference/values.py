"""Settings, limits and errors: the pages of what are tables in the code already."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from linnet import tool_settings
from linnet.errors import LinnetError, tree
from linnet.interfaces.http.errors import status_of
from linnet.interfaces.reference.markdown import code, page, table
from linnet.limits import LIMITS
from linnet.settings import API_KEYS, PREFIX, REMOTE_KEY, ModelSettings, Settings

_NO_VARIABLE = frozenset({"models"})
"""Settings that no environment variable can say."""

# --- settings ------------------------------------------------------------------------------------


def settings() -> str:
    """The page of settings: the general ones, those of a model, those of tools, and what is a variable only."""
    about = (
        "An option of a command goes before an environment variable, and that before the file: `linnet.toml` in "
        "`$XDG_CONFIG_HOME/linnet` (`~/.config/linnet`), or what `LINNET_SETTINGS` names. An unknown key is an error "
        "that names the nearest one. `linnet doctor` tells which are in force."
    )
    general = ((name, field) for name, field in Settings.model_fields.items() if name != "tool_tables")
    variables = (
        ("LINNET_SETTINGS", "the settings file"),
        ("LINNET_CACHE", "folder of what can be made again; unset: `$XDG_CACHE_HOME/linnet`"),
        ("LINNET_MODELS", "folder of models; unset: `$XDG_DATA_HOME/linnet/models`"),
        ("LINNET_DEBUG", "1: errors are printed with their traceback"),
        (REMOTE_KEY, "key of the remote server"),
        (tool_settings.SEARCH_KEY, "key of the search service"),
        (API_KEYS, "keys of `linnet serve`, parted by commas"),
    )
    return page(
        "Settings",
        about,
        table(("setting", "variable", "type", "default", "what it is"), (_setting(*one) for one in general)),
        '## Of one model: `[models."NAME"]`',
        _fields(ModelSettings.model_fields.items()),
        *_tools(),
        "## Variables that are no settings",
        table(("variable", "what it is"), ([code(name), meaning] for name, meaning in variables)),
    )


def _setting(name: str, field: Any) -> tuple[str, ...]:
    variable = "" if name in _NO_VARIABLE else code(PREFIX + name.upper())
    return code(name), variable, *_typed(field), field.description or ""


def _tools() -> Iterable[str]:
    yield "## Of tools: `[tools]`"
    yield "`offer` names the tools on offer (the setting `tools`). A table that is there turns its tools on."
    for name, field in tool_settings.ToolTables.model_fields.items():
        model = _model_in(field.annotation)
        title = f'[tools.{name}."NAME"]' if name == "mcp" else f"[tools.{name}]"
        yield f"### `{title}`\n\n{_fields(model.model_fields.items())}"


def _model_in(annotation: Any) -> type[BaseModel]:
    kinds = [annotation, *get_args(annotation)]
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))


def _fields(given: Iterable[tuple[str, Any]]) -> str:
    rows = ((code(name), *_typed(field), field.description or "") for name, field in given)
    return table(("key", "type", "default", "what it is"), rows)


def _typed(field: Any) -> tuple[str, str]:
    """The type in a word or two, and the default as TOML would have it."""
    return _type(field.annotation), "required" if field.is_required() else _toml(
        field.get_default(call_default_factory=True)
    )


def _type(annotation: Any) -> str:
    """What one writes in TOML, in a word or two."""
    origin, inner = get_origin(annotation), [one for one in get_args(annotation) if one is not type(None)]
    if origin is Annotated or origin in (Union, UnionType):
        return _type(inner[0])
    if origin is Literal:
        return " or ".join(code(json.dumps(one)) for one in inner)
    return _NAMES.get(origin or annotation, "text")


_NAMES = {
    tuple: "list of texts",
    dict: "table",
    bool: "true or false",
    int: "whole number",
    float: "number",
    Path: "path",
}


def _toml(value: Any) -> str:
    if value is None or isinstance(value, Mapping):
        return ""
    return code(json.dumps(list(value) if isinstance(value, tuple) else value))


# --- limits and errors ---------------------------------------------------------------------------


def limits() -> str:
    """The page of `linnet limits`."""
    rows = ([code(row["name"]), _number(row["value"]), row["unit"], row["meaning"]] for row in LIMITS.rows())
    about = "What `linnet limits` prints, from `src/linnet/limits.py`. Each has a test one past it."
    return page("Limits", about, table(("name", "value", "unit", "of what"), rows))


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def errors() -> str:
    """The page of the tree of errors, with what each has over HTTP."""
    about = (
        "Every error has a `code` that does not change, a message, a hint, `details` as JSON, and says who must act "
        "and whether the same request may work later. Indented ones are kinds of the one above. `exit` is the exit "
        "code of a command that ends with it, `status` what `linnet serve` answers with."
    )
    return page(
        "Errors", about, table(("code", "who must act", "retry", "exit", "status", "hint"), map(_error, tree()))
    )


def _error(kind: type[LinnetError]) -> tuple[str, ...]:
    depth = len(kind.__mro__) - len(LinnetError.__mro__)
    error = kind("")
    retry = "yes" if kind.retryable else ""
    name = "&nbsp;" * 4 * depth + code(error.code)
    return name, kind.who, retry, str(kind.exit_code), str(status_of(error)), kind.default_hint

"""One frozen Settings value, from arguments, environment and file, in this order of precedence.

Hides where settings come from and the wording of what is wrong with them: every unknown key and every
ill-typed value is a SettingsInvalid that names the place, the key and a near match or the type expected.
A file in the current folder is not read unasked: whoever wrote it may not be the one who runs Linnet.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from linnet.errors import SettingsInvalid
from linnet.limits import LIMITS
from linnet.tool_settings import SEARCH_KEY, ToolTables

PREFIX = "LINNET_"

REMOTE = "remote"
"""The name of a model that is none of this machine's: the servers of the settings."""

REMOTE_KEY = "LINNET_REMOTE_KEY"
"""The variable with the key of the remote server: no setting, so that no file and no dump of settings holds it."""

API_KEYS = "LINNET_API_KEYS"
"""The variable with the keys of `linnet serve`, parted by commas: no setting either."""

RESERVED = frozenset(
    {"LINNET_SETTINGS", "LINNET_CACHE", "LINNET_MODELS", "LINNET_DEBUG", REMOTE_KEY, SEARCH_KEY, API_KEYS}
)
"""Variables with the prefix that are no settings: the settings file, `linnet.storage`'s folders, tracebacks, keys."""

_LISTS = {"tools", "preload", "allow", "deny"}
"""Settings that are parted by commas where they are variables."""

Name = Annotated[str, StringConstraints(min_length=1)]
WhichEncoding = Literal["auto", "original"]
"""Of the weights: the one that was made for this machine, if there is one, or the file as it is."""

Variable = Annotated[str, StringConstraints(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


def _tuple_of_names(names: Any) -> Any:
    if not isinstance(names, list | tuple):
        raise PydanticCustomError("names", "should be a list of names")
    return tuple(names)


class ModelSettings(BaseModel):
    """What a user can set for one model, in place of what its file and its family say. Unset is None."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    family: Name | None = Field(None, description="which family it is; unset: as its file shows")
    context: int | None = Field(None, ge=1, description="tokens; unset: the general setting")
    temperature: float | None = Field(None, ge=0, le=5, description="of sampling; 0: greedy")
    top_p: float | None = Field(None, gt=0, le=1, description="share of the likeliest tokens that may be drawn")
    top_k: int | None = Field(None, ge=0, description="number of the likeliest tokens that may be drawn; 0: all")
    stops: tuple[Name, ...] | None = Field(None, max_length=LIMITS.stops, description="texts that end an answer")
    thinking: bool | None = Field(None, description="whether it thinks before it answers")
    system: Literal["own", "folded"] | None = Field(None, description="system message: a turn, or in the user's")
    dialect: Name | None = Field(None, description="how it writes tool calls: a row of `linnet parse --dialect`")
    template: Path | None = Field(None, description="file with the chat template to use")
    encoding: WhichEncoding | None = Field(None, description="of its weights; unset: the general setting")
    template_options: dict[Variable, Any] | None = Field(None, description="variables of the chat template")

    @field_validator("stops", mode="before")
    @classmethod
    def _tuple(cls, stops: Any) -> Any:
        return stops if stops is None else _tuple_of_names(stops)

    @field_validator("template", mode="before")
    @classmethod
    def _file(cls, template: Any) -> Any:
        if template is not None and (not isinstance(template, str | Path) or template == ""):
            raise PydanticCustomError("file", "should be a file")
        return template and _expanded(template, "file")


class Settings(BaseModel):
    """What a user can set. Raises SettingsInvalid for an unknown key or an ill-typed value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: Name = Field("default", description="name of a known model, path of a .gguf file, or `remote`")
    context: int | None = Field(None, ge=1, description="tokens; unset: the trained context, at most 4096")
    threads: int | None = Field(None, ge=1, description="unset: chosen by the machine's quota and load")
    encoding: WhichEncoding = Field("auto", description="of the weights: made for this machine, or the original")
    snapshots: bool = Field(True, description="keep computed beginnings of prompts in the cache folder")
    log: Path | None = Field(None, description="file that events are written to, as lines of JSON; unset: none")
    root: Path | None = Field(None, description="folder that the file tools may see; unset: none")
    tools: tuple[Name, ...] = Field((), description="names of the tools on offer; empty: all")
    tool_tables: ToolTables = Field(ToolTables(), description="`[tools.web]` and so on: tools that are turned on")
    allow: tuple[Name, ...] = Field((), description="permissions, or tools, that need not be asked for")
    deny: tuple[Name, ...] = Field((), description="permissions, or tools, that are refused, whatever is allowed")
    require_sandbox: bool = Field(False, description="refuse to run where a child cannot be locked down")
    request_seconds: float = Field(LIMITS.request_seconds, gt=0, description="deadline of a request")
    answer_tokens: int = Field(LIMITS.answer_tokens, ge=1, description="longest answer, in tokens")
    memory: bool = Field(False, description="recall what `linnet memory` keeps, and keep a journal of each turn")
    journal: Name | None = Field(None, description="address of a PostgreSQL that keeps runs, for many machines")
    response_cache_mib: int = Field(0, ge=0, description="MiB of answers that are given again if asked for; 0: none")
    router: Path | None = Field(None, description="TOML file with intents that are known without a model")
    margin: float | None = Field(None, description="log-odds over which a tool is called; unset: 0.5")
    endpoint: Name | None = Field(None, description="address of the model hub; unset: HF_ENDPOINT, huggingface.co")
    offline: bool = Field(False, description="never ask the hub, not even for `models pull`")
    memory_mib: int | None = Field(None, ge=1, description="MiB that all models may take; unset: what is available")
    idle_seconds: float = Field(LIMITS.idle_seconds, ge=0, description="unused models are unloaded; 0: never")
    preload: tuple[Name, ...] = Field((), description="models that are loaded at the start, not on demand")
    remote_url: Name | None = Field(
        None, description="address of an OpenAI-compatible server, up to `/v1`, or of several, parted by commas"
    )
    remote_model: Name | None = Field(None, description="which model of that server is asked")
    remote_context: int = Field(8_192, ge=1, description="tokens that the remote model takes")
    remote_at_once: int = Field(16, ge=1, description="requests under way at each of several servers")
    remote_hedge_seconds: float | None = Field(
        None, gt=0, description="a second server is asked after so long without a word; unset: never"
    )
    allow_remote: bool = Field(False, description="requests that the local model fails at may go to that server")
    remote_requests: int = Field(100, ge=0, description="requests a day that may go there")
    remote_tokens: int = Field(200_000, ge=0, description="tokens a day that may be spent there")
    telemetry: Literal["off", "spans", "texts"] = Field("off", description="OpenTelemetry spans; texts: with words")
    models: dict[Name, ModelSettings] = Field(default_factory=dict, description="settings of one model, by its name")

    @field_validator("log", mode="before")
    @classmethod
    def _log_file(cls, log: Any) -> Any:
        if log is not None and (not isinstance(log, str | Path) or log == ""):
            raise PydanticCustomError("file", "should be a file")
        return log and _expanded(log, "file")

    @field_validator("root", mode="before")
    @classmethod
    def _folder(cls, root: Any) -> Any:
        if root == "":
            raise PydanticCustomError("folder", "should be a folder, not an empty path")
        if not isinstance(root, str | Path | None):
            raise PydanticCustomError("folder", "should be a folder")
        return root and _expanded(root, "folder")

    @field_validator("router", mode="before")
    @classmethod
    def _of_intents(cls, router: Any) -> Any:
        if router is not None and (not isinstance(router, str | Path) or router == ""):
            raise PydanticCustomError("file", "should be a file")
        return router and _expanded(router, "file")

    @field_validator("tools", "preload", "allow", "deny", mode="before")
    @classmethod
    def _tuple(cls, tools: Any) -> Any:
        return _tuple_of_names(tools)

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, values: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        try:
            return handler(_parted(values))
        except ValidationError as error:
            raise _invalid(error, info.context or _Source("Settings")) from None


def _parted(values: Any) -> Any:
    """`[tools]` as a table: its `offer` are the names of tools, the rest is tables of their own."""
    if isinstance(values, Mapping) and isinstance(values.get("tools"), Mapping):
        tables = dict(values["tools"])
        offer = tables.pop("offer", ())
        return {**values, "tools": offer, "tool_tables": tables}
    return values


def _expanded(path: str | Path, kind: Literal["file", "folder"]) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise PydanticCustomError(kind, f"should be a {kind}; that user has no home") from error


class _Source(NamedTuple):
    """Where values come from: `place` in words, and how a key is spelled there."""

    place: str
    variables: bool = False
    hint: str | None = None

    def spell(self, key: str) -> str:
        return f"{PREFIX}{key.upper()}" if self.variables else f"`{key}`"


_GIVEN = _Source("arguments", hint="Give another value: --help tells which there are.")


def load(file: Path | None = None, environ: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    """The settings in force. Arguments that are None count as not given.

    The file is `file`, or $LINNET_SETTINGS, or linnet/linnet.toml below $XDG_CONFIG_HOME (~/.config); only
    the last may be absent. Relative paths in it are taken from the file's own folder. Variables are
    LINNET_MODEL and so on; `tools` and `preload` are parted by commas there, and `models` cannot be set. A
    `context` that is given for this run goes before those in `models`, and so does an `encoding`. Raises
    SettingsInvalid.
    """
    environ = os.environ if environ is None else environ
    given = {key: value for key, value in arguments.items() if value is not None}
    layers = [
        _from_file(file, environ),
        _set(Settings.model_validate(_variables(environ), context=_Source("environment", variables=True))),
        _set(Settings.model_validate(given, context=_GIVEN)),
    ]
    merged = {key: value for layer in layers for key, value in layer.items()}
    overruled = {key: None for key in ("context", "encoding") if any(key in layer for layer in layers[1:])}
    if "models" in merged and overruled:
        models = merged["models"].items()
        merged["models"] = {name: own.model_copy(update=overruled) for name, own in models}
    return Settings(**merged)


def _set(settings: Settings) -> dict[str, Any]:
    """What was given, without the defaults."""
    return {key: getattr(settings, key) for key in settings.model_fields_set}


def _variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """Variables with the prefix; all of them, so that a misspelled one is an error."""
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX) and name not in RESERVED}
    values: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value for name, value in own.items()}
    for key in _LISTS & values.keys():
        values[key] = [name.strip() for name in values[key].split(",") if name.strip()]
    return values


def _from_file(file: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    path = file or settings_file(environ)[0]
    table = _read(path, optional=file is None and "LINNET_SETTINGS" not in environ)
    values = _set(Settings.model_validate(table, strict=True, context=_Source(str(path))))
    for key in ("root", "log", "router"):
        if values.get(key):
            values[key] = path.parent / values[key]
    if "tool_tables" in values:
        values["tool_tables"] = values["tool_tables"].beside(path.parent)
    for name, own in values.get("models", {}).items():
        if own.template:
            values["models"][name] = own.model_copy(update={"template": path.parent / own.template})
    return values


def settings_file(environ: Mapping[str, str] | None = None) -> tuple[Path, Path]:
    """The file that is read, and the one that is read unless a variable names another. They need not exist."""
    environ = os.environ if environ is None else environ
    default = _default_file(environ)
    return (Path(environ["LINNET_SETTINGS"]) if "LINNET_SETTINGS" in environ else default), default


def _default_file(environ: Mapping[str, str]) -> Path:
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or "/")
    return (base if base.is_absolute() else home / ".config") / "linnet" / "linnet.toml"


def _read(path: Path, *, optional: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except (FileNotFoundError, NotADirectoryError) as error:
        if optional:
            return {}
        raise SettingsInvalid(f"there is no settings file {path}", place=str(path)) from error
    except OSError as error:
        raise SettingsInvalid(f"cannot read {path}: {error.strerror}", place=str(path)) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested without end
        raise SettingsInvalid(f"{path} is not TOML: {error}", place=str(path)) from error


def _invalid(error: ValidationError, source: _Source) -> SettingsInvalid:
    """Everything that is wrong in one source, in one error."""
    faults = error.errors(include_url=False, include_context=False)
    keys = [".".join(map(str, _path(fault["loc"]))) for fault in faults]
    told = "; ".join(_fault(fault, source) for fault in faults)
    return SettingsInvalid(f"{source.place}: {told}", hint=source.hint, place=source.place, keys=keys)


def _path(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The keys that lead to a fault: those of `models` and of tables of tools whole, of others the first."""
    if loc[:1] == ("tool_tables",):
        return ("tools", *loc[1 : 4 if loc[1:2] == ("mcp",) else 3])
    return loc[:3] if loc[:1] == ("models",) else loc[:1]


def _fault(fault: Any, source: _Source) -> str:
    path = _path(fault["loc"]) or ("",)
    if fault["type"] != "extra_forbidden":
        return f"{_spelled(path, source)} is {fault['input']!r}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
    known = _known(path)
    near = _near(str(path[-1]), known)
    hint = f"did you mean {_spelled((*path[:-1], near), source)}?" if near else f"there are: {', '.join(known)}"
    return f"{_spelled(path, source)} is not a setting; {hint}"


def _known(path: tuple[int | str, ...]) -> Iterable[str]:
    """The keys that there are beside the last one of a path."""
    if len(path) == 1:
        return [key for key in Settings.model_fields if key != "tool_tables"]
    if path[0] == "models":
        return ModelSettings.model_fields
    if len(path) == 2:
        return ["offer", *ToolTables.model_fields]
    table: Any = ToolTables.model_fields[str(path[1])].annotation
    kinds = [kind for kind in get_args(table) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return kinds[0].model_fields if kinds else ()


def _spelled(path: tuple[int | str, ...], source: _Source) -> str:
    """A key as it is written in its place; those of one model are written as in a file."""
    if len(path) == 1:
        return source.spell(str(path[0]))
    if path[0] == "tools":
        return f"`{'.'.join(map(str, path))}`"
    table, model, *key = map(str, path)
    return f"`{'.'.join((table, json.dumps(model, ensure_ascii=False), *key))}`"


def _near(key: str, known: Iterable[str]) -> str | None:
    from rapidfuzz import fuzz, process

    found = process.extractOne(key, list(known), scorer=fuzz.ratio, score_cutoff=60)
    return str(found[0]) if found else None

"""Options that several commands share, and the Settings that they make."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli.output import DEBUG
from linnet.runtime import sandbox

if TYPE_CHECKING:
    from linnet.settings import Settings


class WhichEncoding(StrEnum):
    auto = "auto"
    original = "original"


Model = Annotated[
    str | None, typer.Option("--model", "-m", metavar="NAME|FILE", help="A known model, or a .gguf file.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Threads = Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of the engine.")]
Context = Annotated[int | None, typer.Option("--context", metavar="N", help="Size of the context, in tokens.")]
Encoding = Annotated[
    WhichEncoding | None, typer.Option("--encoding", help="The weights made for this machine, or the file's own.")
]
Folder = Annotated[
    Path | None, typer.Option("--root", metavar="DIR", help="The folder that the file tools may read.")
]

ToolFiles = Annotated[
    list[str] | None,
    typer.Option("--tools", metavar="FILE,NAME,...", help="Python files with tools; web, search, database, ..."),
]
Standard = Annotated[
    list[str] | None,
    typer.Option("--standard", metavar="NAME,...", help="Standard tools to offer, such as web_search,shell."),
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="NAME,...", help="Permissions, or tools, that need not be asked for."),
]
Deny = Annotated[
    list[str] | None, typer.Option("--deny", metavar="NAME,...", help="Permissions, or tools, that are refused.")
]
RequireSandbox = Annotated[bool, typer.Option("--require-sandbox", help="Refuse to run with a weaker sandbox.")]
RouterFile = Annotated[
    Path | None, typer.Option("--router", metavar="FILE", help="TOML file with intents known without a model.")
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="S", help="Seconds that the model may take for a request.")
]


def chosen(
    root: Folder,
    model: Model,
    context: Context,
    threads: Threads,
    encoding: Encoding,
    require_sandbox: RequireSandbox,
    timeout: Timeout,
    allow: Allow = None,
    deny: Deny = None,
    router: RouterFile = None,
) -> dict[str, Any]:
    """What of a command's options stands for a setting, by the setting's name."""
    return {
        "root": root,
        "model": model,
        "context": context,
        "threads": threads,
        "encoding": encoding and encoding.value,
        "require_sandbox": require_sandbox or None,
        "request_seconds": timeout,
        "allow": split(allow),
        "deny": split(deny),
        "router": router,
    }


def split(names: list[str] | None) -> list[str] | None:
    """`["a,b", "c"]` -> the three names; None for none."""
    return [part.strip() for name in names or () for part in name.split(",") if part.strip()] or None


def settings(**arguments: Any) -> Settings:
    """The settings in force; arguments that are None count as not given. Raises SettingsInvalid.

    If they require the sandbox, they do so of every child that is started from now on.
    """
    from linnet.settings import load

    # The one variable with Linnet's prefix that is the command's own.
    found = load(environ={name: value for name, value in os.environ.items() if name != DEBUG}, **arguments)
    if found.require_sandbox:
        sandbox.demand()
    return found


def sandboxed(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that starts children the option --require-sandbox, which holds for all of them."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, require_sandbox: bool = False, **named: Any) -> None:
        if require_sandbox:
            sandbox.demand()
        command(*arguments, **named)

    own = inspect.signature(command, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    option = inspect.Parameter("require_sandbox", kind, default=False, annotation=RequireSandbox)
    wrapped.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {**command.__annotations__, "require_sandbox": RequireSandbox}
    return wrapped

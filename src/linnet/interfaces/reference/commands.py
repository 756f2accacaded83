"""Every command with its arguments and options, from the command line itself."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import typer

from linnet.errors import FAILED, REFUSED, RESOURCES, USAGE
from linnet.interfaces.cli.commands import app
from linnet.interfaces.reference.markdown import code, page, table

_CODES = (
    (0, "done"),
    (FAILED, "failed"),
    (USAGE, "usage"),
    (REFUSED, "refused for safety"),
    (RESOURCES, "resources"),
)


def commands() -> str:
    """The page of the command line."""
    codes = ", ".join(f"{number} {meaning}" for number, meaning in _CODES)
    about = f"Every command has `--help`. Exit codes: {codes}; 130 after Ctrl-C."
    parts = [_section(words, command) for words, command in each()]
    listed = "\n".join(f"- [`{' '.join(words)}`](#{'-'.join(words)})" for words, _ in each())
    return page("The command line", about, listed, *parts)


def each() -> Iterator[tuple[tuple[str, ...], Any]]:
    """`(words, command)` of every command that can be run, in the order in which help lists them."""
    yield from _below(("linnet",), typer.main.get_command(app))


def _below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, one in inner.items():
        yield from _below((*words, name), one)


def _section(words: tuple[str, ...], command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = " ".join((*words, *(_shown(one) for one in arguments), "[OPTIONS]"))
    parts = [f"## {' '.join(words)}", f"```text\n{usage}\n```", " ".join(str(command.help or "").split())]
    if arguments:
        parts.append(table(("argument", "what it is"), ([code(_shown(one)), one.help or ""] for one in arguments)))
    if options:
        parts.append(table(("option", "what it does", "default"), map(_option, options)))
    if command.epilog:
        before, _, example = command.epilog.partition("Example: ")
        parts.append(f"{before}Example: {code(example)}" if example else before)
    return "\n\n".join(filter(None, parts))


def _shown(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> tuple[str, str, str]:
    names = ", ".join(map(code, (*option.opts, *option.secondary_opts)))
    value = "" if option.is_flag else f" {code(option.metavar or _choices(option) or option.name.upper())}"
    return names + value, option.help or "", _default(option.default)


def _choices(option: Any) -> str:
    """What an option may be, where that is one of a few words."""
    kind = option.type_descriptor.annotation
    return "|".join(str(one.value) for one in kind) if isinstance(kind, type) and issubclass(kind, enum.Enum) else ""


def _default(value: Any) -> str:
    if isinstance(value, enum.Enum):
        value = value.value
    return "" if value is None or value is False or value == () or callable(value) else code(value)

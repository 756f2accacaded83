"""A Router out of a TOML file, for those who write no Python: intents, their templates, rules and checks.

What functions can do (rules that extract, values that are worked out, tests) is not in a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet.agent.router import Check, Intent, Router
from linnet.errors import InputInvalid, LinnetError
from linnet.faults import first_fault
from linnet.limits import LIMITS
from linnet.messages import STRICT
from linnet.tools import Rule

_HOW = "docs/router.md has a whole one; examples/cafe.toml is another."


@dataclass(frozen=True, config=STRICT)
class _Check:
    name: str
    pattern: str = ""
    longest: int | None = None


@dataclass(frozen=True, config=STRICT)
class _Rule:
    prefix: str = ""
    to: str = ""
    pattern: str = ""


@dataclass(frozen=True, config=STRICT)
class _Intent:
    examples: tuple[str, ...] = ()
    answer: str = ""
    prompt: str = ""
    values: dict[str, str | int | float] | None = None
    rules: tuple[_Rule, ...] = ()
    checks: tuple[_Check, ...] = ()
    otherwise: str = ""

    def made(self, name: str) -> Intent:
        rules = tuple(Rule(prefix=rule.prefix, to=rule.to, pattern=rule.pattern) for rule in self.rules)
        checks = tuple(Check(check.name, check.pattern, check.longest) for check in self.checks)
        values = self.values or {}
        return Intent(name, self.examples, self.answer, self.prompt, values, rules, checks, self.otherwise)


@dataclass(frozen=True, config=STRICT)
class _File:
    intents: dict[str, _Intent]
    classifier: str = ""
    out_of_scope: tuple[str, ...] = ()
    margin: float | None = None


_FILE = TypeAdapter(_File)


def load_router(path: Path) -> Router:
    """The router that a file describes; `classifier` in it is found beside the file. Examples without one are learnt,
    which wants `linnet[intents]`. Raises InputInvalid, and what Router and its parts raise."""
    try:
        told = _FILE.validate_python(_table(path))
    except ValidationError as error:
        raise _wrong(path, first_fault(error)) from error
    classifier = path.parent / told.classifier if told.classifier else None
    return Router(
        intents=[*_intents(told, path)],
        classifier=classifier,
        out_of_scope=told.out_of_scope,
        margin=told.margin,
    )


def _intents(told: _File, path: Path) -> Iterator[Intent]:
    for name, intent in told.intents.items():
        try:
            yield intent.made(name)
        except LinnetError as error:
            raise _wrong(path, f"intent {name!r}: {error.message}") from error


def _table(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            body = file.read(LIMITS.intent_examples_bytes + 1)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    if len(body) > LIMITS.intent_examples_bytes:
        raise _wrong(path, f"is over {LIMITS.intent_examples_bytes:,} bytes")
    try:
        return tomllib.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"is not TOML: {str(error)[:200]}") from error


def _wrong(path: Path, what: str) -> InputInvalid:
    return InputInvalid(f"the router file {str(path)!r} {what}", hint=_HOW, path=str(path))

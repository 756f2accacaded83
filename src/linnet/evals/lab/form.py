"""The form of a case file: which fields there are, of which types, and which of them stand where.

Hides what may be written in more than one way: one thing in place of a list, a text in place of a table.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from linnet.evals.lab.notation import TEXT
from linnet.evals.lab.plan import Knobs, Prompt, Text
from linnet.limits import LIMITS
from linnet.messages import STRICT


def _listed(given: Any) -> Any:
    return given if isinstance(given, list) else [given]


def _said(given: Any) -> Any:
    """A number that stands without quotes is meant as it is written, as near as that can be told."""
    return str(given) if isinstance(given, int | float) and not isinstance(given, bool) else given


Said = Annotated[str, BeforeValidator(_said), Field(min_length=1)]
Several = Annotated[tuple[Said, ...], BeforeValidator(_listed), Field(min_length=1)]
Name = Annotated[str, BeforeValidator(_said), Field(min_length=1, max_length=120)]


@dataclass(frozen=True, config=STRICT)
class CallForm:
    name: Text
    arguments: dict[str, Annotated[list[Any], BeforeValidator(_listed)]] = Field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class NumberForm:
    value: float
    within: Annotated[float, Field(ge=0)] = 0.0


def _number(given: Any) -> Any:
    return given if isinstance(given, dict) or given is None else {"value": given}


@dataclass(frozen=True, config=STRICT)
class CheckForm:
    exact: Several | None = None
    contains: Several | None = None
    lacks: Several | None = None
    regex: Text | None = None
    number: Annotated[NumberForm | None, BeforeValidator(_number)] = None
    schema: dict[str, Any] | None = None
    call: CallForm | None = None
    calls: tuple[CallForm, ...] | None = None


@dataclass(frozen=True, config=STRICT)
class NotationForm:
    schema: dict[str, Any] | None = None
    pattern: Text | None = None
    choice: Annotated[Several | None, Field(max_length=LIMITS.continuations)] = None


@dataclass(frozen=True, config=STRICT)
class ToolForm:
    name: Text
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class CaseForm:
    id: Name = ""
    text: Said | None = None
    values: dict[str, Said | tuple[Said, ...]] = Field(default_factory=dict)
    check: CheckForm = CheckForm()


@dataclass(frozen=True, config=STRICT)
class VariantForm:
    name: Name = ""
    prompt: Name = ""
    notation: Name = ""
    model: Name = ""
    settings: Name = ""


def _free() -> dict[str, NotationForm | None]:
    return {TEXT: None}


def _prompt(given: Any) -> Any:
    return {"user": given} if isinstance(given, str) else given


def _by_name(given: Any) -> Any:
    """`[a, b]` as the table that has each under its own name."""
    plain = isinstance(given, list) and all(isinstance(name, str) for name in given)
    return dict.fromkeys(given) if plain else given


@dataclass(frozen=True, config=STRICT)
class FileForm:
    cases: Annotated[tuple[CaseForm, ...], Field(min_length=1, max_length=LIMITS.lab_cases)]
    name: Name = ""
    prompts: Annotated[dict[Name, Annotated[Prompt, BeforeValidator(_prompt)]], Field(min_length=1)] = Field(
        default_factory=lambda: {"text": Prompt()}
    )
    notations: Annotated[dict[Name, NotationForm | None], BeforeValidator(_by_name), Field(min_length=1)] = Field(
        default_factory=_free
    )
    models: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    settings: Annotated[dict[Name, Knobs], Field(min_length=1)] = Field(default_factory=lambda: {"greedy": Knobs()})
    variants: Annotated[tuple[VariantForm, ...], Field(min_length=1)] | None = None
    baseline: Name = ""
    tools: tuple[ToolForm, ...] = ()
    check: CheckForm = CheckForm()


def home(path: tuple[int | str, ...]) -> Any:
    """The form that the fields at a place belong to."""
    match path:
        case ("prompts", _):
            return Prompt
        case ("notations", _):
            return NotationForm
        case ("settings", _):
            return Knobs
        case ("variants", int()):
            return VariantForm
        case ("tools", int()):
            return ToolForm
        case ("cases", int()):
            return CaseForm
        case ("check",) | (*_, "check"):
            return CheckForm
        case (*_, "number"):
            return NumberForm
        case (*_, "call") | (*_, "calls", int()):
            return CallForm
    return FileForm

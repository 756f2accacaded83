"""What is tried on what: prompts, notations, models and settings as variants, cases with their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass as checked

from linnet.agent.wording import Wording
from linnet.evals.lab.check import Check
from linnet.evals.lab.notation import Notation
from linnet.limits import LIMITS
from linnet.messages import STRICT
from linnet.requests import Sampling
from linnet.tools import Tool

Text = Annotated[str, Field(min_length=1)]

MODEL = "default"
"""What is asked where no model is named."""


@checked(frozen=True, config=STRICT)
class Prompt:
    """Templates: `user` and `system` have fields, `{text}` and those of a case's values, `{tools}`, `{call}`; `start`
    is the trusted beginning of the answer, and has none."""

    user: Text = "{text}"
    system: str = ""
    start: str = ""

    @property
    def fields(self) -> frozenset[str]:
        return Wording(self.user).fields | Wording(self.system).fields


@checked(frozen=True, config=STRICT)
class Knobs:
    """How an answer is drawn, and how long it may become."""

    temperature: Annotated[float, Field(ge=0, le=5)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    seed: int = 0
    max_tokens: Annotated[int, Field(ge=1)] = 256
    stop: Annotated[tuple[Text, ...], Field(max_length=LIMITS.stops)] = ()

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.temperature, self.top_p, self.top_k, self.seed)


@dataclass(frozen=True)
class Case:
    """`values` fill the fields of prompts; an answer is right if every check holds."""

    id: str
    values: Mapping[str, Any]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Variant:
    """One of each kind, under a name of its own; `named` are the names of the four, by kind."""

    name: str
    prompt: Prompt = field(default_factory=Prompt)
    notation: Notation = field(default_factory=Notation)
    model: str = MODEL
    knobs: Knobs = field(default_factory=Knobs)
    named: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """All that answers depend on, the model's file and the tools aside."""
        return {
            "prompt": asdict(self.prompt),
            "notation": self.notation.describe(),
            "model": self.model,
            "settings": asdict(self.knobs),
        }


@dataclass(frozen=True)
class Plan:
    """Every variant is tried on every case; each is held against `baseline`, which is one of them."""

    name: str
    variants: tuple[Variant, ...]
    cases: tuple[Case, ...]
    baseline: str
    tools: tuple[Tool, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """In the order in which they are asked."""
        return tuple(dict.fromkeys(variant.model for variant in self.variants))

    def of(self, model: str) -> tuple[Variant, ...]:
        return tuple(variant for variant in self.variants if variant.model == model)

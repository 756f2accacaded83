"""Micro-agents as data: one narrow job each, in one line of instruction, with its constraint, its check and its tier.

Four are here: complete code, explain an error, describe a function, write tests for one. Your own is a value:
`MicroAgent("titler", "Write a title for the text.", "{text}", check=IsText(2, 10))`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from linnet.agent.ask import Ask, Bound, Extract
from linnet.agent.chain import Chain, Do
from linnet.agent.checks import ANY_TEXT, Check, IsText
from linnet.agent.code import function_of
from linnet.agent.completer import Completer
from linnet.agent.step import Answered, Step, Values
from linnet.agent.testing import trustworthy, written
from linnet.agent.tier import Models, Tier, chosen
from linnet.errors import RequestError
from linnet.requests import Model


@dataclass(frozen=True)
class MicroAgent:
    """One job: `MicroAgent(name, instruction, "{text}").run(model, text=...)`.

    The instruction is what the model is told as its role; with `plain` the prompt alone is continued, which is what
    a base model wants. `then` are further steps on what the model wrote, under the name `said`: the last one's value
    is the agent's. `tier` is how large a model the job wants, where there are several.
    """

    name: str
    instruction: str
    prompt: str
    constraint: Bound = None
    extract: Extract = str.strip
    check: Check = ANY_TEXT
    tries: int = 2
    max_tokens: int = 120
    stop: tuple[str, ...] = ("\n\n",)
    answer_start: str = ""
    plain: bool = False
    tier: Tier = "small"
    then: Sequence[Step] = ()
    needs: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        if "\n" in self.instruction or not self.instruction.strip():
            raise RequestError(f"the instruction of {self.name!r} should be one line", hint="Say one thing.")
        object.__setattr__(self, "then", tuple(self.then))
        object.__setattr__(self, "needs", self._chain.needs)

    @property
    def _chain(self) -> Chain:
        asked = Ask(
            "said",
            self.prompt,
            self.constraint,
            self.extract,
            self.check,
            self.tries,
            max_tokens=self.max_tokens,
            stop=self.stop,
            system="" if self.plain else self.instruction,
            answer_start=self.answer_start,
        )
        return Chain(self.name, (asked, *self.then))

    def run(self, model: Models, **values: Any) -> Answered:
        """Raises RequestError for a value that is missing, and where no model is there; all else is in the result."""
        picked, told = chosen(model, self.tier, self.name)
        answer = self._chain.run(picked, **values)
        return replace(answer, degraded=(*told, *answer.degraded))

    def take(self, model: Model, values: Values) -> Answered:
        return self._chain.take(model, values)


# --- the four ------------------------------------------------------------------------------------


def _sentences(text: str) -> str:
    """The first two whole sentences; all of a text that has none."""
    found = re.findall(r"[^.!?]+(?:[.!?](?=\s|$)|[.!?](?=\S)[^.!?]*)+", " ".join(text.split()))
    return "".join(found[:2]).strip() or text.strip()


def _documented(said: str, code: str) -> str:
    """A docstring: the model's sentence, and the function's own parameters below it."""
    said = f"{said[:1].upper()}{said[1:].rstrip('.')}."
    function = function_of(code)
    if function is None or not function.parameters:
        return said
    return "\n".join([said, "", "Parameters:", *(f"    {name}" for name in function.parameters)])


code_completer = Completer()

error_explainer = MicroAgent(
    "error_explainer",
    "Explain the error. Be concise.",
    "{error}",
    extract=_sentences,
    check=IsText(4, 60),
    max_tokens=80,
)

doc_generator = MicroAgent(
    "doc_generator",
    "Describe what the function does in one sentence.",
    "{code}",
    extract=lambda text: _sentences(text).partition(". ")[0],
    check=IsText(4, 40),
    max_tokens=60,
    answer_start="This function",
    then=(Do("docstring", _documented),),
)

test_writer = MicroAgent(
    "test_writer",
    "Write tests for the function.",
    "{code}\n\n# Tests\n",
    constraint=lambda values: written(str(values["code"])),
    tries=2,
    max_tokens=120,
    stop=(),
    plain=True,
    then=(Do("tests", trustworthy),),
)

MICRO_AGENTS = (code_completer, error_explainer, doc_generator, test_writer)

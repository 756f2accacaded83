"""Ask: one small question to a model, with its constraint, its extraction, its check, and how often it is tried.

Hides how a template becomes a prompt that its values cannot break out of: what the author wrote is trusted, what
is put in is not, so that no value becomes a control token of the model.
"""

from __future__ import annotations

import string
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from linnet.agent.checks import ANY_TEXT, Check, Verdict, held, refused
from linnet.agent.step import Answered, Try, Values, used
from linnet.errors import LinnetError, RequestError
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Constraint, Done, Generate, Model, Prompt, Sampling, Segment, complete

Bound = Constraint | Callable[[Values], Constraint] | None
"""A constraint, or what makes one of the values so far."""

Extract = Callable[[str], str]
"""What of an answer is looked at."""


@dataclass(frozen=True)
class Ask:
    """One question: `Ask("city", "Request: {request}\\nCity:", Copy(...))`; `{name}` stands for an earlier value.

    The model continues the prompt up to a new line (`stop`), or `max_tokens`. With a `system` line it is asked as
    in a conversation instead, by its chat template, and `answer_start` is said for it. The `constraint` may be a
    function of the values; of `Holes` with one hole, that is the answer. `extract` cuts out of the text
    what `check` is to hold. An answer that does not hold is asked for again, `tries` times in all, each later draw
    at `temperature`. With `samples`, so many answers are drawn at that temperature in each try, and the value is
    what more than half of them agree on. `against` makes of the values a further check, of what `check` has held.
    """

    name: str
    prompt: str
    constraint: Bound = None
    extract: Extract = str.strip
    check: Check = ANY_TEXT
    tries: int = 1
    samples: int = 1
    max_tokens: int = 60
    stop: tuple[str, ...] = ("\n",)
    system: str = ""
    answer_start: str = ""
    temperature: float = 0.7
    against: Callable[[Values], Check] | None = None

    def __post_init__(self) -> None:
        _parts(self.prompt, self.name)
        for number, limit, what in (
            (self.tries, LIMITS.step_tries, "tries"),
            (self.samples, LIMITS.step_samples, "samples"),
        ):
            if not 1 <= number <= limit:
                raise RequestError(f"step {self.name!r} has {number} {what}; 1 to {limit} can be had")

    @cached_property
    def needs(self) -> frozenset[str]:
        return frozenset(name for _, name in _parts(self.prompt, self.name) if name)

    def take(self, model: Model, values: Values) -> Answered:
        """Ask until an answer holds. An error of the model is told as the step's reason."""
        started = time.monotonic()
        tries: list[Try] = []
        told: list[str] = []
        verdict = refused("not_asked", "")
        try:
            for number in range(self.tries):
                verdicts = [self._one(model, values, number, k, tries, told) for k in range(self.samples)]
                verdict = verdicts[0] if self.samples == 1 else agreed(verdicts)
                if verdict.ok:
                    break
        except LinnetError as error:
            verdict = refused(error.code, error.message)
        return Answered(
            name=self.name,
            value=verdict.value,
            how="model" if verdict.ok else "abstained",
            reason=verdict.reason,
            detail=verdict.detail,
            tries=tuple(tries),
            usage=used(tries),
            seconds=time.monotonic() - started,
            degraded=tuple(dict.fromkeys(told)),
        )

    # --- one answer ------------------------------------------------------------------------------

    def _one(
        self, model: Model, values: Values, number: int, sample: int, tries: list[Try], told: list[str]
    ) -> Verdict:
        """The verdict on one answer, after writing down what was said and what was not as it should be."""
        started = time.monotonic()
        done = complete(model, self._drawn(self.request(values), number, sample))
        verdict = self._verdict(done, values)
        seconds = time.monotonic() - started
        tries.append(Try(self.name, said(done), verdict.reason, verdict.detail, done.usage, seconds))
        told += [*done.degraded, *cut(self.name, done)]
        return verdict

    def request(self, values: Values) -> Generate:
        """What the model is asked, the first time."""
        constraint = self.constraint(values) if callable(self.constraint) else self.constraint
        return Generate(
            self._prompt(values),
            answer_start=self.answer_start,
            constraint=constraint,
            max_tokens=self.max_tokens,
            stop=self.stop,
        )

    def _prompt(self, values: Values) -> tuple[Message, ...] | Prompt:
        parts = _parts(self.prompt, self.name)
        segments = [
            piece for text, name in parts for piece in ((text, True), (_text(values, name), False)) if piece[0]
        ]
        if not self.system:
            return tuple(Segment(text, trusted) for text, trusted in segments)
        content = "".join(text for text, _ in segments)
        return (Message("system", self.system, trusted=True), Message("user", content))

    def _drawn(self, request: Generate, number: int, sample: int) -> Generate:
        """The first answer is the likeliest one; where several are drawn, none is."""
        if number == 0 and self.samples == 1:
            return request
        seed = 1 + number * self.samples + sample
        return replace(request, sampling=Sampling(temperature=self.temperature, top_p=0.95, seed=seed))

    def _verdict(self, done: Done, values: Values) -> Verdict:
        try:
            text = self.extract(said(done))
        except Exception as error:
            return refused("extract_failed", f"{type(error).__name__}: {error}")
        verdict = held(self.check, text)
        if not verdict.ok or self.against is None:
            return verdict
        further = held(self.against(values), text)
        return verdict if further.ok else further


def cut(name: str, done: Done) -> tuple[str, ...]:
    """That an answer ended because it was long enough, not because it was at its end."""
    if done.finish != "length":
        return ()
    return (f"{name}: an answer was cut at {done.usage.generated_tokens} tokens",)


def said(done: Done) -> str:
    """What filled the only hole; with several or none, the whole text."""
    return next(iter(done.captures.values())) if len(done.captures) == 1 else done.text


def agreed(verdicts: list[Verdict]) -> Verdict:
    """The value that more than half of the answers have, those that do not hold counted in."""
    counted = Counter(repr(verdict.value) for verdict in verdicts if verdict.ok)
    top, votes = counted.most_common(1)[0] if counted else ("", 0)
    if 2 * votes > len(verdicts):
        return next(verdict for verdict in verdicts if verdict.ok and repr(verdict.value) == top)
    return refused("no_agreement", f"at most {votes} of {len(verdicts)} answers agree")


# --- templates -----------------------------------------------------------------------------------


def _parts(template: str, step: str) -> list[tuple[str, str]]:
    """`(text, name)` in turn: an author's text, and the value that follows ("" for none).

    Raises RequestError for anything in braces but a name.
    """
    hint = "Write {name} for a value, and {{ or }} for a brace."
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise RequestError(f"the prompt of step {step!r}: {error}", hint=hint) from error
    for _, name, form, conversion in parsed:
        if name is not None and (form or conversion or not name.isidentifier()):
            raise RequestError(f"the prompt of step {step!r} has {name!r} in braces, which is no name", hint=hint)
    return [(text, name or "") for text, name, _, _ in parsed]


def _text(values: Values, name: str) -> str:
    if not name:
        return ""
    if name not in values:
        raise RequestError(f"there is no value {name!r}", hint=f"There are {', '.join(values) or 'none'}.")
    value = values[name]
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

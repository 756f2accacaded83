"""Completer: what belongs into a gap in code, by the model's own tokens for that, or else as a continuation.

A completion is held against the code around it: what does not close the gap to Python that can be parsed is cut at
its end line by line, and asked for again. Where the model continues, code says by how much the next line is indented,
one way after the other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from linnet.agent.ask import cut
from linnet.agent.checks import Verdict, refused
from linnet.agent.code import fitting, indents
from linnet.agent.step import Answered, Try, Values, used
from linnet.agent.tier import Models, Tier, chosen
from linnet.errors import LinnetError, RequestError
from linnet.limits import LIMITS
from linnet.requests import Generate, Model, Pattern, Prompt, Sampling, Segment, complete

WITHOUT = (
    "the model has no tokens for filling gaps: it continued what is before the gap, and did not see what is behind"
)


@dataclass(frozen=True)
class Completer:
    """`Completer().run(model, prefix=..., suffix=...)`: its value is the text for the gap, at most `lines` of them.

    `how` is `model` where the model filled the gap, and `fallback:continuation` where it has no tokens for that.
    With `python` false nothing is parsed, and the first answer is the value.
    """

    name: str = "code_completer"
    instruction: str = "Complete the code."
    lines: int = 1
    python: bool = True
    tries: int = 3
    max_tokens: int = 64
    tier: Tier = "small"
    needs: frozenset[str] = frozenset({"prefix", "suffix"})

    def __post_init__(self) -> None:
        if not 1 <= self.tries <= LIMITS.step_tries:
            raise RequestError(f"{self.name!r} has {self.tries} tries; 1 to {LIMITS.step_tries} can be had")

    def run(self, model: Models, *, prefix: str, suffix: str = "") -> Answered:
        picked, told = chosen(model, self.tier, self.name)
        answer = self.take(picked, {"prefix": prefix, "suffix": suffix})
        return replace(answer, degraded=(*told, *answer.degraded))

    def take(self, model: Model, values: Values) -> Answered:
        started = time.monotonic()
        prefix, suffix = str(values["prefix"]), str(values["suffix"])
        whole = model.capabilities.infill is not None
        ways = ("",) if whole or not self.python else indents(prefix)
        tries: list[Try] = []
        told = [] if whole else [WITHOUT]
        verdict = refused("not_asked", "")
        try:
            for number in range(self.tries):
                begun = time.monotonic()
                indent = ways[number % len(ways)]
                prompt = _prompt(model, prefix + indent, suffix)
                done = complete(model, self._request(prompt, number - len(ways) + 1))
                verdict = self._verdict(prefix, indent + done.text, suffix)
                seconds = time.monotonic() - begun
                tries.append(Try(self.name, done.text, verdict.reason, verdict.detail, done.usage, seconds))
                told += [*done.degraded, *cut(self.name, done)]
                if verdict.ok:
                    break
        except LinnetError as error:
            verdict = refused(error.code, error.message)
        how = "model" if whole else "fallback:continuation"
        return Answered(
            name=self.name,
            value=verdict.value,
            how=how if verdict.ok else "abstained",
            reason=verdict.reason,
            detail=verdict.detail,
            tries=tuple(tries),
            usage=used(tries),
            seconds=time.monotonic() - started,
            degraded=tuple(dict.fromkeys(told)),
        )

    def _request(self, prompt: Prompt, seed: int) -> Generate:
        """With a seed over 0 the answer is drawn."""
        constraint, stop = (_LINE, ()) if self.lines == 1 else (None, ("\n\n\n",))
        sampling = Sampling(temperature=0.7, top_p=0.95, seed=seed) if seed > 0 else Sampling()
        return Generate(prompt, constraint=constraint, stop=stop, max_tokens=self.max_tokens, sampling=sampling)

    def _verdict(self, prefix: str, said: str, suffix: str) -> Verdict:
        text = "\n".join(said.split("\n")[: self.lines])
        if not text.strip():
            return refused("empty", "there is nothing but space")
        if not self.python:
            return Verdict(text)
        kept = fitting(prefix, text, suffix)
        return Verdict(kept) if kept else refused("not_python", "with it, the code cannot be parsed")


_LINE = Pattern(r"[ \t]*[^\s][^\n]*\n")
"""One line that is not blank: small models like to begin with an empty one."""


def _prompt(model: Model, prefix: str, suffix: str) -> Prompt:
    """The code is nobody's: none of it is a control token."""
    infill = model.capabilities.infill
    if infill is None:
        return (Segment(prefix, False),)
    texts = ((infill.prefix, True), (prefix, False), (infill.suffix, True), (suffix, False), (infill.middle, True))
    return tuple(Segment(text, trusted) for text, trusted in texts if text)

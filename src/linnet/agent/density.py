"""Chain of density: key terms, a simple answer, and the answer made shorter and held against the other two."""

from __future__ import annotations

import re
from dataclasses import dataclass

from linnet.agent.ask import Ask
from linnet.agent.chain import Chain, Do
from linnet.agent.checks import IsText, Verdict, refused
from linnet.agent.step import Values
from linnet.agent.verify import Verified
from linnet.errors import ToolFailed
from linnet.requests import Constraint, Copy, Fixed, Hole, Holes

_TERMS = 3


@dataclass(frozen=True)
class Denser:
    """Fewer words than `text`, at least one of the `terms` that it has, and no name or number that it has not."""

    text: str
    terms: tuple[str, ...] = ()

    def __call__(self, text: str) -> Verdict:
        if len(text.split()) >= len(self.text.split()):
            return refused("not_shorter", f"{len(text.split())} words are no fewer than {len(self.text.split())}")
        kept = [term for term in self.terms if term.casefold() in self.text.casefold()]
        if kept and not any(term.casefold() in text.casefold() for term in kept):
            return refused("lost_terms", f"it has none of: {', '.join(kept)}")
        new = _particulars(text) - _particulars(self.text)
        if new:
            return refused("new_words", f"{', '.join(sorted(new))} is not in the answer that was to be shortened")
        return Verdict(text.strip())


def _particulars(text: str) -> set[str]:
    """Names and numbers: what a shorter wording has no reason to bring in. The first word may have its capital."""
    first, *others = re.findall(r"[^\W_]+", text) or [""]
    return {word for word in (first, *others) if word[:1].isdigit()} | {w for w in others if w[:1].isupper()}


def _copied(values: Values) -> Constraint:
    """Key terms are runs of the query's own words."""
    copy = Copy(str(values["query"]), max_words=3)
    parts = [part for at in range(_TERMS) for part in (Fixed(", " if at else ""), Hole(f"term{at}", copy))]
    return Holes((*parts[1:], Fixed("\n")))


def _distinct(said: str) -> tuple[str, ...]:
    terms = (term.strip() for term in said.split(","))
    return tuple({term.casefold(): term for term in terms if term}.values())


def _first_sentence(simple: str) -> str:
    return re.split(r"(?<=[.!?])\s", simple.strip(), maxsplit=1)[0]


def _no_worse(answer: str, query: str) -> str:
    """Raises ToolFailed for an answer that only says the query again."""
    if " ".join(answer.casefold().split()) == " ".join(query.casefold().split()):
        raise ToolFailed("it says the question again")
    return answer


density = Chain(
    "density",
    (
        Ask("copied", "{query}\nThree key terms: ", _copied, max_tokens=40, stop=()),
        Do("terms", _distinct, ("copied",)),
        Ask("simple", "{query}\nKey terms: {terms}\nAnswer: ", check=IsText(1, 60), tries=2),
        Verified(
            "answer",
            (
                Ask(
                    "shorter",
                    "{simple}\nThe same in fewer words: ",
                    max_tokens=40,
                    against=lambda values: Denser(str(values["simple"]), tuple(values["terms"])),
                ),
            ),
            rules=_first_sentence,
        ),
        Do("validated", _no_worse, ("answer", "query")),
    ),
)
"""`density.run(model, query=...)`: key terms are copied, an answer is given with them in sight, made shorter, and
where the shorter one does not hold, its first sentence stands."""

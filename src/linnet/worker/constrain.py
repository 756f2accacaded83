"""A Constraint value -> which tokens may come next, and which must.

The value is lowered to a Lark grammar, which llguidance compiles in about a millisecond. Tokens that the
grammar leaves no choice about are taken together, so that a call's fixed text costs one batch.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linnet.errors import ConstraintInvalid
from linnet.limits import LIMITS
from linnet.requests import Choice, Constraint, Copy, Fixed, Holes, Number, Pattern, Schema

# A space after commas and colons, as models have seen JSON most often; none anywhere else.
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}

_EDGES_OPEN = re.escape("\"'`([{<,;:!?")
_EDGES_CLOSE = re.escape("\"'`)]}>.,;:!?")


def grammar(constraint: Constraint) -> str:
    """The Lark text of a constraint. Raises ConstraintInvalid when it has none or is over the limit."""
    parts = constraint.parts if isinstance(constraint, Holes) else ()
    if not parts:
        rules = ["start: whole", *_rule("whole", constraint)]
    else:
        names = [part.name for part in parts if not isinstance(part, Fixed)]
        body = [_quote(p.text) if isinstance(p, Fixed) else f"h{names.index(p.name)}" for p in parts]
        rules = ["start: " + " ".join(body)]
        for i, part in enumerate(p for p in parts if not isinstance(p, Fixed)):
            rules += _rule(f"h{i}", part.constraint, capture=part.name)
    text = "\n".join(rules) + "\n"
    if len(text.encode()) > LIMITS.grammar_bytes:
        raise ConstraintInvalid(
            f"the constraint needs a grammar of {len(text.encode())} bytes; the limit is {LIMITS.grammar_bytes}"
        )
    return text


def _rule(name: str, constraint: Any, capture: str = "") -> list[str]:
    head = f"{name}[capture={_quote(capture)}]" if capture else name
    match constraint:
        case Fixed(text=text):
            return [f"{head}: {_quote(text)}"]
        case Choice(options=options):
            return [f"{head}: {_either(options)}"]
        case Pattern(regex=regex):
            return [f"{head}: {_regex(regex)}"]
        case Schema(schema=schema):
            return [f"{head}: %json {json.dumps({**schema, 'x-guidance': _COMPACT})}"]
        case Number(evidence=evidence, integer=integer):
            return [f"{head}: {_number(evidence, integer)}"]
        case Copy(of=of, max_words=max_words):
            return [f"{head}: {name.upper()}", *_copy(name.upper(), of, max_words)]
    raise ConstraintInvalid(f"a constraint of kind {constraint!r} cannot stand here")


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _regex(regex: str) -> str:
    return "/" + re.sub(r"(?<!\\)/", r"\\/", regex) + "/"


def _either(options: tuple[str, ...]) -> str:
    if not options:
        raise ConstraintInvalid("a choice needs at least one option")
    return " | ".join(_quote(option) for option in options)


def _number(evidence: tuple[float, ...], integer: bool) -> str:
    if evidence:
        return _either(tuple(dict.fromkeys(_plain(int(n) if integer else n) for n in evidence)))
    return "/-?(0|[1-9][0-9]{0,14})/" if integer else r"/-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?/"


def _plain(number: float) -> str:
    return json.dumps(int(number) if float(number).is_integer() else number)


def _copy(name: str, of: str, max_words: int) -> list[str]:
    """Terminals for a run of whole words: a substring of chunks, so many words, and edges without punctuation.

    Words, the punctuation at their edges and the space between them are separate chunks, so a run can end
    before the full stop; a bracket may close what the run itself has opened.
    """
    chunks = split_words(of)
    if not any(chunk.strip() for chunk in chunks):
        raise ConstraintInvalid("there is no word to copy")
    edges = rf"[^\s{_EDGES_OPEN}]((.|\n)*[^\s{_EDGES_CLOSE}])?"
    words = rf"\S+(\s+\S+){{0,{max(0, max_words - 1)}}}"
    closed = rf"[^\s{_EDGES_OPEN}][^(]*\([^()]*\)"
    return [
        f"{name}: {name}_OF & {name}_WORDS & {name}_EDGES",
        f"{name}_OF: %regex {json.dumps({'substring_chunks': chunks}, ensure_ascii=False)}",
        f"{name}_WORDS: {_regex(words)}",
        f"{name}_EDGES: {_regex(edges)} | {_regex(closed)}",
    ]


_CHUNK = re.compile(
    rf"\s+|[{_EDGES_OPEN}]+(?=\S)|[{_EDGES_CLOSE}]+(?=\s|$)|\S+?(?=[{_EDGES_CLOSE}]*(?:\s|$))|\S+"
)


def split_words(text: str) -> list[str]:
    """Words, edge punctuation and white space, in order; joined they are the text again."""
    chunks: list[str] = []
    for run in re.findall(r"\s+|\S+", text):
        chunks += _CHUNK.findall(run) if len(run) <= 256 else [run]
    return chunks


class Guide:
    """The state of one constrained answer. Feed it every token that was taken."""

    def __init__(self, tokenizer: Any, constraint: Constraint) -> None:
        from llguidance import LLMatcher

        self._constraint = constraint
        self._matcher = LLMatcher(tokenizer, grammar(constraint), log_level=0)
        self._check()

    def _check(self) -> None:
        # llguidance never raises: an error leaves a matcher that stops at once.
        if self._matcher.is_error():
            raise ConstraintInvalid(f"the constraint cannot be lowered: {self._matcher.get_error()[:300]}")

    def forced(self) -> list[int]:
        """The tokens that must come next; taken by this call."""
        tokens: list[int] = self._matcher.compute_ff_tokens()
        if tokens:
            self.take(tokens)
        return tokens

    def take(self, tokens: list[int]) -> None:
        self._matcher.consume_tokens(tokens)
        self._check()

    def allowed(self) -> NDArray[np.intp]:
        """Ids of the tokens that may come next."""
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        return np.flatnonzero(np.unpackbits(mask, bitorder="little"))

    @property
    def finished(self) -> bool:
        """Nothing more may follow."""
        return bool(self._matcher.is_stopped())

    @property
    def satisfied(self) -> bool:
        """The text so far is a whole one, whether or not more may follow."""
        return bool(self._matcher.is_accepting())

    def captures(self, text: str) -> dict[str, str]:
        """What filled each hole. A hole that ends the text closes with it, so it is cut from `text`."""
        if not isinstance(self._constraint, Holes):
            return {}
        found = {name: value.decode(errors="replace") for name, value in self._matcher.get_captures()}
        last = self._constraint.parts[-1] if self._constraint.parts else None
        if last is not None and not isinstance(last, Fixed) and last.name not in found and self.satisfied:
            found[last.name] = text[self._start_of_last(text, found) :]
        return found

    def _start_of_last(self, text: str, found: dict[str, str]) -> int:
        assert isinstance(self._constraint, Holes)
        before = self._constraint.parts[:-1]
        return sum(len(p.text) if isinstance(p, Fixed) else len(found.get(p.name, "")) for p in before)

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
from linnet.requests import Choice, Constraint, Copy, Fixed, Hole, Holes, Number, Pattern, Schema
from linnet.worker.stretch import stretch

# A space after commas and colons, as models have seen JSON most often; none anywhere else.
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}

_MANY = 1_024
"""Bytes of a mask that allow some token, from which on it is unpacked as a whole: few are a sixth of the work."""

_OPENING, _CLOSING = "\"'`([{<,;:!?", "\"'`)]}>.,;:!?"
_PAIRS = {")": "(", "]": "[", "}": "{", ">": "<"}


def grammar(constraint: Constraint) -> str:
    """The Lark text of a constraint. Raises ConstraintInvalid when it has none or is over a limit."""
    if isinstance(constraint, Holes):
        rules = _holes(constraint.parts)
    else:
        rules = ["start: whole", *_rule("whole", constraint)]
    text = "\n".join(rules) + "\n"
    if len(text.encode()) > LIMITS.grammar_bytes:
        size, limit = len(text.encode()), LIMITS.grammar_bytes
        raise ConstraintInvalid(f"the constraint needs a grammar of {size} bytes; the limit is {limit}")
    if (size := stretch(constraint)) > LIMITS.constraint_chars:
        told = f"the constraint asks for {size:,} characters at a stretch; the limit is {LIMITS.constraint_chars:,}"
        raise ConstraintInvalid(told, hint="Repeat less: the numbers of nested repetitions are multiplied.")
    return text


def _holes(parts: tuple[Fixed | Hole, ...]) -> list[str]:
    """A rule for each hole. The fixed text behind a hole belongs to its rule, as a suffix.

    llguidance takes the longest match: without a suffix, a copy that the request goes on from with a quote
    could not end before the quote of the fixed text.
    """
    parts = tuple(part for part in parts if not isinstance(part, Fixed) or part.text)
    if not parts:
        raise ConstraintInvalid("there is neither fixed text nor a hole")
    body: list[str] = []
    rules: list[str] = []
    for i, (part, behind) in enumerate(zip(parts, (*parts[1:], None), strict=True)):
        before = parts[i - 1] if i else None
        if isinstance(part, Hole):
            # captured under the rule's name, for two holes may have the same
            rule = f"h{sum(isinstance(earlier, Hole) for earlier in parts[:i])}"
            body.append(rule)
            suffix = behind.text if isinstance(behind, Fixed) and _is_terminal(part) else ""
            rules += _rule(rule, part.constraint, capture=rule, suffix=suffix)
        elif not (isinstance(before, Hole) and _is_terminal(before)):
            body.append(_quote(part.text))
    return ["start: " + " ".join(body), *rules]


def _is_terminal(hole: Hole) -> bool:
    """Whether it is matched by one regular expression, and so may have a suffix."""
    return not isinstance(hole.constraint, Schema)


def _rule(name: str, constraint: Any, capture: str = "", suffix: str = "") -> list[str]:
    pairs = (("capture", capture), ("suffix", suffix))
    marks = ", ".join(f"{key}={_quote(value)}" for key, value in pairs if value)
    head = f"{name}[{marks}]" if marks else name
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
    # DEL is the one character that JSON leaves as it is and Lark does not take
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_IN_REGEX = {"/": r"\/", "\n": r"\n", "\\\n": r"\n"}


def _regex(regex: str) -> str:
    """As a Lark literal: a slash would end it, and a line end its line."""
    escaped = re.sub(r"\\.|[/\n]", lambda found: _IN_REGEX.get(found[0], found[0]), regex, flags=re.DOTALL)
    return f"/{escaped}/"


def _either(options: tuple[str, ...]) -> str:
    if not options:
        raise ConstraintInvalid("there is nothing to choose from")
    return " | ".join(_quote(option) for option in options)


def _number(evidence: tuple[float, ...], integer: bool) -> str:
    if evidence:
        return _either(tuple(dict.fromkeys(_plain(n) for n in evidence if not integer or n.is_integer())))
    return "/-?(0|[1-9][0-9]{0,14})/" if integer else r"/-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?/"


def _plain(number: float) -> str:
    return json.dumps(int(number) if number.is_integer() else number)


def _copy(name: str, of: str, max_words: int) -> list[str]:
    """Terminals for a run of whole words: a substring of chunks, so many words, no punctuation at the edges.

    Words and each character of the punctuation around them are separate chunks, so a run can end before the
    full stop. It may end in a closing bracket that it has opened itself, in its last word or before.
    """
    if len(of) > LIMITS.grammar_bytes:
        limit = LIMITS.grammar_bytes
        raise ConstraintInvalid(f"there are {len(of)} characters to copy from; the limit is {limit}")
    chunks = split_words(of)
    if not any(_is_word(chunk) for chunk in chunks):
        raise ConstraintInvalid("there is no word to copy")
    first, last = re.escape(_OPENING), re.escape(_CLOSING)
    start = rf"[)\]}}>.]*[^\s{first}{last}]"  # `.net` is a word, `) and` does not begin with one
    words = rf"\S+(\s+\S+){{0,{max(0, max_words - 1)}}}"
    ends = [start, rf"{start}(.|\n)*[^\s{last}]", rf"{start}[^()]*\([^()]*\)"]
    closed = {chunk for chunk in chunks if _is_word(chunk) and chunk[-1] in _CLOSING}
    ends += [rf"({start}(.|\n)*\s)?{re.escape(chunk)}" for chunk in sorted(closed)]
    return [
        f"{name}: {name}_OF & {name}_WORDS & {name}_EDGES",
        f"{name}_OF: %regex {json.dumps({'substring_chunks': chunks}, ensure_ascii=False)}",
        f"{name}_WORDS: {_regex(words)}",
        f"{name}_EDGES: {' | '.join(map(_regex, ends))}",
    ]


def split_words(text: str) -> list[str]:
    """Words, edge punctuation and white space, in order; joined they are the text again."""
    return [chunk for run in re.findall(r"\s+|\S+", text) for chunk in _split_run(run)]


def _split_run(run: str) -> list[str]:
    """`"f(x)".` -> `"`, `f(x)`, `"`, `.`: a bracket that the word has opened itself stays with it."""
    rest = run.lstrip(_OPENING)
    opened, end = run[: len(run) - len(rest)], len(rest)
    while end and rest[end - 1] in _CLOSING and not _closes(rest[:end]):
        end -= 1
    return [*opened, *([rest[:end]] if end else []), *rest[end:]]


def _closes(word: str) -> bool:
    bracket = word[-1]
    return bracket in _PAIRS and word.count(_PAIRS[bracket]) >= word.count(bracket)


def _is_word(chunk: str) -> bool:
    return not chunk.isspace() and not (len(chunk) == 1 and chunk in _OPENING + _CLOSING)


class Guide:
    """The state of one constrained answer. Feed it every token that was taken."""

    def __init__(self, tokenizer: Any, constraint: Constraint) -> None:
        from llguidance import LLMatcher, LLParserLimits

        self._constraint = constraint
        limits = LLParserLimits(initial_lexer_fuel=LIMITS.grammar_start_fuel, step_lexer_fuel=LIMITS.grammar_fuel)
        self._matcher = LLMatcher(tokenizer, grammar(constraint), limits=limits, log_level=0)
        self._check()

    def _check(self) -> None:
        # llguidance never raises: an error leaves a matcher that stops at once.
        if self._matcher.is_error():
            cause = self._matcher.get_error().partition("\n<state>")[0]
            raise ConstraintInvalid(f"the constraint cannot be lowered: {cause[:300]}")

    def forced(self, room: int) -> list[int]:
        """The tokens that must come next, at most `room`; taken by this call."""
        tokens: list[int] = self._matcher.compute_ff_tokens()[:room]
        if tokens:
            self.take(tokens)
        return tokens

    def take(self, tokens: list[int]) -> None:
        self._matcher.consume_tokens(tokens)
        self._check()

    def accepts(self, tokens: list[int]) -> int:
        """How many of these tokens, from the first on, could come next; none is taken."""
        return int(self._matcher.validate_tokens(tokens))

    def allowed(self) -> NDArray[np.intp]:
        """Ids of the tokens that may come next. Raises ConstraintInvalid when none leads to a whole text."""
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        some = np.flatnonzero(mask)
        if len(some) > _MANY:
            return np.flatnonzero(np.unpackbits(mask, bitorder="little"))
        at, bit = np.nonzero(np.unpackbits(mask[some], bitorder="little").reshape(-1, 8))
        return some[at] * 8 + bit

    @property
    def finished(self) -> bool:
        """Nothing more may follow."""
        return bool(self._matcher.is_stopped())

    @property
    def satisfied(self) -> bool:
        """The text so far is a whole one, whether or not more may follow."""
        return bool(self._matcher.is_accepting())

    def captures(self, text: str) -> dict[str, str]:
        """What filled each hole of `text`, the answer so far. A hole that ends a whole text closes with it.

        llguidance reads ahead: what it will force is captured already, and left out here.
        """
        if not isinstance(self._constraint, Holes):
            return {}
        closed = {name: value.decode(errors="replace") for name, value in self._matcher.get_captures()}
        found: dict[str, str] = {}
        at = rule = 0
        for part in self._constraint.parts:
            if isinstance(part, Fixed):
                at += len(part.text)
                continue
            value = closed.get(f"h{rule}", text[at:] if self.satisfied else None)
            if value is None or at > len(text) or not text.startswith(value, at):
                break
            found[part.name], at, rule = value, at + len(value), rule + 1
        return found

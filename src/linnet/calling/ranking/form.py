"""In what form a request is made, beside what a tool does: `why ...` is no request for a tool that sets things.

Whether somebody wants something done is told by few and small words: the word that a sentence begins with, and the
function words in it. Tools are of two kinds: those that tell something, and those that act.
"""

from __future__ import annotations

import re

from linnet.calling.evidence.reading import Reading, Word
from linnet.calling.evidence.stems import stem
from linnet.calling.ranking.facts import Features
from linnet.tools import Tool

_TELLING = frozenset(
    map(
        stem,
        "get retrieve fetch find search look list show display check read return calculate compute convert determine "
        "estimate evaluate predict analyze query provide tell count compare translate define identify view obtain "
        "track solve generate".split(),
    )
)
_LEADING = frozenset("please hey hi hello ok okay so and then well now".split())
_MANY = frozenset("many much far long old tall big late".split())
_ASKING = frozenset(("who", "why", "when", "where", "which", "whose"))
_YES_OR_NO = frozenset("is are do does did can could was were will would should has have am".split())
_WISHING = frozenset(("want", "need", "would", "like", "wanna", "have"))
_TALKING = frozenset("i i'm i've my we we're our it it's the there this that he she they her his".split())
_OPINION = frozenset(("should", "best", "better", "worth"))


def features(tool: Tool, reading: Reading) -> Features:
    """The form of the whole and, where it has several sentences, of the last, by the tool's kind."""
    kind = "tells" if _tells(tool) else "acts"
    whole, starts = _form(reading.words, 0), sorted(reading.sentence_starts)
    heard = {word.lower for word in reading.words}
    asks = float(reading.text.rstrip().endswith("?"))
    found = {
        f"form {whole}": 1.0,
        f"form {whole}|{kind}": 1.0,
        "tells": float(kind == "tells"),
        "question": asks,
        f"question|{kind}": asks,
        "exclaims": float("!" in reading.text),
        "opinion": float(bool(heard & _OPINION)),
        "sentences": float(min(4, len(starts))),
    }
    if len(starts) > 1:
        found[f"last {_form(reading.words, starts[-1])}|{kind}"] = 1.0
    return found | {f"says {word.lower}": 1.0 for word in reading.words if word.common}


def _tells(tool: Tool) -> bool:
    """By the first word of the description, or any of the name."""
    described = re.findall(r"[^\W\d_]+", tool.description)[:1]
    named = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", tool.name)
    return any(stem(word.lower()) in _TELLING for word in (*described, *named))


def _form(words: tuple[Word, ...], first: int) -> str:
    """Of the sentence that begins with this word."""
    heard = [word.lower.replace("’", "'") for word in words[first : first + 6]]
    while heard and heard[0] in _LEADING:
        del heard[0]
    begins, then = (*heard, "", "")[:2]
    if begins in ("can", "could", "would", "will") and then == "you":
        return "polite"
    if begins == "how":
        return "how many" if then in _MANY else "how"
    if begins in ("what", "what's"):
        return "what"
    if begins in _ASKING:
        return begins
    if begins in _YES_OR_NO:
        return "yes or no"
    if begins in ("i", "i'd", "we") and then in _WISHING:
        return "wish"
    return "statement" if begins in _TALKING else "order"

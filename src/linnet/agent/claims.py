"""Claims: what a final text says was done, or gives as a number, held against what tools did and what was told.

`I have saved the file` without a call that could have saved one, and `that makes 43` where no tool and no input said
43. A text is judged by its grammar alone, so that stories, conditions, questions and quotations are no claims; what
is found is told in a note below the text, for words that were shown already do not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling.evidence.quantities import numbers
from linnet.messages import ToolResult

# --- words ---------------------------------------------------------------------------------------

_DEEDS = {
    "save": (
        "saved stored recorded logged archived",
        "save store write record log note archive keep file create add",
    ),
    "send": (
        "sent emailed e-mailed mailed messaged texted forwarded notified posted published shared submitted",
        "send email mail message text post notify forward share publish submit tell sms reply",
    ),
    "create": ("created added inserted", "create add insert make new put append save set write generate"),
    "write": ("written wrote", "write save create add append file put"),
    "arrange": (
        "set scheduled booked reserved ordered bought purchased paid arranged transferred",
        "set schedule book reserve order buy purchase pay arrange transfer add create remind reminder alarm timer"
        " calendar event meeting appointment lights thermostat temperature bill",
    ),
    "change": (
        "updated changed edited modified renamed moved copied replaced",
        "update change edit modify rename move copy replace set write save put",
    ),
    "delete": ("deleted removed erased cleared cancelled canceled", "delete remove erase clear cancel drop"),
    "switch": (
        "switched turned dimmed started stopped opened closed locked unlocked activated enabled disabled installed"
        " downloaded uploaded restarted",
        "switch turn dim light lights set start stop open close lock unlock activate enable disable install download"
        " upload restart play pause fetch",
    ),
    "call": ("called phoned", "call phone dial ring"),
    "look up": ("checked searched googled", "check search look find read get fetch list query web weather browse"),
}
"""What may be claimed: how it is said, and the words of tools that do it."""

_SAID = {said: deed for deed, (forms, _) in _DEEDS.items() for said in forms.split()}
_DOES = {deed: frozenset(words.split()) for deed, (_, words) in _DEEDS.items()}
_VERB = "|".join(sorted(_SAID, key=len, reverse=True))

_THINGS = (
    "file|files|document|note|notes|reminder|reminders|alarm|timer|event|meeting|appointment|e-?mail|message|text"
    "|order|payment|booking|reservation|ticket|tickets|light|lights|calendar|settings?|changes|contact|entry|record"
    "|backup|download|task|request|subscription|account|table"
)
_WORDING = (
    "poem|story|sentence|sentences|paragraph|summary|list|example|examples|code|function|script|draft|version|outline"
    "|translation|answer|response|explanation|essay|title|haiku|song|program|recipe|plan|query|letter|speech|joke"
    "|riddle|description|bullet|point|points|step|steps|comment|comments|regex|grammar|spelling|word|words"
)
"""What a model makes by saying it, so that no tool is needed."""

_ADVERBS = r"(?:(?:now|just|already|also|successfully|gone ahead and|went ahead and) ){0,2}"

_PERFECT = re.compile(rf"\b(?:i|we)(?:'ve|’ve| have| had) {_ADVERBS}(?P<verb>{_VERB})\b(?P<rest>.*)", re.IGNORECASE)
_PAST = re.compile(rf"\b(?:i|we) (?P<adverbs>{_ADVERBS})(?P<verb>{_VERB})\b(?P<rest>.*)", re.IGNORECASE)
_PASSIVE = re.compile(
    rf"^(?P<subject>[^.;]{{0,80}}?) (?:has|have|is|are)(?: been)? {_ADVERBS}(?P<verb>{_VERB})\b(?P<rest>.*)",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"^(?:(?:all|okay|ok|great|sure|yes|alright)[,!.]? )?(?P<thing>(?:(?:the|your|a) )?(?:\w+ )?(?:{_THINGS}) )?"
    rf"(?P<verb>{_VERB}|done)(?: (?:successfully|now|for you))?(?P<rest>[ ,:].{{0,50}})?$",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\b(?:if|when|once|until|unless|before|after|whether|would|could|should|might|may|can|will|cannot|can't"
    r"|make sure|let me know|not|never|as soon as|imagine|suppose|example|assume)\b|n't\b|n’t\b",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"^(?: \w+){0,3}? (?:" + _WORDING + r")\b", re.IGNORECASE)
_OWN = re.compile(rf"\b(?:your|{_THINGS})\b", re.IGNORECASE)
_THING = re.compile(rf"\byour\b|\b(?:the|this|that) (?:\w+ )?(?:{_THINGS})$", re.IGNORECASE)
_OF_OLD = re.compile(r"\b(?:by|in \d{3,4}|since|over the years|ago|every|usually|often|always)\b", re.IGNORECASE)

_HIDDEN = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”|^>[^\n]*", re.DOTALL | re.MULTILINE)
_SENTENCE = re.compile(r"(?:[^.!?\n]|(?<=\w)\.(?=\w))+[.!?]*")

# --- what is found -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """A sentence that says that something was done, and what: a key of `_DEEDS`, or "do" for a mere `Done!`."""

    sentence: str
    deed: str


@dataclass(frozen=True)
class Checked:
    """`text` with a note below it for each thing that does not hold; `findings` say it for the record."""

    text: str
    findings: tuple[str, ...] = ()


def checked(
    text: str, told: Iterable[str], results: Sequence[ToolResult] = (), about: Mapping[str, str] | None = None
) -> Checked:
    """A final text, held against what was `told` to the model and the `results` of tools; `about` are the tools'
    descriptions by name."""
    told = tuple(told)
    notes: list[str] = []
    findings: list[str] = []
    for claim in claims(text):
        note = _unfounded(claim, results, about or {})
        if note and note not in notes:
            notes.append(note)
            findings.append(f"the answer claims what was not done: {claim.sentence[:80]!r}")
    if results:
        for said in unsupplied(text, told, results):
            findings.append(f"no tool and no input supplied the number {said} of the answer")
            notes.append(_put_right(said, results))
    shown = "\n".join(f"({note})" for note in notes if note)
    return Checked(f"{text}\n\n{shown}" if shown else text, tuple(findings))


# --- deeds ---------------------------------------------------------------------------------------


def claims(text: str) -> tuple[Claim, ...]:
    """The sentences that say that the writer has done something to the world."""
    return tuple(claim for sentence in _sentences(text) if (claim := _claim(sentence)) is not None)


def _sentences(text: str) -> Iterator[str]:
    for found in _SENTENCE.finditer(_HIDDEN.sub(" it ", text)):
        sentence = found[0].strip(" \t*_-#•")
        if sentence and not sentence.endswith("?"):
            yield sentence


def _claim(sentence: str) -> Claim | None:
    plain = " ".join(sentence.split()).rstrip(".!").strip()
    if found := _BARE.match(plain):
        verb, alone = found["verb"].lower(), not found["rest"]
        if (found["thing"] or (alone and len(plain.split()) <= 4)) and (verb != "set" or found["thing"]):
            return Claim(sentence, _SAID.get(verb, "do"))
    for pattern, holds in ((_PERFECT, _holds), (_PAST, _holds_past), (_PASSIVE, _holds_passive)):
        found = pattern.search(plain)
        if found and not _UNSURE.search(plain[: found.start("verb")]) and holds(found):
            return Claim(sentence, _SAID[found["verb"].lower()])
    return None


def _holds(found: re.Match[str]) -> bool:
    return not _OBJECT.match(found["rest"])


def _holds_past(found: re.Match[str]) -> bool:
    """`I opened the door` is a story as like as not; `I saved your file` is none."""
    near = " ".join(found["rest"].split()[:5])
    return _holds(found) and bool(_OWN.search(near) or "successfully" in found["adverbs"].lower())


def _holds_passive(found: re.Match[str]) -> bool:
    subject = found["subject"].strip()
    short = len(found["rest"].split()) <= 3
    mine = _THING.search(subject) or (short and re.fullmatch("it|this|that|everything", subject, re.IGNORECASE))
    perfect = re.search(r"\bbeen\b|\bnow\b", found[0][: found.start("verb") - found.start()], re.IGNORECASE)
    return bool(mine and perfect) and not _OF_OLD.search(found["rest"])


def _unfounded(claim: Claim, results: Sequence[ToolResult], about: Mapping[str, str]) -> str:
    """What to say of a claim that no call bears out; "" if one does."""
    fitting = [done for done in results if _could(done, claim.deed, about)]
    if any(done.ok for done in fitting):
        return ""
    if fitting:
        done = fitting[-1]
        return f"{done.call.name} did not work: {(done.error or {}).get('message', 'it failed')}"
    return f"Nothing was done here: no tool was called that could {claim.deed} anything."


def _could(done: ToolResult, deed: str, about: Mapping[str, str]) -> bool:
    if deed == "do":
        return True
    words = re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", done.call.name).lower())
    words += re.findall("[a-z]+", about.get(done.call.name, "").lower())
    return not _DOES[deed].isdisjoint(words)


# --- numbers -------------------------------------------------------------------------------------

_NUMERAL = re.compile(r"(?<![\w.,])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|[.,]\d)")
_DIGITS = re.compile(r"\d{1,300}(?:,\d{3})*(?:\.\d+)?")
_MARKER = re.compile(r"^[ \t]*\(?\d{1,3}[.):]", re.MULTILINE)
_SMALL = 10
"""Whole numbers up to here count things of the text itself."""


def unsupplied(text: str, told: Iterable[str], results: Sequence[ToolResult]) -> tuple[str, ...]:
    """The numerals of a text that neither what was told nor a result has, rounding and per cent allowed for."""
    body = _MARKER.sub("", _HIDDEN.sub(" ", text))
    numerals = dict.fromkeys(found[0] for found in _NUMERAL.finditer(body))
    if not numerals:
        return ()
    known = {abs(value) for one in told for value in _in_words(one)}
    known |= {abs(value) for done in results for value in (*_values(done.value), *_values(done.call.arguments))}
    return tuple(said for said in numerals if not _is_known(said, known))


def _is_known(said: str, known: Iterable[float]) -> bool:
    value = abs(float(said.replace(",", "")))
    if value <= _SMALL and value.is_integer():
        return True
    half = 0.5 * 10 ** -len(said.partition(".")[2]) + 1e-9
    return any(abs(value - scale * one) <= half for one in known for scale in (1, 100))


def _values(value: Any) -> Iterator[float]:
    """All numbers in a JSON value, those in its texts included."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, str):
        yield from _in_words(value)
    else:
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _values(one)


def _in_words(text: str) -> Iterator[float]:
    """All numbers in a text, those of dates and times included."""
    yield from (found.value for found in numbers(text))
    yield from (float(found[0].replace(",", "")) for found in _DIGITS.finditer(text))


def _put_right(said: str, results: Sequence[ToolResult]) -> str:
    """What the tools said instead, where that is a single number; "" where it is not."""
    found = [(value, done.call.name) for done in results if done.ok for value in _values(done.value)]
    if len(found) != 1:
        return ""
    value, name = found[0]
    return f"{name} said {value:.12g}, not {said}."

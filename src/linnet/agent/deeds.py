"""Deeds: the sentences of a text that say that its writer has done something, by their grammar alone.

`I have saved the file`, `your alarm is set`, `Done!`. Stories, conditions, questions, quotations and what a model
does by saying it (`I have written a poem`) are none; docs/guard.md has how often this is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from linnet.messages import ToolResult

# --- words ---------------------------------------------------------------------------------------

_DEEDS = {
    "save": (
        "saved stored recorded logged archived",
        "save store write record log note archive keep file create add",
    ),
    "send": (
        "sent emailed e-mailed mailed messaged texted forwarded notified posted published shared submitted delivered",
        "send email mail message text post notify forward share publish submit tell sms reply",
    ),
    "create": ("created added inserted", "create add insert make new put append save set write generate"),
    "write": ("written wrote", "write save create add append file put"),
    "arrange": (
        "set scheduled booked reserved ordered bought purchased paid arranged transferred placed",
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
WORDING = (
    "poem|story|sentence|sentences|paragraph|summary|list|example|examples|code|function|script|draft|version|outline"
    "|translation|answer|response|explanation|essay|title|haiku|song|program|recipe|plan|query|letter|speech|joke"
    "|riddle|description|bullet|point|points|step|steps|comment|comments|regex|grammar|spelling|word|words|error|errors"
    "|mistake|mistakes|typo|typos|bug|bugs"
)
"""What a model makes by saying it, so that no tool is needed."""

_ADVERBS = r"(?:(?:now|just|already|also|successfully|gone ahead and|went ahead and) ){0,2}"

_PERFECT = re.compile(rf"\bi(?:'ve|’ve| have) {_ADVERBS}(?P<verb>{_VERB})\b(?P<rest>.*)", re.IGNORECASE)
_PAST = re.compile(rf"\bi (?P<adverbs>{_ADVERBS})(?P<verb>{_VERB})\b(?P<rest>.*)", re.IGNORECASE)
_PASSIVE = re.compile(
    rf"^(?P<subject>[^.;]{{0,80}}?) (?:has|have|is|are|was|were)(?: been)? {_ADVERBS}(?P<verb>{_VERB})\b(?P<rest>.*)",
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
_I = rf"\bi(?:'ve|’ve| have)? {_ADVERBS}"
_A = r"(?:a|an|the|your) (?:\w+ )?"
_ODD = {
    "arrange": rf"{_I}(?:put .{{1,60}} (?:on|in|to) your|made {_A}(?:reservation|booking|payment|order|purchase))\b",
    "save": rf"{_I}made {_A}(?:backup|copy|note) of\b",
    "look up": rf"{_I}looked (?:it|that|this|them|him|her|up)\b",
}
"""What is said with verbs that mean little by themselves."""

_STATE = re.compile(r"\b(?:is|are) now (?:turned |switched )?(?:on|off|in|at|set)\b", re.IGNORECASE)
_TO_YOURS = re.compile(rf"^(?P<verb>{_VERB})\b(?P<rest>.{{1,60}}\b(?:to|from|in|on|with) your\b)", re.IGNORECASE)
_NO_DEED = re.compile(r"^ (?:(?:this|it|that|them|him|her) (?:a|an|the)\b|to \w+|\w+ing\b|out\b)", re.IGNORECASE)
_OBJECT = re.compile(r"^(?: \w+){0,3}? (?:" + WORDING + r")\b", re.IGNORECASE)
OWN = re.compile(rf"\b(?:your|{_THINGS})\b", re.IGNORECASE)
_THING = re.compile(rf"\byour\b|\b(?:the|this|that|an?) (?:\w+ ){{0,3}}(?:{_THINGS})\b", re.IGNORECASE)
_OF_OLD = re.compile(r"\b(?:by|in \d{3,4}|since|over the years|ago|every|usually|often|always)\b", re.IGNORECASE)

_HIDDEN = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”|^>[^\n]*", re.DOTALL | re.MULTILINE)
_SENTENCE = re.compile(r"(?:[^.!?\n]|(?<=\w)\.(?=\w))+[.!?]*")

# --- sentences ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """A sentence that says that something was done, and what: a key of `_DEEDS`, or "do" for a mere `Done!`."""

    sentence: str
    deed: str


def claims(text: str) -> tuple[Claim, ...]:
    """The sentences that say that the writer has done something to the world."""
    return tuple(claim for sentence in sentences(text) if (claim := _claim(sentence)) is not None)


def unquoted(text: str, instead: str) -> str:
    """A text without code and quotations."""
    return _HIDDEN.sub(instead, text)


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text outside of code and quotations that are no questions."""
    for found in _SENTENCE.finditer(unquoted(text, " it ")):
        sentence = found[0].strip(" \t*_-#•")
        if sentence and not sentence.endswith("?"):
            yield sentence


def _claim(sentence: str) -> Claim | None:
    plain = " ".join(sentence.split()).rstrip(".!").strip()
    if found := _BARE.match(plain):
        verb, alone = found["verb"].lower(), not found["rest"]
        if (found["thing"] or (alone and len(plain.split()) <= 4)) and (verb != "set" or found["thing"]):
            return Claim(sentence, _SAID.get(verb, "do"))
    for pattern, holds in ((_PERFECT, _holds), (_PAST, _holds_past), (_PASSIVE, _holds_passive), (_TO_YOURS, _holds)):
        found = pattern.search(plain)
        if found and not _UNSURE.search(plain[: found.start("verb")]) and holds(found):
            return Claim(sentence, _SAID[found["verb"].lower()])
    return _odd(sentence, plain)


def _odd(sentence: str, plain: str) -> Claim | None:
    for deed, pattern in _ODD.items():
        if (found := re.search(pattern, plain, re.IGNORECASE)) and not _UNSURE.search(plain[: found.start()]):
            return Claim(sentence, deed)
    if (found := _STATE.search(plain)) and OWN.search(plain) and not _UNSURE.search(plain):
        return Claim(sentence, "switch" if found[0].endswith(("on", "off")) and "your" not in plain else "create")
    return None


def _holds(found: re.Match[str]) -> bool:
    return not _OBJECT.match(found["rest"]) and not _NO_DEED.match(found["rest"])


def _holds_past(found: re.Match[str]) -> bool:
    """`I opened the door` is a story as like as not; `I saved your file` is none."""
    near = " ".join(found["rest"].split()[:5])
    mine = OWN.search(near) or re.fullmatch("it|them|that|this|everything", near, re.IGNORECASE)
    return _holds(found) and bool(mine or "successfully" in found["adverbs"].lower())


def _holds_passive(found: re.Match[str]) -> bool:
    """`Your file is saved`, `the file has been saved`, `it has been saved`; not `the file was written in 1970`."""
    subject = found["subject"].strip()
    said = found[0][len(found["subject"]) : found.start("verb") - found.start()].lower()
    short = len(found["rest"].split()) <= 3
    pronoun = short and re.fullmatch("it|this|that|everything", subject, re.IGNORECASE)
    fresh = any(word in said for word in (" been", " now", "successfully", "just"))
    yours = re.search(r"\byour (?:\w+ ){0,3}\w+$", subject, re.IGNORECASE)
    return bool((fresh and (_THING.search(subject) or pronoun)) or yours) and not _OF_OLD.search(found["rest"])


def could(done: ToolResult, deed: str, about: Mapping[str, str]) -> bool:
    """Whether a tool of that name and description (`about`, by name) could do that kind of deed."""
    if deed == "do":
        return True
    words = re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", done.call.name).lower())
    words += re.findall("[a-z]+", about.get(done.call.name, "").lower())
    return not _DOES[deed].isdisjoint(words)

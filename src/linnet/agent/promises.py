"""Promises: the sentences of a final text that say that its writer is about to do something, by their grammar alone.

`I'll split it for you`, `Let me book the table`. The turn ends with the text, so nothing comes of them. What waits
for the other side (`I will send it once you confirm`), is made by saying it (`I'll write you a poem`), kept by the
text that follows (`I'll add it up: 7`) or done to nothing of the user's (`I'll call it a day`) is none.
"""

from __future__ import annotations

import re

from linnet.agent.deeds import OWN, WORDING, Claim, sentences

_DEEDS = {
    "save": "save store record archive",
    "send": "send email e-mail mail message text forward notify post publish submit deliver",
    "create": "create add insert",
    "arrange": "set schedule book reserve order buy purchase pay arrange transfer place remind",
    "change": "update change edit modify rename move copy replace",
    "delete": "delete remove erase clear cancel",
    "switch": "switch turn dim start stop open close lock unlock activate enable disable install download upload"
    " restart",
    "call": "call phone",
    "look up": "search google look check",
}
"""What may be promised: the deed as a claim of it names it, and its verbs."""

_DEED = {verb: deed for deed, verbs in _DEEDS.items() for verb in verbs.split()}
_SAYING = (
    "answer analy[sz]e assist break calculate clarify compare compose compute convert correct count define "
    "describe draft explain find fix format give go guess guide help illustrate keep know lay leave list make "
    "outline paraphrase proofread provide put read repeat rephrase review rewrite say share show simplify "
    "solve spell state suggest summari[sz]e take tell translate try walk work write"
)
"""What is done by saying it."""
_ABOUT_TO = r"\b(?:i(?:'ll|’ll| will| shall|(?:'m|’m| am) going to)|let me)"
_NOW = r"(?:(?:now|just|also|gladly|happily|quickly|certainly|definitely|go ahead and) ){0,2}"
_KNOWN = re.compile(rf"{_ABOUT_TO} {_NOW}(?P<verb>{'|'.join(_DEED)})\b(?P<rest>.*)", re.IGNORECASE)
_ANY = re.compile(
    rf"{_ABOUT_TO} {_NOW}(?!(?:{'|'.join(_SAYING.split())})\b)(?P<verb>[a-z]+) "
    r"(?:it|them|that|this|(?:your|the) (?:\w+ ){1,3}?)(?: \w+){0,2} ?for you\b",
    re.IGNORECASE,
)
"""Any other verb, done to something and for somebody."""

_OBJECT = re.compile(
    r"^ (?:up |on |off |down )?(?:it|them|that|this|everything)\b(?! (?:a|an|the|to|like)\b)", re.IGNORECASE
)
_TO_YOU = re.compile(r"^ you (?:a|an|the|your|to|of|about|when|at|in|on)\b", re.IGNORECASE)
_WAITS = re.compile(
    r"\b(?:if|when|once|until|unless|after|as soon as|whether|would|could|should|need|please|not|never|first)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
_WRITES = re.compile(r"(?:add .*\bup|order .*\bby|set the record)\b", re.IGNORECASE)
"""What verbs of deeds are in a text as well, behind the promise's beginning."""
_KEPT = re.compile(r":(?!\w)")
"""What the promised stands behind, unless it is that of a time of day."""
_PUTS_OFF = re.compile(
    r"\b(?:(?:one|an?) (?:moment|second|minute)|please wait|hold on|shortly|bear with|back to you)\b", re.IGNORECASE
)
"""What keeps a promise to look something up open, whatever else is said after it."""
_WORDS = re.compile(rf"^(?: \w+){{0,4}}? (?:{WORDING})\b", re.IGNORECASE)


def promises(text: str) -> tuple[Claim, ...]:
    """The sentences that promise a deed, with what it is: "do" where it is none of those that claims know."""
    said = list(sentences(text))
    last = max((number for number, one in enumerate(said) if _PUTS_OFF.search(one)), default=0)
    found = [(number, claim) for number, one in enumerate(said) if (claim := _promise(one)) is not None]
    kept = range(last, len(said) - 1)  # what is looked up there is told in the sentences that follow
    return tuple(claim for number, claim in found if claim.deed != "look up" or number not in kept)


def _promise(sentence: str) -> Claim | None:
    plain = " ".join(sentence.split()).rstrip(".!").strip()
    if _WAITS.search(plain):
        return None
    known = _KNOWN.search(plain)
    if known and (_WRITES.match(plain, known.start("verb")) or _KEPT.search(known["rest"])):
        return None
    if known and _holds(known["rest"]):
        return Claim(sentence, _DEED[known["verb"].lower()])
    other = _ANY.search(plain)
    return Claim(sentence, "do") if other and not _KEPT.search(plain, other.end()) else None


def _holds(rest: str) -> bool:
    near = " ".join(rest.split()[:5])
    to_something = OWN.search(near) or _OBJECT.match(rest) or _TO_YOU.match(rest)
    return bool(to_something) and not _WORDS.match(rest)

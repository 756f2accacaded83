"""The words of arithmetic in plain English: text -> tokens; or nothing, if one word is left over.

Hides the tables of phrases and the cutting: spellings of signs and numbers, currencies, the courtesies around
a question, and dates and telephone numbers, which are told apart from sums. Time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

CONSTANTS = frozenset({"pi", "e", "tau"})
FUNCTIONS = frozenset(
    {"sqrt", "cbrt", "abs", "round", "min", "max", "log", "log2", "log10", "exp", "sin", "cos", "tan"}
    | {"floor", "ceil", "factorial", "gcd", "hypot"}
)


class NotArithmetic(Exception):
    """The text is not arithmetic as we understand it."""


class Token(NamedTuple):
    """What the grammar sees of a phrase: `added to` and `+` are both `Token("op", "+")`."""

    kind: str
    value: str = ""


def tokens_of(text: str) -> list[Token]:
    """The tokens of a request, without articles and without the courtesies around the question.

    Raises NotArithmetic for a word that is in no table and for what only looks like a sum.
    """
    currencies = {_CURRENCIES[sign or name.lower()] for sign, name in _CURRENCY.findall(text)}
    if _NOT_SUMS.search(text) or len(currencies) > 1:
        raise NotArithmetic
    lexemes = list(_lexemes(_CURRENCY.sub("", text).lower().translate(_SYMBOLS)))
    words = [value for _, value in lexemes]
    start, end = _skip_leads(words), len(words)
    while end > start and (size := _trail(words, end)):
        end -= size
    return list(_phrases(lexemes[start:end]))


# --- tables --------------------------------------------------------------------------------------


def _table(kind: str, phrases: dict[str, str]) -> dict[str, Token]:
    """`{"+": "plus|added to"}` -> a token of this kind and the value "+" for each phrase."""
    return {phrase: Token(kind, value) for value, line in phrases.items() for phrase in line.split("|")}


_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SYMBOLS = str.maketrans(
    {"×": "*", "⋅": "*", "·": "*", "÷": "/", "−": "-", "’": "'", "√": " sqrt ", "∛": " cbrt ", "π": " pi "}
    | {"²": " squared ", "³": " cubed "}
)
_PHRASES: dict[str, Token] = {
    **{word: Token("one", str(value)) for value, word in enumerate(_ONES.split())},
    **{word: Token("ten", str(value)) for value, word in zip(range(20, 100, 10), _TENS.split(), strict=True)},
    **_table("scale", {str(10**3): "thousand", str(10**6): "million", str(10**9): "billion"}),
    **_table("hundred", {"100": "hundred"}),
    **_table("part", {"2": "half|halves", "3": "third|thirds", "4": "quarter|quarters|fourth|fourths"}),
    **_table("part", {"5": "fifth|fifths", "6": "sixth|sixths", "7": "seventh|sevenths", "8": "eighth|eighths"}),
    **_table("part", {"9": "ninth|ninths", "10": "tenth|tenths"}),
    **_table("multiple", {"2": "twice|double|double of", "3": "triple|thrice|triple of"}),
    **_table("op", {"+": "plus|added to|more than", "-": "minus|take away|less", "%": "mod|modulo|modulus"}),
    **_table("op", {"*": "times|x|multiplied by|times by", "/": "divided by|over"}),
    **_table("op", {"**": "to power of|to power|raised to power of|raised to power|raised to"}),
    **_table("op", {"from": "subtracted from|less than|taken from|taken away from"}),
    **_table("grow", {"+": "increased by", "-": "decreased by|reduced by"}),
    **_table("after", {"2": "squared", "3": "cubed", "!": "factorial"}),
    **_table("percent", {"": "percent|per cent|pct", "share": "what percent of|what percentage of"}),
    **_table("function", {"sqrt": "square root of|square root|root of|sqrt of", "cbrt": "cube root of|cube root"}),
    **_table("function", {"abs": "absolute value of", "factorial": "factorial of"}),
    **_table("raise", {"2": "square of|square", "3": "cube of|cube"}),
    **_table("list", {"+": "sum of|total of|add|add up", "-": "difference of", "abs": "difference between"}),
    **_table("list", {"*": "product of", "/": "quotient of", "average": "average of|mean of"}),
    **_table("list", {"max": "maximum of|max of|largest of|greatest of|biggest of|larger of|bigger of"}),
    **_table("list", {"min": "minimum of|min of|smallest of|least of|smaller of"}),
    **_table("list", {"gcd": "greatest common divisor of|greatest common factor of|gcd of"}),
    **_table("verb", {"-": "subtract|take", "*": "multiply", "/": "divide"}),
    **_table("verb", {"grow +": "increase", "grow -": "decrease|reduce"}),
    **_table("negative", {"-": "negative"}),
    **{
        word: Token(word)
        for word in ("and", "of", "off", "to", "by", "from", "away", "is", "power", "point", "second")
    },
    **{name: Token("constant", name) for name in CONSTANTS},
}
_ARTICLES = frozenset({"the", "a", "an", "please"})
_LEADS = _table(
    "lead",
    {
        "asks": "what is|what's|whats|what are|what does|what do|what would be|how much is|how much are",
        "orders": "calculate|compute|evaluate|work out|figure out|find|find out|solve|determine|raise",
        "begs": "tell me|tell me what|tell me what is|give me|show me|help me|let me know|i need to know",
        "asks politely": "can you|could you|would you|will you|do you know what|do you know what is",
        "supposes": "what do you get|what do i get|what will i get|if you|if i|when you|when i",
        "greets": "hey|hi|hello|ok|okay|so|now|:|,",
        "names": "result of|value of|answer to|answer of",
    },
)
_TRAILS = _table(
    "trail",
    {
        "ends": "?|.|=|,|is|is what|equal|equals|equal to|come to|for me|thanks|thank you",
        "asks": "how much is that|how much is left|how much remains|what is left|what do i get",
    },
)
_LONGEST = 5

_LEXEMES = re.compile(
    r"(?P<ordinal>[0-9]+(?:st|nd|rd|th)\b)"
    r"|(?P<number>(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?(?:e[-+]?[0-9]+(?![a-z]))?|\.[0-9]+)"
    r"|(?P<word>log10|log2|[a-z]+(?:'[a-z]+)?)"
    r"|(?P<symbol>\*\*|[-+*/%^!()=?,.:])"
)
_CURRENCY = re.compile(r"(?:([$€£])(?=\s?[.0-9])|\b(dollar|buck|euro|pound)s?\b)", re.IGNORECASE)
_CURRENCIES = {"$": 1, "dollar": 1, "buck": 1, "€": 2, "euro": 2, "£": 3, "pound": 3}
_NOT_SUMS = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"  # a date
    r"|(?<![0-9])[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}(?![0-9])"  # a date
    r"|^\s*[0-9]{3}-[0-9]{4}\s*$|[0-9]-[0-9]{3}-[0-9]{3,4}"  # a telephone number
    r"|\b0[xbo][0-9a-f]"  # a number in another base
)


# --- cutting -------------------------------------------------------------------------------------


def _lexemes(text: str) -> Iterator[Token]:
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text)  # twenty-one
    place = 0
    for found in _LEXEMES.finditer(text):
        if text[place : found.start()].strip():
            raise NotArithmetic
        place = found.end()
        if found[0] not in _ARTICLES:
            yield Token(found.lastgroup or "", found[0])
    if text[place:].strip():
        raise NotArithmetic


def _skip_leads(words: list[str]) -> int:
    start = 0
    while size := next((n for n in range(_LONGEST, 0, -1) if " ".join(words[start : start + n]) in _LEADS), 0):
        start = min(start + size, len(words))
    return start


def _trail(words: list[str], end: int) -> int:
    return next((n for n in range(_LONGEST, 0, -1) if " ".join(words[max(end - n, 0) : end]) in _TRAILS), 0)


def _phrases(lexemes: list[Token]) -> Iterator[Token]:
    """Longest phrases first; symbols and numbers become tokens of their own kind."""
    place = 0
    while place < len(lexemes):
        kind, value = lexemes[place]
        if kind != "word":
            yield _lone(kind, value)
            place += 1
        elif value in FUNCTIONS and [v for _, v in lexemes[place + 1 : place + 2]] == ["("]:
            yield Token("call", value)
            place += 1
        else:
            size, token = _phrase(lexemes[place : place + _LONGEST])
            yield token
            place += size


def _phrase(lexemes: list[Token]) -> tuple[int, Token]:
    for size in range(len(lexemes), 0, -1):
        phrase = " ".join(value for _, value in lexemes[:size])
        if phrase in _PHRASES:
            return size, _PHRASES[phrase]
    if lexemes[0].value in ("sqrt", "cbrt"):
        return 1, Token("function", lexemes[0].value)
    raise NotArithmetic


def _lone(kind: str, value: str) -> Token:
    if kind == "number":
        if re.match(r"0[0-9]", value):
            raise NotArithmetic
        return Token("number", value)
    if kind == "ordinal":
        return Token("ordinal", value[:-2])
    if value in ("+", "-", "*", "/", "**", "^"):
        return Token("op", "**" if value == "^" else value)
    return {"%": Token("percent", "%"), "!": Token("after", "!")}.get(value, Token(value))

"""Arithmetic in plain English -> an expression, without any model; or nothing, if one word is left over.

Hides the words. A request is cut into tokens, runs of words become numbers and operators by the tables
below, and a recursive-descent parser writes the expression. Time is linear in the text; length and depth are
bounded.

Readings chosen where English leaves two:
- `of` binds tightly: "half of 10 plus 2" is 7, "square root of 144 plus 25" is 37.
- "the sum of 2 and 3 times 4" is 2 + 3 * 4, as it would be written; with a comma after the list
  ("the sum of 2 and 3, times 4") it is (2 + 3) * 4. Products and quotients take the nearest number only:
  "the quotient of 20 and 2 times 5" is 20 / 2 * 5.
- "the difference between 5 and 8" is 3; "the difference of 5 and 8" is 5 - 8.
- "minus 3 squared" is -(3 ** 2), "negative 3 squared" is (-3) ** 2.
- "two hundred and five" is one number wherever it can be one.
Not understood, on purpose: "80 plus 20%" (16 more, or 0.2 more?), dates, telephone numbers, mixed currencies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from linnet.limits import LIMITS

CONSTANTS = frozenset({"pi", "e", "tau"})
FUNCTIONS = frozenset(
    {"sqrt", "cbrt", "abs", "round", "min", "max", "log", "log2", "log10", "exp", "sin", "cos", "tan"}
    | {"floor", "ceil", "factorial", "gcd", "hypot"}
)


def expression_of(text: str) -> str | None:
    """The expression that a request asks for, e.g. "0.15 * 2340 + sqrt(144)"; None when it asks for no
    calculation, or for anything besides one. Never raises; evaluating the expression still may (1 / 0)."""
    if len(text) > LIMITS.calculator_chars:
        return None
    try:
        expression = _Parser(_read(text)).sentence()
    except _NotArithmeticError:
        return None
    operators = sum(expression.count(sign) for sign in "+-*/%(")
    fits = len(expression) <= LIMITS.calculator_chars and operators < LIMITS.calculator_depth
    return expression if fits else None


class _NotArithmeticError(Exception):
    """The text is not arithmetic as we understand it."""


# --- words ---------------------------------------------------------------------------------------


class _Token(NamedTuple):
    kind: str
    value: str = ""


def _table(kind: str, phrases: dict[str, str]) -> dict[str, _Token]:
    """`{"+": "plus|added to"}` -> a token of this kind and the value "+" for each phrase."""
    return {phrase: _Token(kind, value) for value, line in phrases.items() for phrase in line.split("|")}


_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SYMBOLS = str.maketrans(
    {"×": "*", "⋅": "*", "·": "*", "÷": "/", "−": "-", "’": "'", "√": " sqrt ", "∛": " cbrt ", "π": " pi "}
    | {"²": " squared ", "³": " cubed "}
)
_PHRASES: dict[str, _Token] = {
    **{word: _Token("one", str(value)) for value, word in enumerate(_ONES.split())},
    **{word: _Token("ten", str(value)) for value, word in zip(range(20, 100, 10), _TENS.split(), strict=True)},
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
        word: _Token(word)
        for word in ("and", "of", "off", "to", "by", "from", "away", "is", "power", "point", "second")
    },
    **{name: _Token("constant", name) for name in CONSTANTS},
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


def _read(text: str) -> list[_Token]:
    """Tokens without articles, and without the courtesies around the question."""
    currencies = {_CURRENCIES[sign or name.lower()] for sign, name in _CURRENCY.findall(text)}
    if _NOT_SUMS.search(text) or len(currencies) > 1:
        raise _NotArithmeticError
    lexemes = list(_lexemes(_CURRENCY.sub("", text).lower().translate(_SYMBOLS)))
    words = [value for _, value in lexemes]
    start, end = _skip_leads(words), len(words)
    while end > start and (size := _trail(words, end)):
        end -= size
    return list(_phrases(lexemes[start:end]))


def _lexemes(text: str) -> Iterator[_Token]:
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text)  # twenty-one
    place = 0
    for found in _LEXEMES.finditer(text):
        if text[place : found.start()].strip():
            raise _NotArithmeticError
        place = found.end()
        if found[0] not in _ARTICLES:
            yield _Token(found.lastgroup or "", found[0])
    if text[place:].strip():
        raise _NotArithmeticError


def _skip_leads(words: list[str]) -> int:
    start = 0
    while size := next((n for n in range(_LONGEST, 0, -1) if " ".join(words[start : start + n]) in _LEADS), 0):
        start = min(start + size, len(words))
    return start


def _trail(words: list[str], end: int) -> int:
    return next((n for n in range(_LONGEST, 0, -1) if " ".join(words[max(end - n, 0) : end]) in _TRAILS), 0)


def _phrases(lexemes: list[_Token]) -> Iterator[_Token]:
    """Longest phrases first; symbols and numbers become tokens of their own kind."""
    place = 0
    while place < len(lexemes):
        kind, value = lexemes[place]
        if kind != "word":
            yield _lone(kind, value)
            place += 1
        elif value in FUNCTIONS and [v for _, v in lexemes[place + 1 : place + 2]] == ["("]:
            yield _Token("call", value)
            place += 1
        else:
            size, token = _phrase(lexemes[place : place + _LONGEST])
            yield token
            place += size


def _phrase(lexemes: list[_Token]) -> tuple[int, _Token]:
    for size in range(len(lexemes), 0, -1):
        phrase = " ".join(value for _, value in lexemes[:size])
        if phrase in _PHRASES:
            return size, _PHRASES[phrase]
    if lexemes[0].value in ("sqrt", "cbrt"):
        return 1, _Token("function", lexemes[0].value)
    raise _NotArithmeticError


def _lone(kind: str, value: str) -> _Token:
    if kind == "number":
        if re.match(r"0[0-9]", value):
            raise _NotArithmeticError
        return _Token("number", value)
    if kind == "ordinal":
        return _Token("ordinal", value[:-2])
    if value in ("+", "-", "*", "/", "**", "^"):
        return _Token("op", "**" if value == "^" else value)
    return {"%": _Token("percent", "%"), "!": _Token("after", "!")}.get(value, _Token(value))


# --- grammar -------------------------------------------------------------------------------------

_SUM, _TERM, _SIGN, _POWER, _ATOM = range(5)
"""How tightly the outermost operator of an expression binds."""


class _Piece(NamedTuple):
    text: str
    rank: int
    percent: bool = False

    def within(self, rank: int) -> str:
        """The text as an operand of an operator that wants at least this rank."""
        return self.text if self.rank >= rank else f"({self.text})"


_END = _Token("end")
_DIGITS = re.compile(r"[0-9]*\.?[0-9]*")


class _Parser:
    """One method a level of the grammar, each returning the expression of what it read."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.place, self.depth, self.worked = tokens, 0, 0, False

    # --- tokens

    def peek(self, ahead: int = 0) -> _Token:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else _END

    def take(self, kind: str, *values: str) -> _Token | None:
        token = self.peek()
        if token.kind != kind or (values and token.value not in values):
            return None
        self.place += 1
        return token

    def need(self, kind: str, *values: str) -> None:
        if self.take(kind, *values) is None:
            raise _NotArithmeticError

    def made(self, text: str, rank: int) -> _Piece:
        """The result of an operation: a number alone is no request to calculate."""
        self.worked = True
        return _Piece(text, rank)

    def call(self, name: str, *arguments: _Piece) -> _Piece:
        return self.made(f"{name}({', '.join(piece.text for piece in arguments)})", _ATOM)

    # --- sentences

    def sentence(self) -> str:
        if verb := self.take("verb"):
            piece = self.verb(verb.value)
        elif self.take("percent", "share"):
            whole = self.sum()
            self.need("is")
            piece = self.share(self.sum(), whole)
        else:
            piece = self.sum()
            if self.take("is"):
                self.need("percent", "share")
                piece = self.share(piece, self.sum())
        if self.peek() is not _END or not self.worked:
            raise _NotArithmeticError
        return piece.text

    def share(self, part: _Piece, whole: _Piece) -> _Piece:
        return self.made(f"{part.within(_TERM)} / {whole.within(_SIGN)} * 100", _TERM)

    def verb(self, verb: str) -> _Piece:
        """`subtract A from B`, `multiply A by B`, `increase A by 5%`."""
        first = self.sum()
        if verb == "-":
            self.take("away")
            self.need("from")
            return self.added(first, "from", self.sum())
        if not (verb == "*" and self.take("and")):
            self.need("by")
        second = self.sum()
        if verb.startswith("grow"):
            return self.grown(first, verb[-1], second)
        return self.made(f"{first.within(_TERM)} {verb} {second.within(_SIGN)}", _TERM)

    # --- operators, loosest first

    def sum(self) -> _Piece:
        piece = self.term()
        while True:
            if op := self.take("op", "+", "-", "from"):
                piece = self.added(piece, op.value, self.term())
            elif op := self.take("grow"):
                piece = self.grown(piece, op.value, self.term())
            else:
                return piece

    def added(self, left: _Piece, op: str, right: _Piece) -> _Piece:
        if op == "from":
            left, op, right = right, "-", left
        if left.percent or right.percent:
            raise _NotArithmeticError
        return self.made(f"{left.within(_SUM)} {op} {right.within(_TERM)}", _SUM)

    def grown(self, base: _Piece, op: str, by: _Piece) -> _Piece:
        if by.percent:
            return self.made(f"{base.within(_TERM)} * (1 {op} {by.within(_TERM)})", _TERM)
        return self.added(base, op, by)

    def term(self) -> _Piece:
        piece = self.sign()
        while op := self.take("op", "*", "/", "%") or self.take("percent", "%"):
            piece = self.made(f"{piece.within(_TERM)} {op.value} {self.sign().within(_SIGN)}", _TERM)
        return piece

    def sign(self) -> _Piece:
        minus = False
        while op := self.take("op", "+", "-"):
            minus ^= op.value == "-"
        piece = self.power()
        return _Piece(f"-{piece.within(_SIGN)}", _SIGN, piece.percent) if minus else piece

    def power(self) -> _Piece:
        base = self.after()
        if self.take("op", "**"):
            return self.raised(base, self.nth() or self.sign().within(_SIGN))
        if self.peek().kind == "to" and self.peek(2).kind == "power":
            self.need("to")
            return self.raised(base, self.nth())
        return base

    def nth(self) -> str:
        """`8th power`, `third power`; empty when there is none."""
        ordinal = self.take("ordinal") or self.take("part") or self.take("second")
        if ordinal is None:
            return ""
        self.need("power")
        return ordinal.value or "2"

    def raised(self, base: _Piece, exponent: str) -> _Piece:
        if not exponent:
            raise _NotArithmeticError
        return self.made(f"{base.within(_ATOM)} ** {exponent}", _POWER)

    def after(self) -> _Piece:
        piece = self.operand()
        while token := self.take("after"):
            piece = self.call("factorial", piece) if token.value == "!" else self.raised(piece, token.value)
        modulo = self.peek().value == "%" and self.peek(1).kind in ("number", "(", "call", "constant")
        return piece if modulo or not self.take("percent", "%", "") else self.percent(piece)

    def percent(self, piece: _Piece) -> _Piece:
        """`15% of 80`, `15% off 80`, or 15% alone."""
        ratio = _Piece(_hundredth(piece), _ATOM if _DIGITS.fullmatch(piece.text) else _TERM, percent=True)
        if self.take("off"):
            self.take("of")
            return self.made(f"(1 - {ratio.within(_TERM)}) * {self.sign().within(_SIGN)}", _TERM)
        if self.take("of"):
            return self.made(f"{ratio.within(_TERM)} * {self.sign().within(_SIGN)}", _TERM)
        return ratio

    # --- operands

    def operand(self) -> _Piece:
        self.depth += 1
        if self.depth > LIMITS.calculator_parentheses:
            raise _NotArithmeticError
        piece = self.amount() or self.enclosed() or self.prefixed()
        self.depth -= 1
        return piece

    def amount(self) -> _Piece | None:
        """A number, in digits or in words, or a fraction of something."""
        number = self.number()
        if part := self.take("part"):
            return self.fraction(number or "1", part.value)
        return _Piece(number, _ATOM) if number else None

    def fraction(self, above: str, below: str) -> _Piece:
        if not self.take("of"):
            return _Piece(f"{above} / {below}", _TERM)
        of = self.sign()
        shared = f"{of.within(_TERM)} / {below}" if above == "1" else f"{above} / {below} * {of.within(_SIGN)}"
        return self.made(shared, _TERM)

    def enclosed(self) -> _Piece | None:
        if constant := self.take("constant"):
            return _Piece(constant.value, _ATOM)
        if self.take("("):
            piece = self.sum()
            self.need(")")
            return _Piece(f"({piece.text})", _ATOM) if piece.rank < _ATOM else piece
        if name := self.take("call"):
            start = self.place
            self.need("(")
            arguments = [self.sum()]
            while self.take(","):
                arguments.append(self.sum())
            self.need(")")
            if any("," in token.value for token in self.tokens[start : self.place]):
                raise _NotArithmeticError  # max(1,200): of 1 and 200, or of 1200?
            return self.call(name.value, *arguments)
        return None

    def prefixed(self) -> _Piece:
        kind, value = self.peek()
        self.place += 1
        if kind == "negative":
            return _Piece(f"(-{self.operand().within(_SIGN)})", _ATOM)
        if kind == "list":
            return self.combined(value, self.items(value))
        if kind == "function":
            return self.call(value, self.sign())
        if kind == "raise":
            return self.raised(self.sign(), value)
        if kind == "multiple":
            return self.made(f"{value} * {self.sign().within(_SIGN)}", _TERM)
        raise _NotArithmeticError

    # --- lists

    def items(self, what: str) -> list[_Piece]:
        read = self.sign if what in ("*", "/") else self.term
        pieces = [read()]
        while self.separated(what):
            pieces.append(read())
        wanted = len(pieces) == 2 if what in ("-", "abs", "/") else len(pieces) >= 2
        written_out = len(pieces) == 1 and self.peek() == ("op", what)  # "the sum of 3 plus 5"
        if not (wanted or written_out) or any(piece.percent for piece in pieces):
            raise _NotArithmeticError
        return pieces

    def separated(self, what: str) -> bool:
        """Whether another item follows; a comma before an operator ends the list."""
        if self.take(","):
            if self.peek().kind in ("op", "grow"):
                if self.peek().value == "-" and what != "+":
                    raise _NotArithmeticError  # "the product of 2 and 3, -4"
                return False
            self.take("and")
            return True
        return bool(self.take("and") or (what == "+" and self.take("to")))

    def combined(self, what: str, items: list[_Piece]) -> _Piece:
        if what in ("+", "-", "abs", "average"):
            total = (" + " if what in ("+", "average") else " - ").join(item.within(_TERM) for item in items)
            if what == "abs":
                return self.made(f"abs({total})", _ATOM)
            return self.made(total, _SUM) if what != "average" else self.made(f"({total}) / {len(items)}", _TERM)
        if what in ("*", "/"):
            return self.made(f" {what} ".join(item.within(_SIGN) for item in items), _TERM)
        return self.call(what, *items)

    # --- numbers

    def number(self) -> str:
        """The digits of a number such as `2,340`, `2.5 million` or `two hundred and five`; empty for none."""
        if token := self.take("number"):
            return self.scaled(token.value.replace(",", ""))
        words = self.words()
        if words is None:
            return ""
        digits = ""
        if self.take("point"):
            while (digit := self.peek()).kind == "one" and int(digit.value) < 10:
                digits += digit.value
                self.place += 1
            if not digits:
                raise _NotArithmeticError
        return f"{words}.{digits}" if digits else str(words)

    def scaled(self, digits: str) -> str:
        scale = self.take("hundred") or self.take("scale")
        if scale is None:
            return digits
        if len(digits) > 15 or "e" in digits:
            raise _NotArithmeticError
        text = f"{Decimal(digits) * int(scale.value):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text

    def words(self) -> int | None:
        """Groups below a thousand, each before a smaller scale than the last: `two million (and) five`."""
        total, ceiling = None, 10**12
        while (group := self.below_thousand()) is not None:
            scale = self.take("scale")
            size = int(scale.value) if scale else 1
            if size >= ceiling:
                raise _NotArithmeticError
            total, ceiling = (total or 0) + group * size, size
            if size == 1:
                break
            self.join()
        return total

    def below_thousand(self) -> int | None:
        """`ninety-nine`, `hundred`, `two hundred and five`; 1 before a lone `thousand`."""
        small = self.below_hundred()
        if self.take("hundred"):
            self.join()
            return (1 if small is None else small) * 100 + (self.below_hundred() or 0)
        return 1 if small is None and self.peek().kind == "scale" else small

    def below_hundred(self) -> int | None:
        ten = self.take("ten")
        one = self.take("one") if ten is None or self.peek().value in "123456789" else None
        return None if ten is None and one is None else sum(int(token.value) for token in (ten, one) if token)

    def join(self) -> None:
        """Skips the `and` inside a number."""
        if self.peek().kind == "and" and self.peek(1).kind in ("one", "ten"):
            self.need("and")


def _hundredth(piece: _Piece) -> str:
    """A literal with its point moved (15 -> 0.15), or a division."""
    if not _DIGITS.fullmatch(piece.text):
        return f"{piece.within(_TERM)} / 100"
    whole, _, part = piece.text.partition(".")
    whole = whole.zfill(3)
    return f"{whole[:-2].lstrip('0') or '0'}.{whole[-2:]}{part}".rstrip("0").rstrip(".")

"""Arithmetic in plain English -> an expression, without any model; or nothing, if one word is left over.

Hides the grammar: from the tokens of a request (see `numerals`) a recursive-descent parser writes the
expression. Time is linear in the text; length and depth are bounded.

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
from decimal import Decimal
from typing import NamedTuple

from linnet.agent.tools import numerals
from linnet.agent.tools.numerals import CONSTANTS, FUNCTIONS, NotArithmetic, Token, tokens_of
from linnet.limits import LIMITS

__all__ = ["CONSTANTS", "FUNCTIONS", "expression_of"]

# The tests draw requests from the very words that are understood, and know them by these names.
_ONES, _TENS = numerals._ONES, numerals._TENS
_PHRASES, _LEADS, _TRAILS = numerals._PHRASES, numerals._LEADS, numerals._TRAILS


def expression_of(text: str) -> str | None:
    """The expression that a request asks for, e.g. "0.15 * 2340 + sqrt(144)"; None when it asks for no
    calculation, or for anything besides one. Never raises; evaluating the expression still may (1 / 0)."""
    if len(text) > LIMITS.calculator_chars:
        return None
    try:
        expression = _Parser(tokens_of(text)).sentence()
    except NotArithmetic:
        return None
    operators = sum(expression.count(sign) for sign in "+-*/%(")
    fits = len(expression) <= LIMITS.calculator_chars and operators < LIMITS.calculator_depth
    return expression if fits else None


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


_END = Token("end")
_DIGITS = re.compile(r"[0-9]*\.?[0-9]*")


class _Parser:
    """One method a level of the grammar, each returning the expression of what it read."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.place, self.depth, self.worked = tokens, 0, 0, False

    # --- tokens

    def peek(self, ahead: int = 0) -> Token:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else _END

    def take(self, kind: str, *values: str) -> Token | None:
        token = self.peek()
        if token.kind != kind or (values and token.value not in values):
            return None
        self.place += 1
        return token

    def need(self, kind: str, *values: str) -> None:
        if self.take(kind, *values) is None:
            raise NotArithmetic

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
            raise NotArithmetic
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
            raise NotArithmetic
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
            raise NotArithmetic
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
            raise NotArithmetic
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
                raise NotArithmetic  # max(1,200): of 1 and 200, or of 1200?
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
        raise NotArithmetic

    # --- lists

    def items(self, what: str) -> list[_Piece]:
        read = self.sign if what in ("*", "/") else self.term
        pieces = [read()]
        while self.separated(what):
            pieces.append(read())
        wanted = len(pieces) == 2 if what in ("-", "abs", "/") else len(pieces) >= 2
        written_out = len(pieces) == 1 and self.peek() == ("op", what)  # "the sum of 3 plus 5"
        if not (wanted or written_out) or any(piece.percent for piece in pieces):
            raise NotArithmetic
        return pieces

    def separated(self, what: str) -> bool:
        """Whether another item follows; a comma before an operator ends the list."""
        if self.take(","):
            if self.peek().kind in ("op", "grow"):
                if self.peek().value == "-" and what != "+":
                    raise NotArithmetic  # "the product of 2 and 3, -4"
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
                raise NotArithmetic
        return f"{words}.{digits}" if digits else str(words)

    def scaled(self, digits: str) -> str:
        scale = self.take("hundred") or self.take("scale")
        if scale is None:
            return digits
        if len(digits) > 15 or "e" in digits:
            raise NotArithmetic
        text = f"{Decimal(digits) * int(scale.value):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text

    def words(self) -> int | None:
        """Groups below a thousand, each before a smaller scale than the last: `two million (and) five`."""
        total, ceiling = None, 10**12
        while (group := self.below_thousand()) is not None:
            scale = self.take("scale")
            size = int(scale.value) if scale else 1
            if size >= ceiling:
                raise NotArithmetic
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

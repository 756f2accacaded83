"""What of a rendered prompt is the template's own, and what is text that somebody else wrote.

The view is rendered once plainly, and once with a secret mark in the place of every text that is not trusted:
contents, thoughts, names and arguments of calls, definitions of tools. A template that saw no text cannot have
written any, so what stands around the marks is its own, and it alone is trusted. What stands between:

1. The texts themselves, if that gives the plain rendering: nearly always. A mark that `tojson` wrote says so
   itself, and its text is escaped as JSON likewise. White space at the edges of a text stays outside its mark,
   so that a template that trims finds it there. Marks that are keys of objects sort as their texts do.
2. If it does not, the template rewrote a text (it dropped old thoughts, it ended a sentence). Rendered twice
   more, with every other text unmarked, it shows what it makes of each between two marks.
3. If that does not give the plain rendering either, a text has steered the markup, as one that claims to be
   a tool's answer may. That is not for untrusted text to do: the markup around the marks stands, if other
   marks, of another length, leave the same, and so do the texts that have no mark in it.

Otherwise a mark was broken, or weighed, and nothing is known to be the template's own: the plain rendering is
then one untrusted segment, and no control token is in it. Whoever asked sees that no segment is trusted.
"""

from __future__ import annotations

import json
import re
import secrets
from itertools import zip_longest
from typing import NamedTuple

from linnet.errors import TemplateFailed
from linnet.worker.view import Place, View


class Piece(NamedTuple):
    """A piece of prompt; `place` says which text it is, and is None for what the template wrote."""

    text: str
    place: Place | None
    trusted: bool


class Apart(NamedTuple):
    """A prompt in pieces, and the places of the texts that are not in it."""

    pieces: list[Piece]
    lost: frozenset[Place]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def told_apart(view: View) -> Apart:
    """The prompt, markup apart from texts. Raises TemplateFailed."""
    plain = view.text()
    texts = _Texts(view)
    if not texts.cores:
        return Apart([Piece(plain, None, True)], frozenset())
    try:
        pieces = _pieces(view, texts, plain)
    except TemplateFailed:  # it bears these texts and no marks
        pieces = None
    if pieces is None:
        forms = ((place, core, _as_json(core, False)) for place, core in texts.cores)
        gone = frozenset(place for place, *either in forms if not any(form in plain for form in either))
        return Apart([Piece(plain, None, False)], gone)
    return pieces


def _pieces(view: View, texts: _Texts, plain: str) -> Apart | None:
    """The prompt in pieces, or None if nothing is known to be the template's own."""
    secret = _secret([plain, view.record.template, *(core for _, core in texts.cores)])
    seen = _marked(view, texts, secret)
    missing = frozenset(range(len(texts.cores))) - {mark.number for mark in seen.marks}
    between = [texts.written(mark) for mark in seen.marks]
    if _woven(seen, between) != plain:
        between = _rewritten(view, texts, seen, secret, between)
        if _woven(seen, between) != plain:
            other = secret.translate(_NEXT_DIGIT) * 2  # differs in length and in every place
            if _marked(view, texts, other) != seen:
                return None
            if missing and _marked(view, texts, secret, missing) != seen:
                return None
    pieces = [Piece(seen.markup[0], None, True)]
    for mark, text, markup in zip(seen.marks, between, seen.markup[1:], strict=True):
        pieces += [Piece(text, texts.cores[mark.number][0], False), Piece(markup, None, True)]
    lost = frozenset(texts.cores[number][0] for number in missing)
    return Apart([piece for piece in pieces if piece.text], lost)


# --- marks ---------------------------------------------------------------------------------------


class _Texts:
    """The texts of a view that are not trusted, by number. Keys of objects come first, in the order in which
    templates sort them."""

    def __init__(self, view: View) -> None:
        keys: dict[tuple[Place, str], None] = {}
        others: dict[tuple[Place, str], None] = {}

        def put(place: Place, text: str, key: bool = False) -> str:
            if text.strip():
                (keys if key else others)[place, text] = None
            return text

        view.variables(put)
        in_order = sorted(keys, key=lambda entry: (entry[1].lower(), entry[1]))
        entries = [*in_order, *(entry for entry in others if entry not in keys)]
        self.cores = [(place, text.strip()) for place, text in entries]
        self.numbers = {entry: number for number, entry in enumerate(entries)}

    def written(self, mark: _Mark) -> str:
        """What stands in the place of a mark."""
        text = self.cores[mark.number][1]
        for ascii_only in mark.escapes:
            text = _as_json(text, ascii_only)
        return text


class _Mark(NamedTuple):
    """The mark of one text, and how often `tojson` wrote it, each time with ASCII only or not."""

    number: int
    escapes: tuple[bool, ...] = ()


class _Seen(NamedTuple):
    """A rendering that saw marks in the place of texts: the marks in order, and what stands around them."""

    markup: list[str]
    marks: list[_Mark]


_NEXT_DIGIT = str.maketrans("0123456789", "1234567890")


def _secret(texts: list[str]) -> str:
    """Digits that stand in none of the texts: no filter trims, escapes or changes the case of a digit."""
    while True:
        secret = f"{secrets.randbelow(10**24):024}"
        if not any(secret in text for text in texts):
            return secret


def _marked(view: View, texts: _Texts, secret: str, shown: frozenset[int] = frozenset()) -> _Seen:
    """What the template makes of marks. The texts with the `shown` numbers keep their place."""
    known = [_Mark(number) for number in range(len(texts.cores))]
    numbers = {mark: number for number, mark in enumerate(known)}
    pattern = re.compile(f"{secret}([0-9]{{8}}){secret}")

    def put(place: Place, text: str, key: bool = False) -> str:
        number = texts.numbers.get((place, text))
        if number is None or number in shown:
            return text
        core = texts.cores[number][1]
        before, _, after = text.partition(core)
        return f"{before}{secret}{number:08}{secret}{after}"

    def escaped(text: str, ascii_only: bool) -> str:
        def again(found: re.Match[str]) -> str:
            before = known[int(found[1])]
            mark = _Mark(before.number, (*before.escapes, ascii_only))
            if mark not in numbers:
                numbers[mark] = len(known)
                known.append(mark)
            return f"{secret}{numbers[mark]:08}{secret}"

        return pattern.sub(again, text)

    parts = pattern.split(view.text(put, escaped))
    marks = [int(number) for number in parts[1::2]]
    if marks and max(marks) >= len(known):
        raise TemplateFailed("the model's chat template writes marks of its own")
    return _Seen(parts[::2], [known[number] for number in marks])


def _as_json(text: str, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _woven(seen: _Seen, texts: list[str]) -> str:
    """Markup and texts in turn; there is one more piece of markup."""
    return "".join(piece for pair in zip_longest(seen.markup, texts, fillvalue="") for piece in pair)


# --- texts that a template rewrites --------------------------------------------------------------


def _rewritten(view: View, texts: _Texts, seen: _Seen, secret: str, between: list[str]) -> list[str]:
    """What the template makes of each text where that can be seen, and else the text as it is.

    Every other text is shown, so that those beside it are still marks and say where it begins and ends.
    """
    made = list(between)
    order = {number: i for i, number in enumerate(dict.fromkeys(mark.number for mark in seen.marks))}
    for half in (0, 1):
        shown = frozenset(number for number, i in order.items() if i % 2 == half)
        try:
            partly = _marked(view, texts, secret, shown)
        except TemplateFailed:
            continue
        if partly.marks != [mark for mark in seen.marks if mark.number not in shown]:
            continue
        runs = iter(partly.markup)
        start = 0
        for i in [*(i for i, mark in enumerate(seen.marks) if mark.number not in shown), len(seen.marks)]:
            markup = seen.markup[start : i + 1]
            made[start:i] = _fitted(next(runs), markup, made[start:i])
            start = i + 1
    return made


def _fitted(run: str, markup: list[str], texts: list[str]) -> list[str]:
    """What stands between the pieces of markup in a run of prompt, if that is certain: one text, or several of
    one length. Else the `texts` that were thought to stand there."""
    length, left = divmod(len(run) - sum(map(len, markup)), max(len(texts), 1))
    if not texts or left or length < 0:
        return texts
    found = []
    at = 0
    for piece in markup[:-1]:
        if not run.startswith(piece, at):
            return texts
        at += len(piece)
        found.append(run[at : at + length])
        at += length
    return found if run[at:] == markup[-1] else texts
